import type { Work } from '../partition/work.js'
import type { ContextSend } from './handler.js'

/** `late`: its partition is gone, so nothing of it counts. */
export type Joined = 'joined' | 'late'

/** What one call of a handler sends. */
export interface Output {
  readonly send: ContextSend
  /** Something was sent that goes out with `join`, or never. */
  readonly holds: boolean
  /** The call has succeeded. A rejection fails its record. Without a promise when that is decided at once; never throws. */
  join(work: Work): Joined | Promise<Joined>
  /** The call has failed, or begins once more. */
  drop(): void
}

/** Where what handlers send goes. */
export interface Outputs {
  /** For one call, at its first send. */
  open(): Output
}

/** What is sent goes out at once, whatever becomes of the call. */
export function sentAtOnce(send: ContextSend): Outputs {
  const output: Output = { send, holds: false, join: () => 'joined', drop: () => undefined }
  return { open: () => output }
}
