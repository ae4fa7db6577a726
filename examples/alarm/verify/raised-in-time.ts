import type { Finding } from './invariant.js'
import type { Look } from './kept.js'

/** So many looks running that saw enough for a level: the last of them has raised. */
const looksToRaise = 3

/** Each time the lag came up to where level 1 begins, and stayed there for as many looks as it takes, it was raised by then. */
export function raisedInTime(looks: readonly Look[]): Finding {
  let running = 0
  let crossings = 0
  const wrong: string[] = []
  for (const { lag, raiseAt, level } of looks) {
    // One that cannot see says nothing, and it is counted anew.
    running = lag !== null && lag >= raiseAt ? running + 1 : 0
    if (running !== looksToRaise) continue
    crossings += 1
    if (level === 0)
      wrong.push(`a lag of ${raiseAt} or more was seen ${running} times, at last ${lag}, and nothing raised`)
  }
  return { looked: crossings === 0 ? '' : `${looks.length} looks, ${crossings} times a lag that raises`, wrong }
}
