import { RequestError } from '../../connection/request-error.js'
import type { Clock } from '../../runtime/clock.js'
import type { Address } from './addresses.js'
import { authenticate } from './authentication.js'
import { openSession, type OpenSession } from './handshake.js'
import type { SessionSettings } from './session-settings.js'

/** Opens and renews the sessions of one lane. */
export interface Opener {
  /** Every way to fail is a `RequestError` with `sent: 'never'`; aborting ends it at once. */
  open(signal: AbortSignal, onLost: (error: RequestError) => void): Promise<OpenSession>
  /** Authenticates again. A failure leaves the session destroyed. */
  renew(open: OpenSession): Promise<OpenSession>
}

export function createOpener(
  settings: () => Promise<SessionSettings>,
  findAddress: () => Promise<Address>,
  clock: Clock,
): Opener {
  return {
    async open(signal, onLost) {
      try {
        const known = await settings()
        const address = await within(known.connectionTimeoutMs, findAddress(), clock, signal)
        return await openSession(address, known, signal, onLost)
      } catch (error) {
        throw asRequestError(error as Error)
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

function asRequestError(error: Error): RequestError {
  return error instanceof RequestError && error.sent === 'never'
    ? error
    : new RequestError('cannot-connect', 'never', error.message, error)
}

/** The user's function for the brokers may never return. */
function within<T>(limitMs: number, finding: Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => end(() => reject(signal.reason as RequestError))
    const timer = clock.setTimer(limitMs, () =>
      end(() =>
        reject(new RequestError('cannot-connect', 'never', `config.brokers gave no list within ${limitMs} ms`)),
      ),
    )
    const end = (settle: () => void) => {
      timer.cancel()
      signal.removeEventListener('abort', abort)
      settle()
    }
    signal.addEventListener('abort', abort, { once: true })
    finding.then(
      (found) => end(() => resolve(found)),
      (error: Error) => end(() => reject(error)),
    )
    if (signal.aborted) abort()
  })
}
