import type { Socket } from 'node:net'
import type { ISocketFactory } from 'kafkajs'
import { RequestError } from '../../connection/request-error.js'
import { onAbort } from '../../runtime/on-abort.js'
import { decodeApiVersions, encodeApiVersions, newestApiVersions, oldestApiVersions } from '../../wire/api-versions.js'
import type { BrokerVersions } from '../../wire/apis.js'
import { addressText, type Address } from './addresses.js'
import { authenticate, type Authenticated } from './authentication.js'
import { Session } from './session.js'
import type { AttemptSettings } from './session-settings.js'
import { hintAtTls, tlsFailure } from './tls-failure.js'

/** A session that may carry requests. */
export interface OpenSession extends Authenticated {
  readonly session: Session
  readonly versions: BrokerVersions
  readonly address: Address
}

/**
 * Opens a socket, asks for the broker's versions, authenticates. Bounded by `connectionTimeout` for each of the first two
 * and `authenticationTimeout`; a failure leaves no socket behind and is a `RequestError` with `sent: 'never'`.
 */
export async function openSession(
  address: Address,
  settings: AttemptSettings,
  signal: AbortSignal,
  onLost: (error: RequestError) => void,
): Promise<OpenSession> {
  signal.throwIfAborted()
  const session = await connect(address, settings, signal, onLost)
  const abort = () => session.destroy(signal.reason as RequestError)
  const stopListening = onAbort(signal, abort)
  if (signal.aborted) abort()
  try {
    const versions = await askVersions(session, settings)
    const authenticated = await authenticate(session, address, versions, settings)
    session.allowLargeFrames()
    return { session, versions, address, ...authenticated }
  } catch (error) {
    const hint = settings.ssl || session.answers > 0 ? '' : NEEDS_TLS
    const failure = asFailureToConnect(error as Error, address, settings, hint)
    session.destroy(failure)
    throw failure
  } finally {
    stopListening()
  }
}

function connect(
  address: Address,
  settings: AttemptSettings,
  signal: AbortSignal,
  onLost: (error: RequestError) => void,
): Promise<Session> {
  const { clock, connectionTimeoutMs } = settings
  return new Promise((resolve, reject) => {
    const name = `broker ${addressText(address)}`
    let state: 'connecting' | 'connected' | 'failed' = 'connecting'
    const fail = (error: RequestError) => {
      if (state !== 'connecting') return
      state = 'failed'
      settle()
      session?.destroy(error)
      reject(asFailureToConnect(error, address, settings, hintAtEnd(settings)))
    }
    const timer = clock.setTimer(connectionTimeoutMs, () =>
      fail(
        new RequestError(
          'cannot-connect',
          'never',
          `no connection within ${connectionTimeoutMs} ms${hintAtSilence(settings)}`,
        ),
      ),
    )
    const settle = () => {
      timer.cancel()
      stopListening()
    }
    const onConnect = () => {
      if (state !== 'connecting') return
      state = 'connected'
      settle()
      // A factory may call back before it has returned the socket.
      queueMicrotask(() => resolve(session!))
    }
    let session: Session | undefined
    const stopListening = onAbort(signal, () => fail(signal.reason as RequestError))
    try {
      const ssl = settings.ssl as Parameters<ISocketFactory>[0]['ssl']
      const socket = settings.socketFactory({ host: address.host, port: address.port, ssl, onConnect })
      sendAtOnce(socket)
      session = new Session(socket, name, clock, (error) => (state === 'connecting' ? fail(error) : onLost(error)))
    } catch (error) {
      fail(
        new RequestError('cannot-connect', 'never', `the socket could not be made: ${(error as Error).message}`, error),
      )
    }
  })
}

/** Requests are whole when they are written; waiting for more (Nagle) only delays them. */
function sendAtOnce(socket: Partial<Pick<Socket, 'setNoDelay'>>): void {
  socket.setNoDelay?.(true)
}

