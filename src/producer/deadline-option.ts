import { ConfigError } from '../errors.js'

/** What a bounded call may be told. */
export interface DeadlineOption {
  /** Most time it may take, in milliseconds from now; `Infinity` for no limit. */
  readonly deadlineMs?: number
}

/** What is wrong with a limit, `null` when nothing is: one that is no number would count as no time left. */
export function deadlineProblem(call: string, deadlineMs: unknown): ConfigError | null {
  if (typeof deadlineMs === 'number' && deadlineMs >= 0) return null
  const got = typeof deadlineMs === 'number' ? String(deadlineMs) : typeof deadlineMs
  return new ConfigError(call, [
    { path: 'deadlineMs', message: `is ${got}`, fix: 'write milliseconds from now, of at least 0, or leave it out' },
  ])
}
