import type { Work } from './work.js'

/** How a delivery ended. The frequent ends are constants, so settling a record makes no garbage. More may be added. */
export type Settlement =
  | { readonly kind: 'handled' }
  /** Dropped, because its handler said so. */
  | { readonly kind: 'discarded' }
  /** Handled before, as its mark says: dropped. */
  | { readonly kind: 'duplicate' }
  /** Kept elsewhere, acknowledged. */
  | { readonly kind: 'moved'; readonly to: 'dead-letter' | 'delay-topic'; readonly thenStop?: Error | undefined }
  /** The partition is no longer ours: nothing of it counts. */
  | { readonly kind: 'late' }
  /** A batch failed and each of its records must be tried alone. */
  | { readonly kind: 'split' }
  /** Of a batch its parts have ends of their own. */
  | { readonly kind: 'parted'; readonly parts: readonly Part[] }
  /** To be tried again after a while, in its place: nothing of its lane overtakes it. `isFree`: that spends no attempt. */
  | { readonly kind: 'again'; readonly afterMs: number; readonly isFree?: boolean | undefined }
  /** Nothing may be done with the record: the partition stops here. */
  | { readonly kind: 'stopped'; readonly by: Error }

/** Some records of a batch; `null` where they are to be delivered. */
export interface Part {
  readonly work: Work
  readonly end: Settlement | null
}

/** It is not there yet. */
export function isPending(settlement: Settlement | PromiseLike<Settlement>): settlement is PromiseLike<Settlement> {
  return !('kind' in settlement)
}

/** Ends after which a record is done. */
export type Done = Extract<Settlement, { readonly kind: 'handled' | 'discarded' | 'duplicate' | 'moved' }>

export const handled = Object.freeze({ kind: 'handled' }) satisfies Settlement
export const discarded = Object.freeze({ kind: 'discarded' }) satisfies Settlement
export const duplicate = Object.freeze({ kind: 'duplicate' }) satisfies Settlement
export const deadLettered = Object.freeze({ kind: 'moved', to: 'dead-letter' }) satisfies Settlement
/** At once, and it spends nothing. */
export const again = Object.freeze({ kind: 'again', afterMs: 0, isFree: true }) satisfies Settlement
export const putOff = Object.freeze({ kind: 'moved', to: 'delay-topic' }) satisfies Settlement
export const late = Object.freeze({ kind: 'late' }) satisfies Settlement
export const split = Object.freeze({ kind: 'split' }) satisfies Settlement
