/** Real time, for tests that watch real processes. */
export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Asks until the answer is true, and names what it waited for when it never came. What comes at all comes in a few seconds:
 * the default limit is for machines that do much else. An error thrown by `condition` counts as "not yet" and is shown when
 * time is up, as is what `seen` tells then.
 */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  {
    timeoutMs = 60_000,
    everyMs = 50,
    seen,
  }: { timeoutMs?: number; everyMs?: number; seen?: () => Promise<string> | string } = {},
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
      const saw = seen === undefined ? '' : `; seen: ${await Promise.resolve().then(seen).catch(String)}`
      const why = lastError === undefined ? '' : `; last: ${String(lastError)}`
      throw new Error(
        `${what}: not within ${timeoutMs} ms${saw}${why}`,
        lastError === undefined ? {} : { cause: lastError },
      )
    }
    await delay(everyMs)
  }
}
