import kafkajsModule, { logLevel, type Consumer as KafkajsConsumer, type ConsumerCrashEvent } from 'kafkajs'
import { bytes, createMessaging, defineTopic, string, type Messaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { delay, until } from '../support/waiting.js'

/**
 * What kafkajs does without a fault of the network, and what tidemark does in its place: docs/kafkajs-hazards.md tells of each
 * by its number.
 */
const brokers = [...inject('kafkaBrokers')]
const other = new kafkajsModule.Kafka({ brokers, clientId: 'hazards', logLevel: logLevel.NOTHING })
/** Long enough for a member that reads on to have read. */
const quietMs = 3_000
const limit = { timeout: 60_000 }
const ends: (() => Promise<unknown>)[] = []
let cases = 0

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

function ours(profile: 'ap' | 'cp' = 'cp'): Messaging {
  const driver = kafkajs({ brokers, logLevel: logLevel.NOTHING })
  const messaging = createMessaging({ driver, profile, clientId: 'hazards', durability: 'off', logger: 'silent' })
  ends.push(() => messaging.close())
  return messaging
}

/** A topic of one partition with records `0`, `1`, …, and names of groups that nobody used. */
async function stored(records: number, messaging = ours()) {
  const name = `hazard-${process.pid}-${(cases += 1)}`
  const topic = defineTopic({ name, value: string(), partitions: 1, replicationFactor: 1 })
  await messaging.ensureTopics([topic])
  const store = (values: readonly string[]) => messaging.producer().sendMany(topic, values)
  await store(Array.from({ length: records }, (_, index) => String(index)))
  const committed = async (group: string) => {
    const [commit] = await messaging.admin.committedOffsets(group, [{ topic: name, partition: 0 }])
    return commit?.offset ?? null
  }
  return { messaging, name, topic, store, committed, theirGroup: `${name}-kafkajs`, ourGroup: `${name}-tidemark` }
}

interface Reading {
  readonly fromBeginning?: boolean
  readonly autoCommit?: boolean
  readonly crashes?: ConsumerCrashEvent['payload'][]
  readonly each?: (value: string, consumer: KafkajsConsumer) => Promise<void> | void
}

/** A member of kafkajs with one handler; resolves when it has joined. */
async function theirMember(group: string, topic: string, reading: Reading = {}) {
  const { fromBeginning = true, autoCommit = true, crashes = [], each = () => undefined } = reading
  const consumer = other.consumer({ groupId: group, maxWaitTimeInMs: 100, retry: { initialRetryTime: 20, retries: 5 } })
  ends.push(() => consumer.disconnect())
  const seen: string[] = []
  const joined = new Promise<void>((resolve) => consumer.on('consumer.group_join', () => resolve()))
  consumer.on('consumer.crash', ({ payload }) => void crashes.push(payload))
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning })
  await consumer.run({
    autoCommit,
    eachMessage: async ({ message }) => {
      const value = String(message.value)
      await each(value, consumer)
      seen.push(value)
    },
  })
  await joined
  return { consumer, seen }
}

/** A member of tidemark that begins at the end where nothing is committed, and notes what it handles. */
async function ourMember(
  { messaging, topic, ourGroup }: Pick<Awaited<ReturnType<typeof stored>>, 'messaging' | 'topic' | 'ourGroup'>,
  handled: string[],
) {
  const handle = ({ value }: { readonly value: string }) => void handled.push(value)
  const consumer = messaging.consumer({ group: ourGroup, topics: [topic], from: 'latest', handle })
  await consumer.start()
  return consumer
}

