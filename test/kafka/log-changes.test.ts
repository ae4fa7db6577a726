import { join } from 'node:path'
import { logLevel } from 'kafkajs'
import { Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { wasmSqliteDialect } from '../../examples/alarm/store/wasm-sqlite-dialect.js'
import {
  createMessaging,
  defineTopic,
  string,
  type Consumer,
  type ConsumerSettingsOptions,
  type Messaging,
  type TidemarkError,
} from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { createPositionsTable, sqlPositions } from '../../src/sql.js'
import { copyCommits } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { delay, until } from '../support/waiting.js'

function messagingOver(brokers: readonly string[]): Messaging {
  return createMessaging({
    driver: kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING }),
    durability: 'off',
  })
}

/** A consumer of group and topic `name` that keeps what it handled and why it stopped. */
async function consuming(
  cluster: KafkaCluster,
  name: string,
  options: Pick<ConsumerSettingsOptions, 'onOutOfRange'> = { onOutOfRange: 'earliest' },
) {
  const handled: string[] = []
  const stopped: TidemarkError[] = []
  const messaging = messagingOver(cluster.brokers)
  const consumer: Consumer = messaging.consumer({
    group: name,
    topics: [defineTopic({ name, value: string() })],
    commit: 'each',
    sessionTimeoutMs: 6_000,
    metadataMaxAgeMs: 2_000,
    ...options,
    onPartitionStopped: (_, error) => void stopped.push(error),
    handle: ({ value }) => void handled.push(value),
  })
  await consumer.start()
  return { handled, stopped, consumer, close: () => messaging.close() }
}

async function write(cluster: KafkaCluster, name: string, prefix: string, count: number): Promise<void> {
  const messaging = messagingOver(cluster.brokers)
  const producer = messaging.producer()
  const topic = defineTopic({ name, value: string() })
  for (let index = 0; index < count; index += 1) await producer.send(topic, `${prefix}-${index}`)
  await messaging.close()
}

async function committedOffset(cluster: KafkaCluster, group: string): Promise<number | null | undefined> {
  const messaging = messagingOver(cluster.brokers)
  try {
    return (await messaging.admin.committedOffsets(group))[0]?.offset
  } finally {
    await messaging.close()
  }
}

const numbered = (prefix: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `${prefix}-${from + index}`)

