import { timeLimit, type Rules } from '../input/option-rules.js'

/** What a bounded call may be told. */
export interface DeadlineOption {
  /** Most time it may take, in milliseconds from now; `Infinity` for no limit. */
  readonly deadlineMs?: number
}

export const deadlineRules: Rules<DeadlineOption> = { deadlineMs: timeLimit }