async function askVersions(session: Session, settings: AttemptSettings): Promise<BrokerVersions> {
  const { clock, clientId, connectionTimeoutMs } = settings
  const askIn = async (version: number) => {
    const frame = await session.exchange((correlationId) => encodeApiVersions(version, correlationId, clientId))
    return decodeApiVersions(version, frame)
  }
  const timer = clock.setTimer(connectionTimeoutMs, () =>
    session.destroy(
      new RequestError(
        'cannot-connect',
        'never',
        `it took the connection, but did not answer within ${connectionTimeoutMs} ms; is this the port of a Kafka listener, ` +
          `and ${settings.ssl ? 'does it speak TLS' : 'does it need config.ssl'}?`,
      ),
    ),
  )
  try {
    const versions = (await askIn(newestApiVersions)) ?? (await askIn(oldestApiVersions))
    if (versions === null) throw new Error('it answered no question about its versions')
    return versions
  } catch (error) {
    if (error instanceof RequestError) throw error
    const { code, message } = error as { code?: string; message: string }
    throw new RequestError(code === 'unsupported' ? 'unsupported' : 'cannot-connect', 'never', message, error)
  } finally {
    timer.cancel()
  }
}

/** What the socket said, where it was the socket that failed. */
function causeOf(error: Error): Error {
  return error instanceof RequestError && error.failure === 'connection-lost' && error.cause instanceof Error
    ? error.cause
    : error
}

/**
 * Nothing of the request was sent yet, whatever happened to the socket.
 *
 * @param hintAtHangingUp what to think of when the socket ended without an error of its own.
 */
function asFailureToConnect(
  error: Error,
  address: Address,
  settings: AttemptSettings,
  hintAtHangingUp: string,
): RequestError {
  if (error instanceof RequestError && ['closed', 'refused', 'turned-away'].includes(error.failure)) return error
  const place = `cannot connect to broker ${addressText(address)}`
  const said = causeOf(error)
  // A name with several addresses gives an error of several, which has no message of its own.
  const text = settings.mask((said.message || String((said as { code?: unknown }).code)).trim())
  const code = (error.cause as { code?: unknown } | undefined)?.code
  const tls = settings.ssl ? tlsFailure(code) : null
  if (tls !== null) {
    const cause = tls.isSecret ? undefined : error
    // A function gives another certificate some day, so it is tried again as long as there is time.
    const failure = typeof settings.config.ssl === 'function' ? 'cannot-connect' : 'turned-away'
    return new RequestError(failure, 'never', `${place}: ${tls.what}; ${tls.fix}`, cause)
  }
  if (error instanceof RequestError && error.failure === 'unsupported') {
    return new RequestError('unsupported', 'never', `${place}: ${text}`, error)
  }
  const hint =
    error instanceof RequestError && error.failure === 'connection-lost' ? hintAt(code, settings, hintAtHangingUp) : ''
  return new RequestError('cannot-connect', 'never', `${place}: ${text}${hint}`, error)
}

const NEEDS_TLS = '; does this listener need config.ssl?'
const SPEAKS_NO_TLS = '; does this listener speak TLS?'

/** With TLS a connection counts only when TLS is up, so a listener in plain text is silent or hangs up. */
function hintAtSilence({ ssl }: AttemptSettings): string {
  return ssl ? '; is the address right, and does this listener speak TLS?' : '; is the address right?'
}

function hintAtEnd({ ssl }: AttemptSettings): string {
  return ssl ? SPEAKS_NO_TLS : NEEDS_TLS
}

function hintAt(code: unknown, { ssl }: AttemptSettings, hintAtHangingUp: string): string {
  if (code === undefined) return hintAtHangingUp
  if (code === 'ECONNREFUSED') return '; is a broker listening there?'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return '; is the name right?'
  return ssl && typeof code === 'string' ? hintAtTls(code) : ''
}
