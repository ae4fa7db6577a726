/** What a producer under test was told about one record. */
export type Outcome =
  | { readonly kind: 'stored'; readonly partition: number; readonly offset: number }
  | { readonly kind: 'not-stored'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/** One record that was sent: where it stands by what the producer said. */
export type LedgerState = 'invoked' | Outcome['kind']

export interface RecordId {
  readonly producer: number
  readonly sequence: number
}

const states: readonly LedgerState[] = ['invoked', 'stored', 'not-stored', 'unknown']

/**
 * Everything that was sent in one run, record by record, with what the producer said became of it.
 * Kept in columns: a million records cost some tens of megabytes.
 */
export class Ledger {
  readonly #columns: Columns[] = []
  readonly #counts: Record<LedgerState, number> = { invoked: 0, stored: 0, 'not-stored': 0, unknown: 0 }
  readonly #reasons = new Map<string, number>()

  constructor(readonly run: string) {}

  get counts(): Readonly<Record<LedgerState, number>> {
    return this.#counts
  }

  /** How often each reason was given for a record that is not stored or unknown. */
  get reasons(): ReadonlyMap<string, number> {
    return this.#reasons
  }

  get producers(): number {
    return this.#columns.length
  }

  sent(producer: number): number {
    return this.#columns[producer]?.keys.length ?? 0
  }

  /** Notes a record before it is sent. Sequences of one producer are given in the order of its calls. */
  invoke(producer: number, key: string): RecordId {
    while (this.#columns.length <= producer) this.#columns.push({ keys: [], state: [], partition: [], offset: [] })
    const columns = this.#of(producer)
    columns.state.push(0)
    columns.partition.push(-1)
    columns.offset.push(-1)
    this.#counts.invoked++
    return { producer, sequence: columns.keys.push(key) - 1 }
  }

  settle({ producer, sequence }: RecordId, outcome: Outcome): void {
    const columns = this.#of(producer)
    if (columns.state[sequence] !== 0) throw new Error(`record ${producer}/${sequence} was settled twice`)
    columns.state[sequence] = states.indexOf(outcome.kind)
    this.#counts.invoked--
    this.#counts[outcome.kind]++
    if (outcome.kind === 'stored') {
      columns.partition[sequence] = outcome.partition
      columns.offset[sequence] = outcome.offset
    } else {
      this.#reasons.set(outcome.reason, (this.#reasons.get(outcome.reason) ?? 0) + 1)
    }
  }

  /** The bytes of a record's value: its identity, filled up to `bytes`. */
  value({ producer, sequence }: RecordId, bytes = 0): string {
    return `${this.run} ${producer} ${sequence} `.padEnd(bytes, '.')
  }

  /** The identity in a value, or undefined when the value is not of this run. */
  identify(value: string): RecordId | undefined {
    const [run, producer, sequence] = value.split(' ', 3)
    const id = { producer: Number(producer), sequence: Number(sequence) }
    return run === this.run && id.sequence < this.sent(id.producer) ? id : undefined
  }

  key({ producer, sequence }: RecordId): string {
    return this.#of(producer).keys[sequence] ?? ''
  }

  state({ producer, sequence }: RecordId): LedgerState {
    return states[this.#of(producer).state[sequence] ?? 0] ?? 'invoked'
  }

  /** Where the producer said that it is stored; -1 when it did not. */
  position({ producer, sequence }: RecordId): { readonly partition: number; readonly offset: number } {
    const columns = this.#of(producer)
    return { partition: columns.partition[sequence] ?? -1, offset: columns.offset[sequence] ?? -1 }
  }

  #of(producer: number): Columns {
    const columns = this.#columns[producer]
    if (columns === undefined) throw new Error(`producer ${producer} sent nothing`)
    return columns
  }
}

interface Columns {
  readonly keys: string[]
  readonly state: number[]
  readonly partition: number[]
  readonly offset: number[]
}
