/** Subpath `tidemark/redrive`: dead letters back to where they came from. */
export { redrive } from './redrive/redrive.js'
export { RedriveError } from './redrive/redrive-error.js'
export type { RedriveOptions } from './redrive/redrive-options.js'
export type { RefusalReason } from './redrive/refusal.js'
export type { LetterSelection, TimeSpan } from './redrive/selection.js'
export type { RedriveProgress, RedriveSummary } from './redrive/tally.js'
export type { Letter, RecordPlace } from './redrive/letter.js'
export type { LetterFailure, LetterOrigin, LetterWriter } from './redrive/letter-formats.js'
