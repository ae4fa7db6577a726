import { join } from 'node:path'
import { CamelCasePlugin, Kysely, sql } from 'kysely'
import { createMessaging, defineTopic, string, type ConsumerSettingsOptions, type Messaging } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { createPositionsTable, FencedWriter, sqlPositions } from 'tidemark/sql'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { wasmSqliteDialect } from '../../../examples/alarm/store/wasm-sqlite-dialect.js'
import { Unavailable } from '../../../src/consumer/handling/fate.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

interface Tables {
  effects: { what: string }
}

let db: Kysely<Tables>

beforeAll(async () => {
  db = new Kysely<Tables>({ dialect: wasmSqliteDialect(join(temporaryFolder('sql'), 'test.db')) })
  for (let times = 0; times < 2; times += 1) await createPositionsTable(db)
  await sql`pragma synchronous = off`.execute(db)
  await sql`create table effects (what text)`.execute(db)
})

afterAll(() => db.destroy())

beforeEach(async () => {
  for (const table of ['effects', 'tidemark_positions']) await sql`delete from ${sql.table(table)}`.execute(db)
})

const effects = async () => (await db.selectFrom('effects').select('what').execute()).map(({ what }) => what)
const write = (what: string) => async (trx: Kysely<Tables>) => {
  await trx.insertInto('effects').values({ what }).execute()
  return what
}
const of = { topic: 'orders', partition: 0 }
const call = { signal: new AbortController().signal }
const coming = (committed: number | null = null, topicId: string | null = null) => [{ ...of, committed, topicId }]
const taker = async (committed: number | null = null, options = {}) => {
  const positions = sqlPositions(db, { group: 'g', ...options })
  await positions.take(coming(committed))
  return positions
}

