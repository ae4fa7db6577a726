import { flag, timeLimit, type Rules } from '../input/option-rules.js'

/** How `messaging.close` ends. */
export interface CloseOptions {
  /** Most time for everything. Default `closeTimeoutMs` of the messaging. */
  readonly timeoutMs?: number | undefined
  /** Give everything up at once: nothing is drained or committed. May be called while a close is under way. */
  readonly force?: boolean | undefined
}

export const closeRules: Rules<CloseOptions> = { timeoutMs: timeLimit, force: flag }
