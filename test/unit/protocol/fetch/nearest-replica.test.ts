import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import type { Connection, Lane, Node } from '../../../../src/connection/connection.js'
import type { AnswerTo, Request } from '../../../../src/connection/requests/apis.js'
import type {
  FetchAnswer,
  FetchedPartition,
  FetchPartition,
  FetchRequest,
} from '../../../../src/connection/requests/fetch.js'
import { fetchedPlaces } from '../../../../src/drivers/memory/broker/fetch.js'
import { createMemoryCluster, type MemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import type { MemoryClusterOptions } from '../../../../src/drivers/memory/memory-options.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'
import { produceBatch, produceRequest, records } from '../../drivers/memory/fixture.js'

interface SentFetch {
  readonly node: number
  readonly at: number
  readonly request: FetchRequest
  /** All that it asks for, also by its session. */
  readonly places: readonly FetchPartition[]
}

let clock: VirtualClock
let cluster: MemoryCluster
let sent: SentFetch[]
let stored: string[]
let lookedUp: number[]
let writer: Connection
/** What becomes of an answer on its way to the reader. */
let answered: (node: number, partition: FetchedPartition) => void | Promise<void>

/** Three brokers in racks a, b and c; broker 0 leads `t-0`, and the reader is in rack b, beside broker 1. */
function setUp(options: MemoryClusterOptions = {}): void {
  clock = virtualClock()
  cluster = createMemoryCluster({
    runtime: { clock, random: seededRandom(1) },
    racks: ['a', 'b', 'c'],
    latencyMs: 1,
    failoverMs: 300,
    ...options,
  })
  cluster.createTopic('t', { partitions: 1 })
  sent = []
  stored = []
  lookedUp = []
  answered = () => undefined
  writer = cluster.connectionFactory().open('writer')
}

beforeEach(() => setUp())

async function ask<R extends Request>(node: Node, request: R): Promise<AnswerTo<R>> {
  return clock.runUntil(writer.request(node, 'main', request, clock.now() + 5_000))
}

async function write(count: number, partition = 0): Promise<void> {
  await ask('bootstrap', { api: 'metadata', topics: ['t'] })
  const values = Array.from({ length: count }, () => `${stored.length}`)
  const { leader } = cluster.partitionFacts('t', partition)
  const batch = produceBatch({ topic: 't', partition, records: records(...values) })
  const answer = await ask(leader, produceRequest([batch], { acks: 1 }))
  expect(answer.partitions[0]!.errorCode).toBe(brokerCode.NONE)
  if (partition === 0) stored.push(...values)
}

async function reading(settings: ConstructorParameters<typeof ConsumerHarness>[2] = {}): Promise<ConsumerHarness> {
  const connection = cluster.connectionFactory().open('reader')
  const noted: Connection = {
    lastSign: (node, lane) => connection.lastSign(node, lane),
    close: () => connection.close(),
    async request<R extends Request>(
      node: Node,
      lane: Lane,
      request: R,
      deadline: number,
      signal?: AbortSignal,
    ): Promise<AnswerTo<R>> {
      if (request.api === 'listOffsets') lookedUp.push(clock.now())
      if (request.api === 'fetch' && lane === 'fetch')
        sent.push({ node: Number(node), at: clock.now(), request, places: fetchedPlaces(request) })
      const answer: AnswerTo<R> = await connection.request(node, lane, request, deadline, signal)
      if (request.api === 'fetch')
        for (const each of (answer as FetchAnswer).partitions) await answered(Number(node), each)
      return answer
    },
  }
  const harness = new ConsumerHarness(noted, clock, {
    groupId: null,
    rackId: 'b',
    isolation: 'read-uncommitted',
    onOutOfRange: 'earliest',
    ...settings,
  })
  await harness.start()
  return harness
}

/** Nothing was lost, doubled or reordered, and nothing was set back. */
function expectAll(harness: ConsumerHarness): void {
  expect(harness.offsets()).toEqual(stored.map((_, offset) => offset))
  expect(harness.kinds().filter((kind) => kind !== 'assigned')).toEqual([])
}

/** Who was asked for `t-0` since `from`, without repeats in a row. */
const askedSince = (from: number, partition = 0) =>
  sent
    .filter(({ at, places }) => at >= from && places.some((each) => each.partition === partition))
    .map(({ node }) => node)
    .filter((node, index, all) => node !== all[index - 1])

describe('fetching from the nearest replica', () => {
  it('asks the follower that the leader names, after one question to the leader', async () => {
    const harness = await reading()
    for (let round = 0; round < 5; round += 1) {
      await write(3)
      await clock.advance(300)
    }
    expectAll(harness)
    expect(askedSince(0)).toEqual([0, 1])
    expect(sent.filter(({ node }) => node === 0)).toHaveLength(1)
  })

  it.each([
    ['without a rack', { rackId: undefined }],
    ['in the rack of the leader', { rackId: 'a' }],
    ['in a rack without brokers', { rackId: 'elsewhere' }],
  ])('asks the leader alone %s', async (_, settings) => {
    const harness = await reading(settings)
    await write(5)
    await clock.advance(1_000)
    expectAll(harness)
    expect(askedSince(0)).toEqual([0])
  })

  it('says at the start that no broker is in its rack, and which racks there are', async () => {
    const told: object[] = []
    const logger = { ...silentLogger, warn: (fields: object) => void told.push(fields) }
    await reading({ logger })
    expect(told).toEqual([])
    await reading({ logger, rackId: 'elsewhere' })
    expect(told).toEqual([{ rackId: 'elsewhere', racks: ['a', 'b', 'c'] }])
  })

  it('asks the leader again when metadata count as fresh no longer', async () => {
    const harness = await reading({ metadataMaxAgeMs: 10_000 })
    await write(1)
    await clock.advance(25_000)
    await write(1)
    await clock.advance(1_000)
    expectAll(harness)
    expect(askedSince(0)).toEqual([0, 1, 0, 1, 0, 1])
  })

  it('goes on at the leader at once when the follower is killed, and at the follower some time after it is back', async () => {
    const harness = await reading()
    await write(4)
    await clock.advance(500)
    const killedAt = clock.now()
    cluster.faults.stopBroker(1)
    await write(4)
    await clock.advance(1_000)
    expectAll(harness)
    expect(askedSince(killedAt + 10)).toEqual([0])
    cluster.faults.startBroker(1)
    await clock.advance(10_000)
    await write(4)
    await clock.advance(500)
    expectAll(harness)
    expect(askedSince(killedAt + 10)).toEqual([0, 1])
  })

  it('goes on at the leader when the follower is silent', async () => {
    const harness = await reading()
    await write(4)
    await clock.advance(500)
    cluster.faults.silence(1)
    await write(4)
    const silentAt = clock.now()
    await clock.advance(6_000)
    expectAll(harness)
    cluster.faults.endSilence(1)
    await clock.advance(12_000)
    await write(4)
    await clock.advance(500)
    expectAll(harness)
    expect(askedSince(silentAt + 100)).toEqual([0, 1])
  })

  it('reads a follower that is behind as far as that has come, and the rest at the leader in time', async () => {
    const harness = await reading({ metadataMaxAgeMs: 10_000 })
    await write(4)
    await clock.advance(500)
    cluster.faults.pauseReplication(1)
    cluster.faults.dropFollower(1)
    await write(4)
    await clock.advance(2_000)
    expect(harness.offsets()).toEqual([0, 1, 2, 3])
    await clock.advance(9_000)
    expectAll(harness)
    cluster.faults.resumeReplication(1)
    const resumedAt = clock.now()
    await write(4)
    await clock.advance(11_000)
    await write(4)
    await clock.advance(500)
    expectAll(harness)
    expect(askedSince(resumedAt)).toContain(1)
  })

  it('tells how far the reader is behind the leader, not behind the follower', async () => {
    const harness = await reading({ metadataMaxAgeMs: 600_000 })
    await write(4)
    await clock.advance(500)
    cluster.faults.pauseReplication(1)
    cluster.faults.dropFollower(1)
    await write(6)
    await clock.advance(30_000)
    expect(harness.offsets()).toEqual([0, 1, 2, 3])
    expect(harness.consumer.endOf({ topic: 't', partition: 0 })).toMatchObject({ offset: 10 })
  })

  it('asks the leader before anything is set back when the follower has no such offset', async () => {
    const harness = await reading({ metadataMaxAgeMs: 10_000 })
    await write(8)
    await clock.advance(500)
    const refusedAt = clock.now()
    cluster.faults.failNext({ api: 'fetch', node: 1 }, brokerCode.OFFSET_OUT_OF_RANGE)
    await clock.advance(500)
    await write(2)
    await clock.advance(500)
    expectAll(harness)
    expect(askedSince(refusedAt).slice(0, 2)).toEqual([1, 0])
  })

  it('goes on where the log begins when the leader, too, has no such offset', async () => {
    const harness = await reading()
    harness.consumer.pause({ topic: 't', partition: 0 })
    await write(8)
    await clock.advance(500)
    cluster.deleteRecordsBefore('t', 0, 5)
    harness.consumer.resume({ topic: 't', partition: 0 })
    await clock.advance(1_000)
    expect(harness.offsets()).toEqual([5, 6, 7])
    expect(askedSince(0).slice(0, 3)).toEqual([0, 1, 0])
  })

  it('has its place looked at by the leader of a new epoch, and is sent to a follower by that', async () => {
    const harness = await reading()
    await write(4)
    await clock.advance(500)
    const movedAt = clock.now()
    cluster.faults.moveLeader('t', 0, 2)
    await write(4)
    await clock.advance(1_000)
    expectAll(harness)
    await clock.advance(10_000)
    await write(4)
    await clock.advance(500)
    expectAll(harness)
    expect(askedSince(movedAt).slice(-2)).toEqual([2, 1])
  })

  it('goes on at the follower when that leads now', async () => {
    const harness = await reading()
    await write(4)
    await clock.advance(500)
    cluster.faults.stopBroker(0)
    await clock.advance(2_000)
    expect(cluster.partitionFacts('t', 0).leader).toBe(1)
    await write(4)
    await clock.advance(1_000)
    expectAll(harness)
  })

  it('takes no word of a place where the reader is no more, of a leader that was asked as well', async () => {
    const harness = await reading({ metadataMaxAgeMs: 1_000 })
    await write(4)
    await clock.advance(200)
    const held = { 1: new AbortController(), 2: new AbortController() }
    answered = async (node, partition) => {
      if (node === 1) await clock.sleep(600_000, held[1].signal).catch(() => undefined)
      if (node !== 2 || held[2].signal.aborted) return
      await clock.sleep(600_000, held[2].signal).catch(() => undefined)
      Object.assign(partition, { errorCode: brokerCode.OFFSET_OUT_OF_RANGE, batches: [] })
    }
    await write(4)
    cluster.faults.moveLeader('t', 0, 2)
    await clock.advance(3_000)
    expect(askedSince(0).slice(-2)).toEqual([1, 2])
    expect(harness.offsets()).toEqual([0, 1, 2, 3])
    held[1].abort()
    await clock.advance(1)
    expectAll(harness)
    const from = clock.now()
    held[2].abort()
    await clock.advance(1_000)
    await write(4)
    await clock.advance(1_000)
    expectAll(harness)
    expect(lookedUp.filter((at) => at >= from && at < from + 1_000)).toEqual([])
  })

  it('leaves bytes that a follower cannot give readably to the leader', async () => {
    const harness = await reading()
    answered = (node, partition) => {
      if (node !== 1 || partition.batches.length === 0) return
      Object.assign(partition, { batches: [], unreadable: { code: 'corrupt-record', reason: 'bad CRC' } })
    }
    await write(4)
    await clock.advance(1_000)
    await write(4)
    await clock.advance(1_000)
    expectAll(harness)
  })

  it('waits before it asks a leader again that insists on a follower that failed', async () => {
    const harness = await reading()
    answered = (node, partition) => {
      if (node === 1) Object.assign(partition, { errorCode: brokerCode.KAFKA_STORAGE_ERROR, batches: [] })
      if (node === 0) Object.assign(partition, { batches: [], preferredReadReplica: 1 })
    }
    await write(4)
    await clock.advance(4_000)
    expect(harness.offsets()).toEqual([])
    expect(sent.length).toBeLessThan(25)
    answered = () => undefined
    await clock.advance(4_000)
    expectAll(harness)
  })

  it('tells of a log that was cut behind a follower, and reads what stands there', async () => {
    const harness = await reading()
    await write(4)
    await clock.advance(500)
    cluster.faults.pauseReplication(2)
    cluster.faults.dropFollower(2)
    await write(4)
    await clock.advance(500)
    expect(harness.offsets()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(askedSince(0).at(-1)).toBe(1)
    cluster.faults.moveLeader('t', 0, 2)
    cluster.faults.resumeReplication(2)
    await write(3)
    await clock.advance(12_000)
    expect(harness.offsets()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6])
    expect(harness.kinds()).toEqual(['assigned', 'reset'])
  })

  it('sends other partitions to their follower also while one is with its leader alone', async () => {
    setUp()
    cluster.createTopic('u', { partitions: 1 })
    const leaderOfU = cluster.partitionFacts('u', 0).leader
    if (leaderOfU !== 0) cluster.faults.moveLeader('u', 0, 0)
    const harness = await reading({ topics: ['t', 'u'], metadataMaxAgeMs: 10_000 })
    await write(1)
    await clock.advance(500)
    const nodesOf = (topic: string, from: number) =>
      sent.filter(({ at, places }) => at >= from && places.some((each) => each.topic === topic)).map(({ node }) => node)
    expect(new Set(nodesOf('u', clock.now() - 300))).toEqual(new Set([1]))
    // From now on the follower refuses t alone, whenever it has something of it.
    await clock.advance(7_000)
    answered = (node, partition) => {
      if (node === 1 && partition.topic === 't')
        Object.assign(partition, { errorCode: brokerCode.KAFKA_STORAGE_ERROR, batches: [] })
    }
    await write(1)
    await clock.advance(1_000)
    const from = clock.now()
    await clock.advance(3_500)
    await write(2)
    await clock.advance(500)
    expect(harness.offsets()).toEqual(stored.map((_, offset) => offset))
    expect(new Set(nodesOf('t', from))).toEqual(new Set([0]))
    // The time of u at its follower was over meanwhile: one question to the leader, and back.
    const ofU = nodesOf('u', from)
    expect([ofU.filter((node) => node === 0).length, ofU.at(-1)]).toEqual([1, 1])
  })
})
