import { setTimeout as sleep } from 'node:timers/promises'

/** A service runs until it is told to stop; an example until it has shown what it shows. */
export async function until(condition: () => boolean, limitMs = 30_000): Promise<void> {
  const giveUpAt = performance.now() + limitMs
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${limitMs} ms: ${condition.toString()}`)
    await sleep(10)
  }
}
