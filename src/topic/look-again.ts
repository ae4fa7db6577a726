import type { Clock } from '../runtime/clock.js'

/** A topic that was just made is not known to every broker at once. */
const looks = 3
const betweenLooksMs = 500

export interface Again {
  readonly clock: Clock
  /** Ends the rest between two looks, which rejects with its reason. */
  readonly signal: AbortSignal
}

/** Looks at topics until nothing is missing, a few times at most; what was seen last. */
export async function lookAgain<Seen>(
  look: () => Promise<Seen>,
  isWhole: (seen: Seen) => boolean,
  { clock, signal }: Again,
): Promise<Seen> {
  for (let left = looks; ; left -= 1) {
    const seen = await look()
    if (left <= 1 || isWhole(seen)) return seen
    await clock.sleep(betweenLooksMs, signal)
  }
}
