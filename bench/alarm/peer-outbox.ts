import { sql } from 'kysely'
import type { Message, Producer } from 'kafkajs'
import type { Tell } from '../../examples/alarm/alert/alert-rows.js'
import type { Store } from '../../examples/alarm/store/store.js'

const rowsPerSend = 1_000

interface Row {
  readonly number: number
  readonly record_key: string
  readonly value: string
}

/** An outbox as one writes it by hand: a batch's words in one statement, one relay that sends them in bulk and then deletes them. */
export class PeerOutbox {
  #relaying: Promise<void> | null = null
  #isDue = false

  private constructor(
    private readonly store: Store,
    private readonly producer: Producer,
    private readonly topic: string,
  ) {}

  static async open(store: Store, producer: Producer, topic: string): Promise<PeerOutbox> {
    const columns = sql`number integer primary key autoincrement, record_key text not null, value text not null`
    await sql`create table peer_outbox (${columns})`.execute(store.db)
    return new PeerOutbox(store, producer, topic)
  }

  readonly tell: Tell = async (tx, statuses) => {
    for (let from = 0; from < statuses.length; from += rowsPerSend) {
      const some = statuses.slice(from, from + rowsPerSend)
      const values = some.map((status) => sql`(${status.alert_id}, ${JSON.stringify(status)})`)
      await sql`insert into peer_outbox (record_key, value) values ${sql.join(values)}`.execute(tx)
    }
  }

  /** Something was committed. */
  wake(): void {
    this.#isDue = true
    this.#relaying ??= this.#relay().finally(() => (this.#relaying = null))
  }

  async size(): Promise<number> {
    const { rows } = await sql<{ n: number }>`select count(*) as n from peer_outbox`.execute(this.store.db)
    return Number(rows[0]?.n ?? 0)
  }

  async stop(): Promise<void> {
    await this.#relaying
  }

  async #relay(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false
      for (;;) {
        const { rows } = await sql<Row>`select * from peer_outbox order by number limit ${rowsPerSend}`.execute(
          this.store.db,
        )
        const last = rows.at(-1)
        if (last === undefined) break
        const messages = rows.map(({ record_key: key, value }): Message => ({ key, value }))
        await this.producer.send({ topic: this.topic, messages, acks: -1 })
        await sql`delete from peer_outbox where number <= ${last.number}`.execute(this.store.db)
      }
    }
  }
}