describe('a topic that is deleted and made anew', () => {
  let cluster: KafkaCluster

  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(async () => {
    await cluster?.stop()
  })

  const makeAnew = async (name: string) => {
    await cluster.deleteTopic(name)
    await cluster.createTopic(name)
    await write(cluster, name, 'new', 30)
  }
  const readOld = async (name: string, options?: Pick<ConsumerSettingsOptions, 'onOutOfRange'>) => {
    await cluster.createTopic(name)
    await write(cluster, name, 'old', 20)
    const reader = await consuming(cluster, name, options)
    await until('the old records', () => reader.handled.length === 20)
    await until('their commit', async () => (await committedOffset(cluster, name)) === 20)
    return reader
  }

  it('under a running consumer is read from its beginning', async () => {
    const reader = await readOld('running')
    await makeAnew('running')
    await until('the new records', () => reader.handled.length >= 50)
    expect(reader.handled.slice(20)).toEqual(numbered('new', 30))
    await until('the commit in the new log', async () => (await committedOffset(cluster, 'running')) === 30)
    await reader.close()
  })

  it('under a paused consumer is read from its beginning when it goes on', async () => {
    const reader = await readOld('paused')
    reader.consumer.pause([{ topic: 'paused', partition: 0 }])
    await makeAnew('paused')
    await delay(3_000)
    reader.consumer.resume([{ topic: 'paused', partition: 0 }])
    await until('the new records', () => reader.handled.length >= 50)
    expect(reader.handled.slice(20)).toEqual(numbered('new', 30))
    await reader.close()
  })

  it('while its consumer is stopped is read from its beginning', async () => {
    const former = await readOld('stopped')
    await former.close()
    await makeAnew('stopped')
    const reader = await consuming(cluster, 'stopped')
    await until('the new records', () => reader.handled.length >= 30)
    expect(reader.handled).toEqual(numbered('new', 30))
    await reader.close()
  })

  it('while its consumer with positions in a database is away, and longer by then, is stored from its beginning, each record once', async () => {
    const name = 'positions'
    const db = new Kysely<{ stored: { what: string } }>({
      dialect: wasmSqliteDialect(join(temporaryFolder('positions'), 'test.db')),
    })
    onTestFinished(() => db.destroy())
    await createPositionsTable(db)
    await sql`create table stored (what text)`.execute(db)
    const storesAll = async (expected: readonly string[]) => {
      const messaging = messagingOver(cluster.brokers)
      const positions = sqlPositions(db, { group: name })
      const consumer = messaging.consumer({
        group: name,
        topics: [defineTopic({ name, value: string() })],
        onAssigned: positions.onAssigned,
        handle: (message, context) =>
          positions.transaction(context, message, message.offset + 1, async (trx) => {
            await trx.insertInto('stored').values({ what: message.value }).execute()
          }),
      })
      await consumer.start()
      await consumer.caughtUp({ timeoutMs: 30_000 })
      await messaging.close()
      const stored = await db.selectFrom('stored').select('what').execute()
      expect(stored.map(({ what }) => what)).toEqual(expected)
    }
    await cluster.createTopic(name)
    await write(cluster, name, 'old', 20)
    const old = numbered('old', 20)
    await storesAll(old)
    await makeAnew(name)
    for (let lives = 0; lives < 2; lives += 1) await storesAll([...old, ...numbered('new', 30)])
    await write(cluster, name, 'more', 3)
    await storesAll([...old, ...numbered('new', 30), ...numbered('more', 3)])
  })

  it('under onOutOfRange stop stops its partition, and nothing of the new log is passed over', async () => {
    const reader = await readOld('stop', { onOutOfRange: 'stop' })
    await makeAnew('stop')
    await until('the stop', () => reader.stopped.length === 1)
    expect(reader.stopped[0]).toMatchObject({ code: 'topic-recreated', topic: 'stop', partition: 0, offset: 20 })
    expect(reader.handled).toHaveLength(20)
    await reader.consumer.seek('stop', 0, 0)
    await until('the new records', () => reader.handled.length >= 50)
    expect(reader.handled.slice(20)).toEqual(numbered('new', 30))
    await reader.close()
  })
})