describe('what kafkajs does without any fault, and tidemark in its place', () => {
  it('H5: a send to a partition that is not there resolves and stores nothing; here it is refused, not stored', async () => {
    const { name, topic, messaging } = await stored(0)
    const producer = other.producer()
    ends.push(() => producer.disconnect())
    await producer.connect()
    expect(await producer.send({ topic: name, messages: [{ partition: 7, value: 'lost' }] })).toEqual([])

    const refused = messaging.producer().send(topic, 'told', { partition: 7 })
    await expect(refused).rejects.toMatchObject({ outcome: 'not-stored' })
    expect(await messaging.admin.listOffsets([{ topic: name, partition: 0 }], 'latest')).toEqual([0])
  })

  it('H7: a group that is set back to the earliest begins at the end; here it begins at the earliest', async () => {
    const { name, topic, messaging, store, theirGroup, ourGroup } = await stored(3)
    const admin = other.admin()
    ends.push(() => admin.disconnect())
    await admin.connect()
    await admin.resetOffsets({ groupId: theirGroup, topic: name, earliest: true })
    const { seen } = await theirMember(theirGroup, name, { fromBeginning: false })
    await delay(quietMs)
    await store(['3'])
    await until('the new one is read', () => seen.length > 0)
    expect(seen).toEqual(['3'])

    const [offset] = await messaging.admin.listOffsets([{ topic: name, partition: 0 }], 'earliest')
    await messaging.admin.setOffsets(ourGroup, [{ topic: name, partition: 0, offset: offset as number }])
    const handled: string[] = []
    await ourMember({ messaging, topic, ourGroup }, handled)
    await expect.poll(() => handled, limit).toEqual(['0', '1', '2', '3'])
  })

  it('H8: a batch that is left early at a stop is committed whole; here only what is done', async () => {
    const { name, topic, messaging, committed, theirGroup, ourGroup } = await stored(10)
    const consumer = other.consumer({ groupId: theirGroup })
    await consumer.connect()
    await consumer.subscribe({ topic: name, fromBeginning: true })
    let stopped: Promise<void> | null = null
    const theirs: string[] = []
    await consumer.run({
      eachBatch: async ({ batch, isRunning }) => {
        for (const { value } of batch.messages) {
          if (!isRunning()) return
          theirs.push(String(value))
          if (theirs.length === 3) stopped = consumer.stop()
        }
      },
    })
    await until('it is told to stop', () => stopped !== null)
    await stopped
    await consumer.disconnect()
    expect([theirs.length, await committed(theirGroup)]).toEqual([3, 10])

    const handled: string[] = []
    let end: Promise<unknown> | null = null
    const own = messaging.consumer({
      group: ourGroup,
      topics: [topic],
      handle: ({ value }) => {
        handled.push(value)
        if (handled.length === 3) end = own.stop()
      },
    })
    await own.start()
    await until('it is told to stop', () => end !== null)
    await end
    await expect.poll(async () => (await committed(ourGroup)) === handled.length, limit).toBe(true)
    expect(handled).toHaveLength(3)
  })

  it('H9: where records were deleted those that are left are skipped as well; here they are read, or it stops and tells', async () => {
    const { name, topic, messaging, theirGroup, ourGroup } = await stored(10)
    const place = { topic: name, partition: 0 }
    const stoppingGroup = `${ourGroup}-cp`
    for (const group of [theirGroup, ourGroup, stoppingGroup]) {
      await messaging.admin.setOffsets(group, [{ ...place, offset: 2 }])
    }
    await messaging.admin.deleteRecords([{ ...place, before: 5 }])
    const { seen } = await theirMember(theirGroup, name, { fromBeginning: false })
    await delay(quietMs)
    expect(seen).toEqual([])

    const left = ['5', '6', '7', '8', '9']
    const handled: string[] = []
    const inAp = {
      group: ourGroup,
      topics: [topic],
      handle: ({ value }: { value: string }) => void handled.push(value),
    }
    await ours('ap').consumer(inAp).start()
    await expect.poll(() => handled, limit).toEqual(left)

    const read: string[] = []
    const told: string[] = []
    const inCp = messaging.consumer({
      group: stoppingGroup,
      topics: [topic],
      onPartitionStopped: ({ partition }, { code }) => void told.push(`${partition}: ${code}`),
      handle: ({ value }) => void read.push(value),
    })
    await inCp.start()
    await expect.poll(() => told, limit).toEqual(['0: offset-out-of-range'])
    await inCp.seek(name, 0, 5)
    await expect.poll(() => read, limit).toEqual(left)
  })

  it('H10: records that each fail once crash the consumer at the sixth; here each is tried again', async () => {
    const { name, topic, messaging, theirGroup, ourGroup } = await stored(8)
    const failOnce = () => {
      const failed = new Set<string>()
      return (value: string) => {
        if (failed.has(value)) return
        failed.add(value)
        throw new Error('the database was away for a moment')
      }
    }
    const crashes: ConsumerCrashEvent['payload'][] = []
    await theirMember(theirGroup, name, { crashes, each: failOnce() })
    await until('it crashes', () => crashes.length > 0, { timeoutMs: 60_000 })
    expect(crashes[0]?.error.name).toBe('KafkaJSNumberOfRetriesExceeded')

    const handled: string[] = []
    const fails = failOnce()
    const consumer = messaging.consumer({
      group: ourGroup,
      topics: [topic],
      retry: { backoff: { initialMs: 20 } },
      handle: ({ value }) => {
        fails(value)
        handled.push(value)
      },
    })
    await consumer.start()
    await expect.poll(() => handled, limit).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
    expect(consumer.facts().state).toBe('running')
  })

  it('H11: a TypeError of one record ends all reading, and the process lives on; here it is a dead letter', async () => {
    const { name, topic, messaging, theirGroup, ourGroup } = await stored(4)
    const read = (value: string) => {
      if (value === '1') (undefined as unknown as { id: string }).id.trim()
    }
    const crashes: ConsumerCrashEvent['payload'][] = []
    const { seen } = await theirMember(theirGroup, name, { crashes, each: read })
    await until('it crashes', () => crashes.length > 0)
    await delay(quietMs)
    expect([seen, crashes.map(({ restart }) => restart)]).toEqual([['0'], [false]])

    const letters = defineTopic({
      name: `${name}.dlq`,
      value: bytes(),
      deadLettersOf: topic,
      partitions: 1,
      replicationFactor: 1,
    })
    await messaging.ensureTopics([letters])
    const handled: string[] = []
    const consumer = messaging.consumer({
      group: ourGroup,
      topics: [topic],
      deadLetter: letters,
      retry: { backoff: { initialMs: 20 } },
      // Of a topic without a second partition nothing else can show that it is the record, and not what it needs.
      outage: { decideAfterMs: 1_000 },
      handle: ({ value }) => {
        read(value)
        handled.push(value)
      },
    })
    await consumer.start()
    await expect.poll(() => handled, limit).toEqual(['0', '2', '3'])
    expect(await messaging.admin.listOffsets([{ topic: letters.name, partition: 0 }], 'latest')).toEqual([1])
  })

  it('H12: what is written between two members of a group that reads from the end is lost to it; here it is read', async () => {
    const { name, topic, messaging, store, theirGroup, ourGroup } = await stored(1)
    const first = await theirMember(theirGroup, name, { fromBeginning: false })
    await delay(quietMs)
    await first.consumer.disconnect()
    const handled: string[] = []
    const own = await ourMember({ messaging, topic, ourGroup }, handled)
    await expect.poll(() => own.facts().partitions.length, limit).toBe(1)
    await delay(quietMs)
    await own.stop()

    await store(['written while nobody reads'])
    const second = await theirMember(theirGroup, name, { fromBeginning: false })
    await ourMember({ messaging, topic, ourGroup }, handled)
    await expect.poll(() => handled, limit).toEqual(['written while nobody reads'])
    await delay(quietMs)
    expect([first.seen, second.seen]).toEqual([[], []])
  })

  it('H13: a commit by hand while it stops resolves and is not made; here it is on record', async () => {
    const { name, topic, messaging, committed, theirGroup, ourGroup } = await stored(1)
    let theirCommit: Promise<void> | null = null
    let stopped: Promise<void> | null = null
    await theirMember(theirGroup, name, {
      autoCommit: false,
      each: (_, consumer) => {
        stopped = consumer.stop()
        theirCommit = consumer.commitOffsets([{ topic: name, partition: 0, offset: '1' }])
        return theirCommit
      },
    })
    await until('it has committed', () => theirCommit !== null)
    expect(await theirCommit).toBeUndefined()
    await stopped
    expect(await committed(theirGroup)).toBeNull()

    const consumer = messaging.consumer({ group: ourGroup, topics: [topic], loop: true })
    await consumer.start()
    for await (const batch of consumer.batches()) {
      await consumer.stop()
      await batch.commit()
      expect(await committed(ourGroup)).toBe(1)
    }
  })
})
