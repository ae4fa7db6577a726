import { setTimeout as sleep } from 'node:timers/promises'

const firstWaitMs = 100
const longestWaitMs = 5_000

/** For `handlerTimeoutMs`: a handler that sits an outage out has not failed. A day is longer than anybody lets one last. */
export const outageLimitMs = 86_400_000

/**
 * Repeats `work` until it succeeds, or the signal ends it: a partition that is taken away, a service that stops. A database or a broker that is down is not the
 * batch's fault: it waits in place instead of filling the dead-letter topic with good records. Work must be repeatable.
 */
export async function keepTrying(
  work: () => Promise<void>,
  signal: AbortSignal,
  onTrouble: (error: unknown) => void,
): Promise<void> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      onTrouble(error)
      await sleep(waitMs, undefined, { signal })
    }
  }
}
