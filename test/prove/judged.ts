import { Checker } from '../support/checker.js'
import type { JavaRecord } from '../support/java-client.js'
import type { Ledger, LedgerState } from '../support/ledger.js'
import type { Totals } from './proof-data.js'

type LogRecord = Pick<JavaRecord, 'value' | 'partition' | 'offset'>

/** What became of each record: shown the whole log, it compares it with what the sender was told. */
export class Judge {
  readonly #checker: Checker
  readonly #times: Uint8Array

  constructor(
    private readonly ledger: Ledger,
    records: number,
  ) {
    this.#checker = new Checker(ledger)
    this.#times = new Uint8Array(records)
  }

  record(record: LogRecord): void {
    this.#checker.record(record)
    const sequence = this.ledger.identify(record.value?.toString('latin1') ?? '')?.sequence
    if (sequence !== undefined) this.#times[sequence] = Math.min(3, (this.#times[sequence] ?? 0) + 1)
  }

  /** After the last record of the log, once. */
  verdict(): { readonly map: Uint8Array; readonly totals: Totals } {
    const map = this.#times.map((times, sequence) => stateOf(this.ledger.state({ producer: 0, sequence }), times))
    const { acknowledged, unknown, notStored, broken } = this.#checker.report()
    const count = (...wanted: readonly number[]) =>
      map.reduce((sum, state) => sum + (wanted.includes(state) ? 1 : 0), 0)
    const totals = {
      acknowledged,
      lost: count(1),
      doubled: count(2, 3),
      outOfOrder: broken.outOfOrder,
      unknown,
      notStored,
    }
    if (totals.lost !== broken.lost)
      throw new Error(`two ways to count what is lost disagree: ${totals.lost} and ${broken.lost}`)
    return { map, totals }
  }
}

/** An index of `states`: what is in the log too often is that before all else. */
export function stateOf(said: LedgerState, timesInLog: number): number {
  if (timesInLog > 1) return timesInLog > 2 ? 3 : 2
  switch (said) {
    case 'stored':
      return timesInLog === 1 ? 0 : 1
    case 'unknown':
      return 4
    case 'not-stored':
      return timesInLog === 0 ? 5 : 6
    case 'invoked':
      return 7
  }
}
