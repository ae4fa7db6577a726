import { RequestError } from '../../connection/request-error.js'
import type { Clock } from '../../runtime/clock.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { Address, Whereabouts } from './addresses.js'
import { authenticate } from './authentication.js'
import { openSession, type OpenSession } from './handshake.js'
import type { AttemptSettings, SessionSettings } from './session-settings.js'
import { tlsOptionsOf } from './tls-options.js'

/** Opens and renews the sessions of one lane. */
export interface Opener {
  /** Every way to fail is a `RequestError` with `sent: 'never'`; aborting ends it at once. */
  open(signal: AbortSignal, onLost: (error: RequestError) => void): Promise<OpenSession>
  /** Authenticates again. A failure leaves the session destroyed. */
  renew(open: OpenSession): Promise<OpenSession>
}

export function createOpener(settings: () => Promise<SessionSettings>, whereabouts: Whereabouts, clock: Clock): Opener {
  return {
    async open(signal, onLost) {
      try {
        const known = await settings()
        const { connectionTimeoutMs } = known
        const deadline = clock.now() + connectionTimeoutMs
        /** Functions of the user may never return. */
        const inTime = <Value>(work: Promise<Value>, late: string) => {
          const message = `${late} within ${connectionTimeoutMs} ms`
          const onLate = () => {
            throw new RequestError('cannot-connect', 'never', message)
          }
          return withinDeadline(work, { clock, deadline, signal, onLate })
        }
        const addresses = await inTime(whereabouts.find(), 'config.brokers gave no list')
        const ssl = await inTime(tlsOptionsOf(known.config), 'the function of config.ssl gave no options')
        const open = await openFirstOf(addresses, { ...known, ssl }, signal, onLost)
        whereabouts.reached(open.address)
        return open
      } catch (error) {
        throw asRequestError(error as Error, whereabouts.hint())
      }
    },
    async renew(open) {
      try {
        return { ...open, ...(await authenticate(open.session, open.address, open.versions, await settings())) }
      } catch (error) {
        const failure = asRequestError(error as Error)
        open.session.destroy(failure)
        throw failure
      }
    },
  }
}

/** One broker that turns us away says nothing about the others that the user gave. */
async function openFirstOf(
  addresses: readonly [Address, ...Address[]],
  settings: AttemptSettings,
  signal: AbortSignal,
  onLost: (error: RequestError) => void,
): Promise<OpenSession> {
  const [first, ...others] = addresses
  try {
    return await openSession(first, settings, signal, onLost)
  } catch (error) {
    const [second, ...rest] = others
    const isOfOneBroker = error instanceof RequestError && error.isOfOneBroker
    if (!isOfOneBroker || second === undefined) throw error
    return openFirstOf([second, ...rest], settings, signal, onLost)
  }
}

/** @param hint belongs to failures to connect alone */
function asRequestError(error: Error, hint = ''): RequestError {
  if (error instanceof RequestError && error.sent === 'never') {
    if (hint === '' || error.failure !== 'cannot-connect') return error
    return new RequestError('cannot-connect', 'never', error.message + hint, error.cause)
  }
  return new RequestError('cannot-connect', 'never', error.message + hint, error)
}
