/** Real time, for tests that watch real processes. */
export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Asks until the answer is true, and names what it waited for when it never came.
 * An error thrown by `condition` counts as "not yet" and is shown when time is up.
 */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  { timeoutMs = 30_000, everyMs = 50 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs
  let lastError: unknown
  for (;;) {
    try {
      if (await condition()) return
      lastError = undefined
    } catch (error) {
      lastError = error
    }
    if (Date.now() >= giveUpAt) {
      throw new Error(`${what}: not within ${timeoutMs} ms`, lastError === undefined ? {} : { cause: lastError })
    }
    await delay(everyMs)
  }
}
