/**
 * Why a letter that was meant is not sent. More may come.
 *
 * - `outside`: its headers name a topic that `allow` does not.
 * - `no-origin`: no header names where it came from, and there is no `defaultOrigin`.
 * - `gone`: it is a pointer to a record that its topic has deleted since.
 * - `hops`: it was redriven `maxHops` times already, and there is no `parking`.
 * - `not-taken`: its topic refuses the record, for example as too large.
 */
export type RefusalReason = 'outside' | 'no-origin' | 'gone' | 'hops' | 'not-taken'

export const refusalReasons: readonly RefusalReason[] = ['outside', 'no-origin', 'gone', 'hops', 'not-taken']

/** One letter that was meant and cannot be sent. */
export interface Refusal {
  readonly kind: 'refused'
  readonly why: RefusalReason
  readonly message: string
  /** The topic that its headers name. */
  readonly topic: string | null
  readonly cause?: unknown
}
