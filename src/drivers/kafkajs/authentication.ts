import type { KafkaConfig } from 'kafkajs'
import { RequestError } from '../../connection/request-error.js'
import { ConfigError, TidemarkError } from '../../errors.js'
import { came } from '../../input/came.js'
import { isRecord, isText } from '../../input/shapes.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { BrokerVersions } from '../../wire/apis.js'
import { Writer } from '../../wire/writer.js'
import { addressText, type Address } from './addresses.js'
import type { KafkajsExchange, KafkajsSaslConnection, KafkajsVersions } from './internals.js'
import type { Session } from './session.js'
import type { SessionSettings } from './session-settings.js'

export interface Authenticated {
  /** Absolute ms from which on no request may go out before authenticating again; `Infinity` for no end. */
  readonly reauthenticateAt: number
}

/** kafkajs's default for `reauthenticationThreshold`. */
const DEFAULT_THRESHOLD_MS = 10_000
/** Part of a session's life after which it is renewed at the earliest: with short lives the threshold would mean always. */
const EARLIEST_RENEWAL = 0.6

/** A broker that does not take a token answers with success and a challenge that says why (RFC 7628); kafkajs overlooks it. */
interface TokenRefusal {
  why: string | null
}

/** Runs kafkajs's SASL authenticator over the session, the first time or again. Nothing else may use the session meanwhile. */
export async function authenticate(
  session: Session,
  address: Address,
  versions: BrokerVersions,
  settings: SessionSettings,
): Promise<Authenticated> {
  const { config, clock, internals, kafkajsLogger } = settings
  const { sasl } = config
  if (!sasl) return { reauthenticateAt: Infinity }
  const startedAt = clock.now()
  const token: TokenRefusal = { why: null }
  try {
    const connection = saslConnection(session, address, sasl, settings.clientId, token)
    const authenticator = new internals.SaslAuthenticator(connection, kafkajsLogger, kafkajsVersions(versions), true)
    await bounded(session, authenticator.authenticate(), sasl, settings)
    if (token.why !== null) throw tokenRefused(token.why, address)
    return { reauthenticateAt: renewalTime(startedAt, Number(authenticator.sessionLifetime), config) }
  } catch (error) {
    if (token.why !== null) throw tokenRefused(token.why, address)
    throw session.ended ?? refusal(error as Error, sasl, address, settings)
  }
}

/** A broker or a token provider that never answers is cut off; what it says later goes nowhere. */
async function bounded(
  session: Session,
  authentication: Promise<void>,
  sasl: NonNullable<KafkaConfig['sasl']>,
  { clock, authenticationTimeoutMs }: SessionSettings,
): Promise<void> {
  await withinDeadline(authentication, {
    clock,
    deadline: clock.now() + authenticationTimeoutMs,
    onLate: () => {
      const message = `the authentication by ${shownMechanism(sasl)} did not end within ${authenticationTimeoutMs} ms`
      const error = new RequestError('cannot-connect', 'never', message)
      session.destroy(error)
      throw error
    },
  })
}

function renewalTime(
  startedAt: number,
  lifetimeMs: number,
  config: Pick<KafkaConfig, 'reauthenticationThreshold'>,
): number {
  if (!(lifetimeMs > 0)) return Infinity
  const thresholdMs = config.reauthenticationThreshold ?? DEFAULT_THRESHOLD_MS
  return startedAt + Math.max(lifetimeMs - thresholdMs, lifetimeMs * EARLIEST_RENEWAL)
}

function saslConnection(
  session: Session,
  address: Address,
  sasl: NonNullable<KafkaConfig['sasl']>,
  clientId: string,
  token: TokenRefusal,
): KafkajsSaslConnection {
  // kafkajs keeps its provider in here; what inherits from the user's object keeps that out of it.
  const own = Object.create(sasl) as { oauthBearerProvider?: () => Promise<unknown> }
  const { oauthBearerProvider } = sasl as { oauthBearerProvider?: () => unknown }
  const isOauth = mechanismOf(sasl) === 'OAUTHBEARER'
  if (isOauth && typeof oauthBearerProvider === 'function') {
    own.oauthBearerProvider = async () => requireToken(await oauthBearerProvider.call(sasl))
  }
  return {
    ...address,
    sasl: own,
    async send(exchange) {
      const result = await sendFor(session, exchange, clientId)
      if (isOauth && exchange.request.apiKey === saslAuthenticateKey) noteChallenge(result, token)
      return result
    },
  }
}

