import { timeOf } from '../consumer/intake/decode.js'
import type { Received } from '../consumer/intake/intake.js'
import { noHeaders, type Header, type ReceivedRecord } from '../message/record.js'

/** Records taken up in one go: enough to spread the cost, few enough that the last of them does not keep much in memory. */
const atOnce = 256

/** Records of one partition on their way into the order, as they came. */
export class TakenUp implements Received {
  readonly tickets: number[] = []
  readonly records: ReceivedRecord[] = []
  readonly bytes: number[] = []
  sizeBytes = 0

  get count(): number {
    return this.records.length
  }

  get isFull(): boolean {
    return this.records.length >= atOnce
  }

  get isEmpty(): boolean {
    return this.records.length === 0
  }

  add(ticket: number, record: ReceivedRecord, recordBytes: number): void {
    this.tickets.push(ticket)
    this.records.push(record)
    this.bytes.push(recordBytes)
    this.sizeBytes += recordBytes
  }

  gap(): void {
    // Each stands alone.
  }
}

/**
 * Records of one partition that wait for their turn. They wait as numbers and one piece of memory, and are made objects
 * when they are handed out: many objects that wait are what costs an order most, since the garbage collector moves each of
 * them. The memory is their own: a value as it was fetched keeps everything that came with it, which may be a thousand
 * times as much.
 */
export class HeldRecords {
  readonly #offsets: number[] = []
  /** What was written there; `times` has what a record is to be ordered by. */
  readonly #timestamps: number[] = []
  readonly #tickets: readonly number[]
  readonly #bytes: readonly number[]
  /** Where the value begins, -1 without a value, and where it ends. */
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  readonly #memory: Buffer
  /** They stand alone; `null` while none has any. */
  #keys: (Buffer | null)[] | null = null
  #headers: (readonly Header[])[] | null = null
  /** The one that is asked for next, most likely. */
  #next = 0

  constructor(
    { tickets, records, bytes }: TakenUp,
    /** By `clock.now()`. */
    readonly takenUpAt: number,
  ) {
    this.#tickets = tickets
    this.#bytes = bytes
    this.#memory = Buffer.allocUnsafeSlow(valueBytes(records))
    let end = 0
    for (const { offset, timestamp, key, value, headers } of records) {
      this.#offsets.push(offset)
      this.#timestamps.push(timestamp)
      this.#starts.push(value === null ? -1 : end)
      if (value !== null) end += value.copy(this.#memory, end)
      this.#ends.push(end)
      if (key !== null) this.#keys ??= records.map((record) => record.key)
      if (headers.length > 0) this.#headers ??= records.map((record) => record.headers)
    }
  }

  get count(): number {
    return this.#offsets.length
  }

  offsetAt(index: number): number {
    return this.#offsets[index] as number
  }

  /** The time that it came with, or that of its origin. */
  timeAt(topic: string, index: number): number {
    const timestamp = this.#timestamps[index] as number
    return this.#headers === null ? timestamp : timeOf(topic, { timestamp, headers: this.#headers[index] ?? noHeaders })
  }

  bytesAt(index: number): number {
    return this.#bytes[index] as number
  }

  ticketAt(index: number): number {
    return this.#tickets[index] as number
  }

  recordAt(index: number): ReceivedRecord {
    const start = this.#starts[index] as number
    return {
      offset: this.#offsets[index] as number,
      timestamp: this.#timestamps[index] as number,
      key: this.#keys === null ? null : (this.#keys[index] as Buffer | null),
      value: start === -1 ? null : this.#memory.subarray(start, this.#ends[index]),
      headers: this.#headers === null ? noHeaders : (this.#headers[index] as readonly Header[]),
    }
  }

  indexOf(offset: number): number {
    const index = this.#offsets[this.#next] === offset ? this.#next : this.#search(offset)
    this.#next = index + 1
    return index
  }

  #search(offset: number): number {
    let [from, to] = [0, this.#offsets.length - 1]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#offsets[middle] as number) < offset) from = middle + 1
      else to = middle
    }
    return from
  }
}

function valueBytes(records: readonly ReceivedRecord[]): number {
  let bytes = 0
  for (const { value } of records) if (value !== null) bytes += value.length
  return bytes
}
