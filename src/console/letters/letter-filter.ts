import { z } from 'zod'
import type { LetterSelection } from '../../redrive/selection.js'

const name = z.string().min(1).max(1_000)
const moment = z.number().int().min(0)

/** Which letters are meant, as a page asks for it; all that is given must hold. */
export const letterFilter = z.strictObject({
  reason: name.optional(),
  error: name.optional(),
  origin: name.optional(),
  /** Group whose consumer failed. */
  group: name.optional(),
  /** When the letter was written, ms since the Unix epoch. */
  since: moment.optional(),
  until: moment.optional(),
})

export type LetterFilter = z.output<typeof letterFilter>

export function selectionOf({ reason, error, origin, group, since, until }: LetterFilter): LetterSelection {
  return {
    reason,
    error,
    origin,
    written: since === undefined && until === undefined ? undefined : { from: since, to: until },
    where: group === undefined ? undefined : (letter) => letter.group === group,
  }
}