describe('positions', () => {
  it('move in the transaction of the effects, or neither is there', async () => {
    const positions = await taker()
    expect(await positions.transaction(call, of, 5, write('a'))).toBe('a')
    const failing = positions.transaction(call, of, 9, async (trx) => {
      await write('b')(trx)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await effects()).toEqual(['a'])
    expect(await positions.take(coming())).toEqual([{ ...of, position: 5, reached: null }])
  })

  it('never go back, and stay where nothing is to move', async () => {
    const positions = await taker()
    await positions.transaction(call, of, null, write('a'))
    expect(await positions.take(coming())).toMatchObject([{ position: null }])
    for (const next of [10, 5, null]) await positions.transaction(call, of, next, write('a'))
    expect(await positions.take(coming())).toMatchObject([{ position: 10 }])
  })

  it('say where partitions start, in their order; one without a position starts where its group stands', async () => {
    const positions = await taker()
    await positions.transaction(call, of, 7, write('a'))
    const others = [{ topic: 'orders', partition: 2, committed: 3 }, ...coming(9)]
    expect(await positions.onAssigned(others)).toEqual([{ ...of, offset: 7 }])
    expect(await positions.take(others)).toMatchObject([{ partition: 2 }, { partition: 0, position: 7 }])
  })

  it('are of a group, and of a topic by every byte', async () => {
    const positions = await taker()
    await positions.transaction(call, of, 7, write('a'))
    expect(await sqlPositions(db, { group: 'G' }).onAssigned(coming())).toEqual([])
    expect(await positions.onAssigned([{ ...of, topic: 'Orders', committed: null }])).toEqual([])
  })

  it('refuse whoever had the partition before, and roll its work back', async () => {
    const zombie = await taker()
    await zombie.transaction(call, of, 1, write('1'))
    const owner = await taker()
    await owner.transaction(call, of, 2, write('2'))
    await expect(zombie.transaction(call, of, 3, write('3'))).rejects.toThrow(FencedWriter)
    await expect(zombie.transaction(call, of, null, write('3'))).rejects.toMatchObject({ code: 'fenced-writer', ...of })
    await zombie.take(coming())
    await zombie.transaction(call, of, 4, write('4'))
    await expect(owner.transaction(call, of, 5, write('5'))).rejects.toThrow('another process took the partition')
    expect(await effects()).toEqual(['1', '2', '4'])
  })

  it('refuse whoever did not take the partition', async () => {
    await expect(sqlPositions(db, { group: 'g' }).transaction(call, of, 1, write('a'))).rejects.toThrow(FencedWriter)
    expect(await effects()).toEqual([])
  })

  it('are ours also when a partition is taken once more before the first call was answered', async () => {
    const positions = sqlPositions(db, { group: 'g' })
    const all = [0, 1, 2].map((partition) => ({ topic: 'orders', partition, committed: null }))
    await Promise.all([positions.take(all), positions.take(all.slice(0, 1))])
    for (const one of all) await positions.transaction(call, one, 1, write('a'))
  })

  it('are not taken by a call that no longer counts when it comes to the commit', async () => {
    const owner = await taker()
    const late = sqlPositions(db, { group: 'g' })
    const over = new AbortController()
    const slow = late.take(coming(), { signal: over.signal })
    over.abort(new Error('the assignment is over'))
    await expect(slow).rejects.toThrow('the assignment is over')
    await owner.transaction(call, of, 1, write('a'))
  })

  it('roll back a handler whose partition was taken away, though its process has it again', async () => {
    const positions = await taker()
    const lost = new AbortController()
    const slow = positions.transaction(lost, of, 5, async (trx) => {
      await write('a')(trx)
      lost.abort(new Error('the partition was taken away'))
    })
    await expect(slow).rejects.toThrow('taken away')
    await positions.take(coming())
    await expect(positions.transaction(lost, of, 5, write('a'))).rejects.toThrow('taken away')
    expect(await effects()).toEqual([])
    expect(await positions.take(coming())).toMatchObject([{ position: null }])
  })

  it('remember how far the group had committed whenever the partition was taken, until it comes without a commit', async () => {
    const positions = await taker(8)
    for (const [committed, reached] of [
      [3, 8],
      [9, 9],
      [null, null],
      [2, 2],
    ] as const)
      expect(await positions.take(coming(committed))).toEqual([{ ...of, position: null, reached }])
  })

  it('begin at the beginning of a topic that was made anew, and are kept where nobody tells its id', async () => {
    const positions = await taker(8)
    await positions.transaction(call, of, 7, write('a'))
    const take = async (...given: readonly [committed: number | null, topicId: string | null]) => {
      const [{ position, reached } = {}] = await positions.take(coming(...given))
      return { position, reached }
    }
    expect(await take(8, 'one')).toEqual({ position: 7, reached: 8 })
    expect(await take(8, null)).toEqual({ position: 7, reached: 8 })
    expect(await take(2, 'two')).toEqual({ position: 0, reached: 2 })
    await positions.transaction(call, of, 3, write('b'))
    expect(await take(1, 'two')).toEqual({ position: 3, reached: 2 })
    expect(await positions.onAssigned(coming(null, 'three'))).toEqual([{ ...of, offset: 0 }])
    expect(await take(null, 'three')).toEqual({ position: 0, reached: null })
  })

  it('of a topic that was made anew are not the business of its other partitions, nor of a call that came to nothing', async () => {
    const positions = sqlPositions(db, { group: 'g' })
    const both = (topicId: string) => [0, 1].map((partition) => ({ ...of, partition, committed: null, topicId }))
    await positions.take(both('one'))
    for (const one of both('one')) await positions.transaction(call, one, 5, write('a'))
    const over = AbortSignal.abort(new Error('over'))
    await expect(positions.take(both('two'), { signal: over })).rejects.toThrow('over')
    await positions.take(both('two').slice(1))
    expect(await positions.take(both('two'))).toMatchObject([{ position: 0 }, { position: 0 }])
    expect(await positions.take(both('two').slice(0, 1))).toMatchObject([{ position: 0 }])
  })

  it('forget a topic, so that it is read from where its group stands, and refuse who took it before', async () => {
    const positions = await taker(8)
    await positions.transaction(call, of, 7, write('a'))
    const other = { topic: 'lines', partition: 0, committed: null }
    await positions.take([other])
    await positions.transaction(call, other, 3, write('b'))
    await positions.take(coming(null, 'one'))
    await positions.forget('orders')
    await expect(positions.transaction(call, of, 8, write('c'))).rejects.toThrow(FencedWriter)
    expect(await positions.take([...coming(null, 'two'), other])).toMatchObject([
      { position: null, reached: null },
      { position: 3 },
    ])
  })

  it('say Unavailable when their table or their database is not there', async () => {
    const other = new Kysely<Tables>({ dialect: wasmSqliteDialect(join(temporaryFolder('sql'), 'other.db')) })
    await createPositionsTable(other)
    const positions = sqlPositions(other, { group: 'g' })
    await positions.take(coming())
    await sql`drop table tidemark_positions`.execute(other)
    await expect(positions.transaction(call, of, 1, write('a'))).rejects.toBeInstanceOf(Unavailable)
    await other.destroy()
    await expect(positions.transaction(call, of, 1, write('a'))).rejects.toBeInstanceOf(Unavailable)
    await expect(positions.take(coming())).rejects.toThrow('destroyed')
  })

  it('have tables of other names, and plugins of the user change nothing', async () => {
    await createPositionsTable(db, { prefix: 'other_' })
    const positions = sqlPositions(db.withPlugin(new CamelCasePlugin()), { group: 'g', prefix: 'other_' })
    await positions.take(coming(4))
    await positions.transaction(call, of, 5, (trx) => write('a')(trx))
    expect(await positions.take(coming(4))).toEqual([{ ...of, position: 5, reached: 4 }])
    expect(await (await taker()).take(coming())).toMatchObject([{ position: null }])
  })

  it('refuse calls that cannot be meant', async () => {
    const positions = await taker()
    const loose = (...given: readonly unknown[]) =>
      (positions.transaction as (...given: readonly unknown[]) => Promise<unknown>).call(positions, ...given)
    await expect(loose(of, 1, write('a'))).rejects.toThrow('call: is an object; give the context of the handler')
    await expect(loose(call, 'orders', 1, write('a'))).rejects.toThrow('of: is a string; give a message, or')
    await expect(loose(call, of, '1', write('a'))).rejects.toThrow('next: is a string; give the offset of')
    await expect(loose(call, of, -1, write('a'))).rejects.toThrow('next: is -1')
    await expect(loose(call, of, 1)).rejects.toThrow('work: is missing; give a function')
  })
})

describe('a consumer with positions', () => {
  const topic = defineTopic({ name: 'orders', value: string(), partitions: 1 })
  const storing = (messaging: Messaging, options: Pick<ConsumerSettingsOptions, 'onOutOfRange'> = {}) => {
    const positions = sqlPositions(db, { group: 'g' })
    return messaging.consumer({
      group: 'g',
      topics: [topic],
      metadataMaxAgeMs: 500,
      ...options,
      onAssigned: positions.onAssigned,
      handleBatch: async (batch, context) => {
        const last = batch.at(-1)
        if (!last) return
        await positions.transaction(context, last, last.offset + 1, async (trx) => {
          for (const { value } of batch) await write(value)(trx)
        })
      },
    })
  }

  it('has each record once, also when the commit to Kafka was lost, and goes on when it is given the partition back', async () => {
    const driver = memory()
    const life = async (isCommitLost: boolean) => {
      const messaging = createMessaging({ driver, durability: 'off', logger: 'silent' })
      await messaging.ensureTopics([topic])
      const consumer = storing(messaging)
      for (let n = 0; n < 20; n += 1) await messaging.producer().send(topic, `${sent++}`)
      await consumer.start()
      await consumer.caughtUp({ timeoutMs: 10_000 })
      await messaging.close()
      if (isCommitLost) {
        const admin = createMessaging({ driver, logger: 'silent' })
        await admin.admin.setOffsets('g', [{ topic: 'orders', partition: 0, offset: 0 }])
        await admin.close()
      }
    }
    let sent = 0
    await life(true)
    await life(true)
    await life(false)
    expect(await effects()).toEqual(Array.from({ length: 60 }, (_, n) => `${n}`))
  })

  it.each([
    ['away', 'earliest'],
    ['away', 'stop'],
    ['running', 'earliest'],
  ] as const)('has each record once when its topic is made anew with a longer log: %s, %s', async (when, policy) => {
    const cluster = createMemoryCluster()
    const start = async () => {
      const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
      await storing(messaging, { onOutOfRange: policy }).start()
      return messaging
    }
    const all: string[] = []
    const send = async (prefix: string, count: number) => {
      const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
      for (let n = 0; n < count; n += 1) await messaging.producer().send(topic, `${prefix}-${n}`)
      await messaging.close()
      for (let n = 0; n < count; n += 1) all.push(`${prefix}-${n}`)
    }
    const storesAll = () => expect.poll(effects, { timeout: 10_000 }).toEqual(all)
    cluster.createTopic('orders', { partitions: 1 })
    await send('old', 12)
    let messaging = await start()
    await storesAll()
    if (when === 'away') await messaging.close()
    cluster.deleteTopic('orders')
    cluster.createTopic('orders', { partitions: 1 })
    await send('new', 35)
    if (when === 'away') messaging = await start()
    await storesAll()
    await messaging.close()
    await send('more', 5)
    messaging = await start()
    await storesAll()
    await messaging.close()
  })

  it('whose partition another process took waits, spends no attempt and writes no dead letter', async () => {
    const driver = memory()
    const kinds: string[] = []
    const onEvent = ({ kind }: { readonly kind: string }) => void kinds.push(kind)
    const messaging = createMessaging({ driver, durability: 'off', logger: 'silent', onEvent })
    const letters = defineTopic({ name: 'letters', value: string(), partitions: 1 })
    await messaging.ensureTopics([topic, letters])
    const positions = sqlPositions(db, { group: 'g' })
    const attempts: number[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [topic],
      deadLetter: 'letters',
      retry: { retries: 0 },
      onAssigned: positions.onAssigned,
      handle: async (message, context) => {
        attempts.push(context.attempt)
        await positions.transaction(context, message, message.offset + 1, write(message.value))
      },
    })
    await consumer.start()
    await taker()
    await messaging.producer().send(topic, 'a')
    await expect.poll(() => kinds).toContain('outage-began')
    expect(await effects()).toEqual([])
    await positions.take(coming())
    await consumer.caughtUp({ timeoutMs: 30_000 })
    expect(await effects()).toEqual(['a'])
    expect(new Set(attempts)).toEqual(new Set([1]))
    expect(kinds).not.toContain('dead-lettered')
    await messaging.close()
  })
})
