import type { Header } from '../message/record.js'

/** A row that is not sent yet, without what it holds. */
export interface OutboxRow {
  /** Rises from row to row; within a lane in the order in which transactions were committed. */
  readonly number: number
  /** Rows of one lane are sent one after the other; `null`: it has no key, and so no order. */
  readonly lane: string | null
  /**
   * The row of the same lane that comes before it and is not sent yet, as it was when this row was read; `null` for none.
   * Never a guess from the rows of a page: transactions end in another order than their numbers, so a page that was read
   * earlier may lack a row of a lower number.
   */
  readonly previous: number | null
  readonly topic: string
  readonly sizeBytes: number
}

/** What is sent for a row: bytes as they were made in the transaction. */
export interface OutboxContent {
  readonly number: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
  /** `null`: the partitioner chooses. */
  readonly partition: number | null
  readonly timestamp: number
}

/** What waits in an outbox. */
export interface OutboxBacklog {
  /** Rows that are not sent yet, those that are held included; a store may count no further than some bound. */
  readonly rows: number
  readonly held: number
  /** By the clock of the database; `null` when there is none. */
  readonly oldestAgeMs: number | null
}

/**
 * The table of what is to be sent, as a relay sees it. Every method rejects when the database does not answer, and may then
 * have done it or not: a relay repeats it.
 *
 * | a row   | news                                               | becomes |
 * |---------|----------------------------------------------------|---------|
 * | none    | the transaction that added it is committed         | pending |
 * | pending | Kafka has acknowledged it, and that is put on record | gone  |
 * | pending | it was sent, and nobody knows whether it is stored  | pending: it is sent again, with the same id |
 * | pending | Kafka will never take it                            | held: it and what follows in its lane waits for somebody |
 * | held    | somebody releases it                                | pending |
 * | held    | somebody discards it                                | gone |
 */
export interface OutboxStore {
  /**
   * Takes the lease, or goes on with it, for `forMs` from now on, by the clock of the database. `false`: another holder has
   * it. One that has run out is taken over.
   */
  lead(holder: string, forMs: number): Promise<boolean>
  /** Gives the lease back where this holder has it. */
  resign(holder: string): Promise<void>
  /** Rows with a higher number than `after` that are pending, by number; all of what it tells is of one moment. */
  pending(after: number, most: number): Promise<readonly OutboxRow[]>
  /** Of those that are there still, in any order. */
  contents(numbers: readonly number[]): Promise<readonly OutboxContent[]>
  /** They are stored in Kafka. True whoever says it, so it asks for no lease. */
  sent(numbers: readonly number[]): Promise<void>
  /** Kafka will never take the row. Counts only while `holder` has the lease. */
  hold(number: number, code: string, holder: string): Promise<void>
  /** How many rows wait, and since when the oldest one. */
  backlog(): Promise<OutboxBacklog>
}
