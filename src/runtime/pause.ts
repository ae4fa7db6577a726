import type { Clock } from './clock.js'

/** Waits for `ms`, or shorter when `signal` aborts: whoever waits looks at the signal afterwards. Never rejects. */
export async function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  await clock.sleep(ms, signal).catch(() => undefined) // rejects for the signal alone
}
