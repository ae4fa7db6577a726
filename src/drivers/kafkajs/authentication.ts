import type { KafkaConfig } from 'kafkajs'
import { RequestError } from '../../connection/request-error.js'
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
  try {
    const connection = saslConnection(session, address, sasl, settings.clientId)
    const authenticator = new internals.SaslAuthenticator(connection, kafkajsLogger, kafkajsVersions(versions), true)
    await bounded(session, authenticator.authenticate(), sasl, settings)
    return { reauthenticateAt: renewalTime(startedAt, Number(authenticator.sessionLifetime), config) }
  } catch (error) {
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
      const message = `the ${mechanismOf(sasl)} authentication did not end within ${authenticationTimeoutMs} ms`
      const error = new RequestError('cannot-connect', 'never', message)
      session.destroy(error)
      throw error
    },
  })
}

function renewalTime(startedAt: number, lifetimeMs: number, config: KafkaConfig): number {
  if (!(lifetimeMs > 0)) return Infinity
  const thresholdMs = config.reauthenticationThreshold ?? DEFAULT_THRESHOLD_MS
  return startedAt + Math.max(lifetimeMs - thresholdMs, lifetimeMs * EARLIEST_RENEWAL)
}

function saslConnection(session: Session, address: Address, sasl: object, clientId: string): KafkajsSaslConnection {
  return {
    ...address,
    // kafkajs keeps its provider in here; what inherits from the user's object keeps that out of it.
    sasl: Object.create(sasl) as object,
    send: (exchange) => sendFor(session, exchange, clientId),
  }
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

/** A broker that says no stays at no; what the user's token provider threw may pass. Neither text carries a secret. */
function refusal(
  error: Error,
  sasl: NonNullable<KafkaConfig['sasl']>,
  address: Address,
  { mask }: SessionSettings,
): RequestError {
  const place = `broker ${addressText(address)}`
  if (error.name.startsWith('KafkaJS')) {
    const fix = `check config.sasl (mechanism, user name, password) and that the broker has this user for ${mechanismOf(sasl)}`
    return new RequestError('refused', 'never', `${place} refused the authentication: ${mask(error.message)}; ${fix}`)
  }
  const what = `the provider of config.sasl for ${mechanismOf(sasl)} failed (${error.name})`
  return new RequestError('cannot-connect', 'never', `no authentication at ${place}: ${what}; see its cause`, error)
}
