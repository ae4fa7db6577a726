import type { AssignedPartition } from '../../driver/consumer.js'
import type { Timer } from '../../runtime/clock.js'

/** Can this partition be asked for, as far as the cluster is concerned? */
type FetchHealth =
  /** Assigned, but its reader is not ready for records yet. */
  | { readonly kind: 'held' }
  | { readonly kind: 'ready' }
  /** Asked for again when the timer fires. */
  | { readonly kind: 'backing-off'; readonly timer: Timer }
  /** Asked for again when the metadata names a leader. */
  | { readonly kind: 'awaiting-leader' }
  /** Its position was refused; the owner of the policy says where to go on by `seek`, or gives up. */
  | { readonly kind: 'out-of-range' }
  | { readonly kind: 'failed' }
  /** Not ours any more. */
  | { readonly kind: 'gone' }

const ready: FetchHealth = { kind: 'ready' }

/** One assigned partition as the fetcher sees it. */
export class FetchCursor {
  readonly assigned: AssignedPartition
  /** Next offset to ask for. */
  position: number
  /** Since when the reader wants no records (by `clock.now()`); independent of whether the cluster can give them. */
  pausedAt: number | null = null
  health: FetchHealth = { kind: 'held' }
  /** Raised whenever the position is set from outside: an answer to a question with an older token is dropped. */
  token = 0
  /** Failures in a row. */
  failures = 0
  /** Where unreadable bytes were met; met again at the same place they are no accident of the transfer. */
  corruptAt: number | null = null

  constructor(assigned: AssignedPartition) {
    this.assigned = assigned
    this.position = assigned.position
  }

  get isDue(): boolean {
    return this.pausedAt === null && this.health.kind === 'ready'
  }

  become(health: FetchHealth): void {
    if (this.health.kind === 'backing-off') this.health.timer.cancel()
    this.health = health
  }

  becomeReady(): void {
    this.become(ready)
  }

  moveTo(position: number): void {
    this.position = position
    this.token += 1
    this.failures = 0
    this.corruptAt = null
  }
}
