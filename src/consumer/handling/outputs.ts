import type { Work } from '../partition/work.js'
import type { ContextSend } from './handler.js'

/** What one call of a handler sends. */
export interface Output {
  readonly send: ContextSend
  /** Something was sent that goes out with `join`, or never. */
  readonly holds: boolean
  /** The call has succeeded. `late`: its partition is gone, so nothing of it counts. A rejection fails its record. */
  join(work: Work): Promise<'joined' | 'late'>
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
  const output: Output = { send, holds: false, join: () => Promise.resolve('joined'), drop: () => undefined }
  return { open: () => output }
}
