import { setTimeout as sleep } from 'node:timers/promises'

const firstWaitMs = 100
const longestWaitMs = 5_000

/**
 * Repeats `work` until it succeeds, or the signal ends it: a partition that is taken away, a service that stops. For what is
 * no record's: a checkpoint, windows that are over. Work must be repeatable.
 */
export async function keepTrying(
  work: () => Promise<void>,
  signal: AbortSignal,
  onTrouble?: (error: unknown) => void,
): Promise<void> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      onTrouble?.(error)
      await sleep(waitMs, undefined, { signal })
    }
  }
}
