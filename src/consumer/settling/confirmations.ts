import { onAbort } from '../../runtime/on-abort.js'
import type { OwnedPartition } from '../partition/owned-partition.js'

interface Waiting {
  /** Only what was chosen to be committed later than this tells all that was settled by then. */
  readonly after: number
  /** Whether it goes on waiting when the cluster has no such partition. */
  readonly waits: 'while-there' | 'for-good'
  readonly end: (isConfirmed: boolean) => void
}

/**
 * Who waits until what a partition has settled is known to be on record.
 *
 * | whoever waits since | hears    | when |
 * |---------------------|----------|------|
 * | a choice or earlier | true     | a state that was chosen later is confirmed, or is nothing new |
 * | any time            | false    | the partition is gone, or nothing is committed any more |
 * | any time, `while-there` | false | the cluster has no such partition |
 */
export class Confirmations {
  #choices = 0
  readonly #waiting = new Map<OwnedPartition, Waiting[]>()
  #state: 'open' | 'closed' = 'open'

  /** What is to be committed is chosen now; the number names this choice. */
  choose(): number {
    this.#choices += 1
    return this.#choices
  }

  wait(partition: OwnedPartition, waits: Waiting['waits'] = 'for-good'): Promise<boolean> {
    if (this.#state === 'closed' || partition.isGone) return Promise.resolve(false)
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(partition)
      const mine = { after: this.#choices, waits, end: resolve }
      if (waiting !== undefined) {
        waiting.push(mine)
        return
      }
      this.#waiting.set(partition, [mine])
      onAbort(partition.signal, () => this.#endAll(partition))
    })
  }

  /** What was chosen for the partition under this number is on record. */
  onRecord(partition: OwnedPartition, choice: number): void {
    const waiting = this.#waiting.get(partition)
    if (waiting === undefined) return
    this.#waiting.set(
      partition,
      waiting.filter(({ after }) => after >= choice),
    )
    for (const { after, end } of waiting) if (after < choice) end(true)
  }

  /** The cluster has no such partition. */
  notThere(partition: OwnedPartition): void {
    const waiting = this.#waiting.get(partition)
    if (waiting === undefined) return
    this.#waiting.set(
      partition,
      waiting.filter(({ waits }) => waits === 'for-good'),
    )
    for (const { waits, end } of waiting) if (waits === 'while-there') end(false)
  }

  close(): void {
    this.#state = 'closed'
    for (const partition of [...this.#waiting.keys()]) this.#endAll(partition)
  }

  #endAll(partition: OwnedPartition): void {
    const waiting = this.#waiting.get(partition) ?? []
    this.#waiting.delete(partition)
    for (const { end } of waiting) end(false)
  }
}
