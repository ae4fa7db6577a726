import { textHeader, tdHeader } from '../../../src/message/headers.js'
import type { OutboxBacklog, OutboxContent, OutboxRow, OutboxStore } from '../../../src/outbox/outbox-store.js'
import type { Clock } from '../../../src/runtime/clock.js'

interface Row {
  readonly number: number
  readonly topic: string
  readonly key: string | null
  readonly value: Buffer
  readonly id: string
  readonly addedAt: number
  state: 'pending' | 'held'
}

/** The table of an outbox in memory, whose database takes time, fails and stands still as the test says. */
export class FakeOutbox implements OutboxStore {
  readonly rows = new Map<number, Row>()
  readonly holders: string[] = []
  lease: { holder: string; until: number } | null = null
  down = false
  latencyMs = 1
  /** Of the contents of rows, when they take longer than the rest. */
  contentsMs = 0
  /** Of counting, likewise: it grows with the table. */
  countMs = 0
  readonly #clock: Clock
  #number = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Draws a number now; the row is there when the transaction ends. */
  begin(key: string | null, value: string | Buffer = '', topic = 't'): () => void {
    this.#number += 1
    const number = this.#number
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    const row: Row = {
      number,
      topic,
      key,
      value: bytes,
      id: `id-${number}`,
      addedAt: this.#clock.now(),
      state: 'pending',
    }
    return () => void this.rows.set(number, row)
  }

  add(key: string | null, value: string | Buffer = '', topic = 't'): void {
    this.begin(key, value, topic)()
  }

  lead(holder: string, forMs: number): Promise<boolean> {
    return this.#answer(() => {
      const now = this.#clock.now()
      if (this.lease !== null && this.lease.holder !== holder && this.lease.until > now) return false
      if (this.lease?.holder !== holder) this.holders.push(holder)
      this.lease = { holder, until: now + forMs }
      return true
    })
  }

  resign(holder: string): Promise<void> {
    return this.#answer(() => {
      if (this.lease?.holder === holder) this.lease = null
    })
  }

  pending(after: number, most: number): Promise<readonly OutboxRow[]> {
    return this.#answer(() => {
      const all = [...this.rows.values()].sort((a, b) => a.number - b.number)
      return all
        .filter(({ number, state }) => number > after && state === 'pending')
        .slice(0, most)
        .map(({ number, topic, key, value }) => {
          const before = all.filter(
            (one) => key !== null && one.key === key && one.topic === topic && one.number < number,
          )
          const lane = key === null ? null : `${topic}/${key}`
          return { number, topic, lane, previous: before.at(-1)?.number ?? null, sizeBytes: value.length }
        })
    })
  }

  async contents(numbers: readonly number[]): Promise<readonly OutboxContent[]> {
    await this.#clock.sleep(this.contentsMs)
    return this.#answer(() =>
      numbers.flatMap((number) => {
        const row = this.rows.get(number)
        if (row === undefined) return []
        const key = row.key === null ? null : Buffer.from(row.key)
        return [
          { number, key, value: row.value, headers: [textHeader(tdHeader.id, row.id)], partition: null, timestamp: 1 },
        ]
      }),
    )
  }

  sent(numbers: readonly number[]): Promise<void> {
    return this.#answer(() => {
      for (const number of numbers) this.rows.delete(number)
    })
  }

  hold(number: number, _: string, holder: string): Promise<void> {
    return this.#answer(() => {
      const row = this.rows.get(number)
      if (row !== undefined && this.lease?.holder === holder) row.state = 'held'
    })
  }

  async backlog(): Promise<OutboxBacklog> {
    await this.#clock.sleep(this.countMs)
    return this.#answer(() => {
      const rows = [...this.rows.values()]
      const oldest = Math.min(...rows.map(({ addedAt }) => addedAt))
      return {
        rows: rows.length,
        held: rows.filter(({ state }) => state === 'held').length,
        oldestAgeMs: rows.length === 0 ? null : this.#clock.now() - oldest,
      }
    })
  }

  async #answer<Value>(work: () => Value): Promise<Value> {
    await this.#clock.sleep(this.latencyMs)
    if (this.down) throw new Error('connection lost')
    return work()
  }
}