describe('an unclean leader election', () => {
  let cluster: KafkaCluster
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3 })
  })
  afterAll(async () => {
    await cluster?.stop()
  })

  /** The follower of a topic with two replicas lags behind by 15 of 20 records, leads, and gets 30 others. */
  const elect = async (name: string, whenAllIsRead: () => Promise<void>) => {
    await cluster.createTopic(name, {
      replicationFactor: 2,
      configs: { 'unclean.leader.election.enable': 'true', 'min.insync.replicas': 1 },
    })
    await write(cluster, name, 'old', 5)
    const leader = await cluster.leaderOf(name, 0)
    const replicas = (await cluster.state([name])).topics.get(name)!.partitions[0]!.replicas
    const follower = replicas.find((id) => id !== leader)!
    await cluster.node(follower).kill()
    await write(cluster, name, 'lost', 15)
    await whenAllIsRead()
    // The next test needs all of them, also when this one fails.
    onTestFinished(async () => {
      cluster.node(leader).start()
      await cluster.node(leader).ready(3)
    })
    await cluster.node(leader).kill()
    cluster.node(follower).start()
    await cluster.node(follower).ready(2)
    await until('the follower to lead', async () => (await cluster.leaderOf(name, 0)) === follower, {
      timeoutMs: 60_000,
    })
    await write(cluster, name, 'new', 30)
  }

  it('passes no record over that stands at offsets which were read before', async () => {
    let reader!: Awaited<ReturnType<typeof consuming>>
    await elect('unclean', async () => {
      reader = await consuming(cluster, 'unclean')
      await until('the old records', () => reader.handled.length === 20)
      // The broker that dies may be the coordinator too: what was not committed by then would rightly be read again.
      await until('their commit', async () => (await committedOffset(cluster, 'unclean')) === 20)
    })
    await until('the new records', () => reader.handled.length >= 50, { timeoutMs: 60_000 })
    expect(reader.handled.slice(20)).toEqual(numbered('new', 30))
    await reader.close()
  })

  it('that happened while the consumer was stopped is seen from the commit, and stops the partition when asked to', async () => {
    await elect('unclean-stopped', async () => {
      const former = await consuming(cluster, 'unclean-stopped')
      await until('the old records', () => former.handled.length === 20)
      await former.close()
    })
    const reader = await consuming(cluster, 'unclean-stopped', { onOutOfRange: 'stop' })
    await until('the stop', () => reader.stopped.length === 1, { timeoutMs: 60_000 })
    expect(reader.stopped[0]).toMatchObject({ code: 'offset-out-of-range', offset: 20 })
    expect(reader.stopped[0]!.message).toMatch(/cut at offset 5/)
    expect(reader.handled).toEqual([])
    await reader.close()
  })
})

describe('a commit that a tool copied to another cluster with its metadata', () => {
  const name = 'copied'
  const committed = 3
  let origin: KafkaCluster
  let mirror: KafkaCluster
  beforeAll(async () => {
    const clusters = ['b25lX2NsdXN0ZXJfX19fXw', 'b3RoZXJfY2x1c3Rlcl9fXw'].map((clusterId) =>
      startCluster({ clusterId }),
    )
    ;[origin, mirror] = (await Promise.all(clusters)) as [KafkaCluster, KafkaCluster]
  })
  afterAll(async () => {
    await Promise.all([origin?.stop(), mirror?.stop()])
  })

  /** A member that settles its records in any order, all but those that are never done. */
  const settling = async (cluster: KafkaCluster, neverDone: readonly string[] = []) => {
    const handled: string[] = []
    const messaging = messagingOver(cluster.brokers)
    const consumer = messaging.consumer({
      group: name,
      topics: [defineTopic({ name, value: string() })],
      order: 'none',
      concurrency: 32,
      commit: 'each',
      handle: async ({ value }) => {
        if (neverDone.includes(value)) await new Promise(() => undefined)
        handled.push(value)
      },
    })
    await consumer.start()
    return { handled, close: () => messaging.close({ timeoutMs: 1_000 }) }
  }

  it('holds with its offset, and its completed ranges leave out no record there', async () => {
    for (const [cluster, prefix] of [
      [origin, 'here'],
      [mirror, 'there'],
    ] as const) {
      await cluster.createTopic(name)
      await write(cluster, name, prefix, 20)
    }
    const former = await settling(origin, [`here-${committed}`])
    await until('all but one', () => former.handled.length === 19)
    await former.close()
    const commits = await copyCommits(origin, mirror, name)
    expect(commits).toMatchObject([{ topic: name, partition: 0, offset: committed }])

    const there = await settling(mirror)
    await until('the records after the commit', () => there.handled.length >= 20 - committed)
    expect([...there.handled].sort(byNumber)).toEqual(numbered('there', 20 - committed, committed))
    await there.close()

    // Where it was made, the same commit leaves out what was done.
    const again = await settling(origin)
    await until('the one that was not done', () => again.handled.length >= 1)
    await write(origin, name, 'more', 1)
    await until('the next', () => again.handled.length >= 2)
    expect(again.handled).toEqual([`here-${committed}`, 'more-0'])
    await again.close()
  })

  const byNumber = (one: string, other: string) => Number(one.split('-')[1]) - Number(other.split('-')[1])
})
