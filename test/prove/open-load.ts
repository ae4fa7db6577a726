import type { Workload } from '../faults/workload.js'
import { murmur2Partition } from '../../src/topic/murmur2.js'
import type { Ledger } from '../support/ledger.js'
import type { Outcome } from '../support/ledger.js'
import { delay } from '../support/waiting.js'

export interface OpenLoadOptions {
  readonly records: number
  readonly perSecond: number
  readonly valueBytes: number
  /** Record i has key i modulo their number. */
  readonly keys: readonly string[]
}

/** Keys of which the one with index i goes to partition i modulo `partitions`, by the partitioner that both clients have. */
export function keysByPartition(keys: number, partitions: number): readonly string[] {
  const found: string[] = []
  for (let name = 0; found.length < keys; name++) {
    const key = `key-${name}`
    if (murmur2Partition(Buffer.from(key), partitions) === found.length % partitions) found.push(key)
  }
  return found
}

/** Sends each record at the moment when it is due, whatever became of those before. */
export class OpenLoad {
  readonly acknowledgedAt: Float64Array
  #outstanding = 0

  constructor(
    private readonly workload: Workload,
    readonly ledger: Ledger,
    private readonly options: OpenLoadOptions,
  ) {
    this.acknowledgedAt = new Float64Array(options.records).fill(Infinity)
  }

  get outstanding(): number {
    return this.#outstanding
  }

  /** Resolved when the last one was sent. */
  async run(startedAt: number, isStopped: () => boolean): Promise<void> {
    const { records, perSecond } = this.options
    for (let next = 0; next < records && !isStopped(); await delay(5)) {
      const due = Math.min(records, Math.floor(((performance.now() - startedAt) / 1_000) * perSecond) + 1)
      for (; next < due; next++) this.#send(next, startedAt)
    }
  }

  #send(record: number, startedAt: number): void {
    const { keys, valueBytes } = this.options
    const key = keys[record % keys.length] as string
    const id = this.ledger.invoke(0, key)
    this.#outstanding++
    void this.workload.send(key, this.ledger.value(id, valueBytes)).then((outcome: Outcome) => {
      this.#outstanding--
      this.ledger.settle(id, outcome)
      if (outcome.kind === 'stored') this.acknowledgedAt[record] = performance.now() - startedAt
    })
  }
}
