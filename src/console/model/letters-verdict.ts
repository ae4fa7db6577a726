import type { LetterCounts, NameCounts } from '../../letters/letter-counts.js'
import { timeText } from '../../text/figures.js'
import { countText, numberText, type Verdict } from './verdict.js'

/** What letters say as a whole: how many, why, from whom, and when the oldest is deleted. */
export function lettersVerdict(
  topic: string,
  counts: LetterCounts,
  isFiltered: boolean,
  { at, leavesAt }: { readonly at: number; readonly leavesAt: number | null },
): Verdict {
  const { letters, cameBack, byReason, byGroup, newestAt } = counts
  if (letters === 0) {
    const text = isFiltered ? `No letter in ${topic} is meant by this.` : `${topic} holds no letter.`
    return { level: 'ok', text, action: isFiltered ? 'take a condition away' : null }
  }
  const since = newestAt === null ? '' : `, the newest ${timeText(Math.max(0, at - newestAt))} ago`
  const back = cameBack === 0 ? '' : `, ${cameBack} came back after a redrive`
  const leaves =
    leavesAt === null
      ? ''
      : leavesAt > at
        ? `; the oldest is deleted in ${timeText(leavesAt - at)}`
        : '; the oldest may be deleted now'
  return {
    level: 'watch',
    text: `${topic}: ${countText(letters, 'letter')}${since}: ${mostly(byReason, '')}, ${mostly(byGroup, 'from ')}${back}${leaves}`,
    action: 'look at why, and send back what can be handled now',
  }
}

function mostly(counts: NameCounts, from: string): string {
  const names = Object.entries(counts)
  const [first] = names
  if (first === undefined) return `${from}nobody`
  const [name, count] = first
  return `${names.length === 1 ? 'all' : numberText(count)} ${from}${name}`
}
