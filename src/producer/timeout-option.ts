import { timeLimit, type Rules } from '../input/option-rules.js'

/** What a bounded call may be told. */
export interface TimeoutOption {
  /** Most time it may take, in milliseconds from now; `Infinity` for no limit. */
  readonly timeoutMs?: number | undefined
}

export const timeoutRules: Rules<TimeoutOption> = { timeoutMs: timeLimit }