const saslAuthenticateKey = 36

function requireToken(token: unknown): unknown {
  if (isRecord(token) && isText(token['value'])) return token
  throw new ConfigError('kafkajs(config)', [
    {
      path: 'sasl.oauthBearerProvider',
      message: `gave what ${isRecord(token) ? 'has no value' : came(token)}`,
      fix: 'the provider must give { value }, with the token as text',
    },
  ])
}

/** @param result as kafkajs reads it: the bytes of the answer behind their length. */
function noteChallenge(result: unknown, token: TokenRefusal): void {
  const { authBytes } = result as { authBytes?: unknown }
  if (!Buffer.isBuffer(authBytes) || authBytes.length <= 4) return
  // Only a word of the standard is shown: the rest of it is the broker's.
  token.why = /"status"\s*:\s*"([a-z_]{1,40})"/.exec(authBytes.toString('utf8', 4))?.[1] ?? 'no reason was given'
}

/** A fresh token may be taken, so the session is thrown away and another is opened as long as there is time. */
function tokenRefused(why: string, address: Address): RequestError {
  const message = `broker ${addressText(address)} refused the token of config.sasl (${why}); the provider must give one that is valid`
  return new RequestError('cannot-connect', 'never', message)
}

async function sendFor<Result>(
  session: Session,
  { request, response }: KafkajsExchange<Result>,
  clientId: string,
): Promise<Result> {
  const { buffer } = await request.encode()
  const frame = await session.exchange((correlationId) =>
    Writer.frame(false, (writer) => {
      writer.int16(request.apiKey)
      writer.int16(request.apiVersion)
      writer.int32(correlationId)
      writer.nullableString(clientId)
      writer.raw(buffer)
    }),
  )
  return response.parse(await response.decode(frame.subarray(4)))
}

function kafkajsVersions(versions: BrokerVersions): KafkajsVersions {
  return Object.fromEntries([...versions].map(([key, { min, max }]) => [key, { minVersion: min, maxVersion: max }]))
}

function mechanismOf(sasl: NonNullable<KafkaConfig['sasl']>): string {
  return sasl.mechanism.toUpperCase()
}

const shownMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'AWS', 'OAUTHBEARER']

/** A mechanism of the user's own is any text, and may be a secret in the wrong place. */
function shownMechanism(sasl: NonNullable<KafkaConfig['sasl']>): string {
  const name = mechanismOf(sasl)
  return shownMechanisms.includes(name) ? name : 'a mechanism of your own'
}

/** A broker that says no stays at no; what the user's token provider threw may pass. Neither text carries a secret. */
function refusal(
  error: Error,
  sasl: NonNullable<KafkaConfig['sasl']>,
  address: Address,
  { mask }: SessionSettings,
): RequestError {
  const place = `broker ${addressText(address)}`
  if (error instanceof ConfigError) return new RequestError('turned-away', 'never', error.message, error)
  if (error.name.startsWith('KafkaJS')) {
    const fix = `check config.sasl (mechanism, user name, password) and that the broker has this user for ${shownMechanism(sasl)}`
    return new RequestError(
      'turned-away',
      'never',
      `${place} refused the authentication: ${mask(error.message)}; ${fix}`,
    )
  }
  // What is thrown here tells nothing secret.
  const why = error instanceof TidemarkError ? `: ${error.message}` : ` (${error.name}); see its cause`
  const what = `the provider of config.sasl for ${shownMechanism(sasl)} failed${why}`
  return new RequestError('cannot-connect', 'never', `no authentication at ${place}: ${what}`, error)
}
