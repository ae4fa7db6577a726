import { sql } from 'kysely'
import { defineTopic, string } from '../../../src/index.js'
import type { SqlOutbox } from '../../../src/sql.js'
import { delay } from '../../support/waiting.js'
import type { TestKysely } from './open-database.js'

export const ordersTopic = (name: string) => defineTopic({ name, value: string(), partitions: 3, replicationFactor: 1 })

export async function createOrderTables(db: TestKysely, keys: number): Promise<void> {
  await sql.raw('create table entities (name varchar(20) not null primary key, seq int not null)').execute(db)
  await sql
    .raw('create table facts (value varchar(60) not null primary key, entity varchar(20) not null, seq int not null)')
    .execute(db)
  for (let key = 0; key < keys; key += 1)
    await sql`insert into entities (name, seq) values (${`k${key}`}, 0)`.execute(db)
}

export interface Writing {
  readonly transactions: number
  readonly workers: number
  readonly keys: number
  /** Begins the values, which are never the same. */
  readonly name: string
}

class RolledBack extends Error {}

/**
 * Transactions that add a record of a key before they know their place: the row of the entity, which they take a while
 * later, says in which order they were committed. Some are rolled back, and what the database refuses is left.
 */
export async function writeOrders(
  db: TestKysely,
  outbox: SqlOutbox,
  topic: ReturnType<typeof ordersTopic>,
  { transactions, workers, keys, name }: Writing,
): Promise<void> {
  const write = async (value: string, at: number) => {
    const entity = `k${at % keys}`
    await db.transaction().execute(async (trx) => {
      await outbox.add(trx, topic, value, { key: entity, id: `id of ${value}` })
      await delay(Math.random() * 4)
      await sql`update entities set seq = seq + 1 where name = ${entity}`.execute(trx)
      const { rows } = await sql<{ seq: number }>`select seq from entities where name = ${entity}`.execute(trx)
      await sql`insert into facts (value, entity, seq) values (${value}, ${entity}, ${rows[0]?.seq ?? 0})`.execute(trx)
      if (at % 10 === 7) throw new RolledBack('on purpose')
    })
  }
  let next = 0
  const work = async () => {
    while (next < transactions) {
      const at = next
      next += 1
      // Others take turns with the same few keys, so several transactions of one are open at a time.
      await write(`${name}-${at}`, Math.floor(at / 2)).catch(() => delay(20))
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
}
