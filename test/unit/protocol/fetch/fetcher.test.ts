import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { Apis } from '../../../../src/connection/requests/apis.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ScriptedCluster, held, plainBatch } from '../cluster/scripted-cluster.js'
import { ConsumerHarness, consumerDefaults } from '../consume/consumer-harness.js'

const throttle = { throttleTimeMs: 0 }
const t0 = { topic: 't', partition: 0 }
const t1 = { topic: 't', partition: 1 }
let clock: VirtualClock
let cluster: ScriptedCluster

/** Partition 0 on broker 1, partition 1 on broker 2. */
beforeEach(() => {
  clock = virtualClock()
  cluster = new ScriptedCluster(clock)
  cluster.append('t', 0, 3)
  cluster.append('t', 1, 3)
  cluster.log('t', 1).leader = 2
})

type Fetched = Apis['fetch']['answer']['partitions'][number]

const badCrc = { code: 'corrupt-record', reason: 'bad CRC' } as const

const answerOf = (overrides: Partial<Fetched>, partition = 0): Apis['fetch']['answer'] => ({
  ...throttle,
  errorCode: 0,
  partitions: [
    {
      topic: 't',
      partition,
      errorCode: 0,
      highWatermark: 3,
      lastStableOffset: 3,
      logStartOffset: 0,
      abortedTransactions: [],
      batches: [],
      unreadable: null,
      sizeBytes: 0,
      ...overrides,
    },
  ],
})

/** @param prepare before the first records come */
async function reading(
  settings: ConstructorParameters<typeof ConsumerHarness>[2] = {},
  prepare: (harness: ConsumerHarness) => void = () => undefined,
): Promise<ConsumerHarness> {
  const harness = new ConsumerHarness(cluster, clock, { groupId: null, ...settings })
  prepare(harness)
  await harness.start()
  return harness
}

const fetchesOf = (partition: number) =>
  cluster
    .requests('fetch')
    .flatMap(({ partitions }) => partitions)
    .filter((at) => at.partition === partition)

describe('fetching', () => {
  it('asks each broker on its own: one that is silent delays no other', async () => {
    cluster.on('fetch', (_, node) => (node === 2 ? 'silence' : 'usual'))
    const harness = await reading()
    await clock.advance(100)
    cluster.append('t', 0, 2)
    await clock.advance(300)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2, 3, 4])
    expect(harness.offsets('t', 1)).toEqual([])
  })

  it('has one fetch out per broker, on its own lane', async () => {
    let out = 0
    let most = 0
    cluster.on('fetch', async (_, node) => {
      if (node !== 1) return 'usual' as const
      most = Math.max(most, (out += 1))
      await clock.sleep(20)
      out -= 1
      return 'usual' as const
    })
    const harness = await reading()
    for (let round = 0; round < 20; round += 1) {
      harness.consumer.pause(t0)
      harness.consumer.resume(t0)
      await clock.advance(7)
    }
    expect(most).toBe(1)
    const lanes = cluster.sent.filter(({ request }) => request.api === 'fetch').map(({ lane }) => lane)
    expect(new Set(lanes)).toEqual(new Set(['fetch']))
  })

  it('lets a broker wait no longer than its paused partition has been paused, so a short pause stays short', async () => {
    cluster.log('t', 1).leader = 1
    const waits = () => cluster.requests('fetch').map(({ maxWaitMs }) => maxWaitMs)
    const harness = await reading({ fetch: { ...consumerDefaults.fetch, maxWaitMs: 250 } })
    await clock.advance(1_000)
    harness.consumer.pause(t0)
    const before = waits().length
    await clock.advance(10_000)
    // The answer that was under way, then doubling, then as long as ever: no more than a few requests for a long pause.
    const first = waits().findIndex((wait, index) => index >= before && wait < 250)
    const doubling = waits()
      .slice(first)
      .filter((wait) => wait < 250)
    expect(doubling.length).toBeLessThan(12)
    expect(waits().at(-1)).toBe(250)
    harness.consumer.resume(t0)
    await clock.advance(1_000)
    expect(waits().slice(-2)).toEqual([250, 250])
  })

  it('asks first for the partitions that gave nothing last time, so a byte limit starves none', async () => {
    for (const partition of [2, 3]) cluster.append('t', partition, 3)
    cluster.log('t', 1).leader = 1
    // The broker fills its answer with the first partition of the request alone.
    cluster.on('fetch', ({ partitions }) => {
      const first = partitions[0]
      if (first === undefined) return 'usual'
      const batches = [plainBatch(first.fetchOffset, first.fetchOffset)]
      return answerOf({ batches }, first.partition)
    })
    const harness = await reading()
    await clock.advance(41)
    for (const partition of [0, 1, 2, 3]) expect(harness.offsets('t', partition).length).toBeGreaterThanOrEqual(9)
  })

  it('hands over no record of a paused partition, also when the answer was under way, and fetches it again later', async () => {
    cluster.on('fetch', async (_, node) => {
      if (node === 1) await clock.sleep(50)
      return 'usual' as const
    })
    const harness = await reading()
    await clock.advance(20)
    harness.consumer.pause(t0)
    await clock.advance(1_000)
    expect(harness.offsets('t', 0)).toEqual([])
    expect(harness.offsets('t', 1)).toEqual([0, 1, 2])
    harness.consumer.resume(t0)
    await clock.advance(100)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2])
  })

  it('stops after the records during which the listener paused', async () => {
    const harness = await reading({}, (reader) => {
      reader.whenRecords = ({ partition }) => {
        if (partition === 0) reader.consumer.pause(t0)
      }
    })
    await clock.advance(100)
    cluster.append('t', 0, 3)
    await clock.advance(1_000)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2])
    harness.consumer.resume(t0)
    await clock.advance(100)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('drops the answer to an older position when a seek overtakes it', async () => {
    cluster.on('fetch', async (_, node) => {
      if (node === 1) await clock.sleep(50)
      return 'usual' as const
    })
    const harness = await reading()
    await clock.advance(20)
    harness.consumer.seek(t0, 2)
    await clock.advance(200)
    expect(harness.offsets('t', 0)).toEqual([2])
  })

  it('drops the answer that was under way when a seek goes back', async () => {
    const harness = await reading()
    await clock.advance(100)
    cluster.append('t', 0, 2)
    cluster.on('fetch', async (_, node) => {
      if (node === 1) await clock.sleep(50)
      return 'usual' as const
    })
    await clock.runUntil(() => fetchesOf(0).at(-1)?.fetchOffset === 3)
    await clock.advance(200)
    const seen = harness.offsets('t', 0).length
    cluster.append('t', 0, 1)
    await clock.runUntil(() => fetchesOf(0).at(-1)?.fetchOffset === 5)
    harness.consumer.seek(t0, 1)
    await clock.advance(1_000)
    expect(harness.offsets('t', 0).slice(seen)[0]).toBe(1)
  })

  it('follows a seek that the listener makes while it takes records in', async () => {
    let repeats = 0
    const harness = await reading({}, (reader) => {
      reader.whenRecords = ({ partition }) => {
        if (partition === 0 && (repeats += 1) === 1) reader.consumer.seek(t0, 1)
      }
    })
    await clock.advance(200)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2, 1, 2])
  })

  it('tells where it goes on past holes and control batches, with no record at all', async () => {
    const log = cluster.log('t', 0)
    log.batches.push({ ...plainBatch(3, 3), control: 'commit', ...held([]) })
    log.batches.push({ ...plainBatch(4, 9), ...held([]) })
    log.end = 10
    const harness = await reading({ from: { timestamp: 1 } })
    harness.consumer.seek(t0, 3)
    await clock.advance(500)
    const last = harness.fetched.findLast(({ partition }) => partition === 0)
    expect(last).toMatchObject({ nextOffset: 10 })
    expect(last?.batches.flatMap((batch) => batch.decode())).toEqual([])
    expect(fetchesOf(0).at(-1)?.fetchOffset).toBe(10)
  })

  it.each([
    brokerCode.NOT_LEADER_OR_FOLLOWER,
    brokerCode.UNKNOWN_TOPIC_OR_PARTITION,
    brokerCode.FENCED_LEADER_EPOCH,
    brokerCode.UNKNOWN_LEADER_EPOCH,
    brokerCode.KAFKA_STORAGE_ERROR,
    brokerCode.UNKNOWN_SERVER_ERROR,
  ])('looks the leader up again and goes on where it was after code %i', async (errorCode) => {
    const harness = await reading()
    await clock.advance(100)
    cluster.once('fetch', () => answerOf({ errorCode }))
    cluster.log('t', 0).leader = 2
    cluster.append('t', 0, 2)
    await clock.advance(2_000)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2, 3, 4])
    expect(harness.kinds()).toEqual(['assigned'])
  })

  it('waits for a leader while there is none, and reads on as soon as the metadata names one', async () => {
    const harness = await reading()
    await clock.advance(100)
    const log = cluster.log('t', 0)
    log.leader = -1
    cluster.append('t', 0, 1)
    // Longer than the background refresh remembers a complaint, far shorter than the metadata's age limit.
    await clock.advance(45_000)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2])
    log.leader = 2
    await clock.advance(1_500)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2, 3])
  })

  it('goes on after a lost connection without losing or repeating a record', async () => {
    const harness = await reading()
    await clock.advance(100)
    cluster.once('fetch', () => Promise.reject(new RequestError('connection-lost', 'maybe', 'lost')))
    cluster.append('t', 0, 2)
    await clock.advance(2_000)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2, 3, 4])
  })

  it('does not ask a broker that refuses everything more than a few times a second', async () => {
    cluster.on('fetch', () => Promise.reject(new RequestError('cannot-connect', 'never', 'refused')))
    await reading()
    await clock.advance(60_000)
    expect(fetchesOf(0).length).toBeLessThan(130)
  })
})

describe('bytes that cannot be read', () => {
  it('hands on what was good, fetches once more, and stops the partition at the damage', async () => {
    cluster.on('fetch', ({ partitions }, node) => {
      const asked = partitions[0]
      if (node !== 1 || asked === undefined) return 'usual'
      return answerOf({ batches: asked.fetchOffset === 0 ? [plainBatch(0, 1)] : [], unreadable: badCrc })
    })
    const harness = await reading()
    await clock.advance(2_000)
    expect(harness.offsets('t', 0)).toEqual([0, 1])
    expect(harness.offsets('t', 1)).toEqual([0, 1, 2])
    const failures = harness.news.filter(({ kind }) => kind === 'partitionFailed')
    expect(failures).toMatchObject([{ partition: t0, error: { code: 'corrupt-record', offset: 2 } }])
    const asked = fetchesOf(0).length
    await clock.advance(10_000)
    expect(fetchesOf(0).length).toBe(asked)
    expect(harness.held()).toEqual(['t-0', 't-1'])
  })

  it.each([
    ['no-codec', 'unknown compression 6', /t-0 at offset 0 .*unknown compression 6.*newer tidemark.*restart/],
    ['codec-failed', 'the codec for zstd threw', /take it out of CompressionCodecs of kafkajs/],
    ['unknown-format', 'old message format 1', /copy them to another topic/],
  ] as const)(
    'stops the partition with %s where nothing is damaged, and advises no loss',
    async (code, reason, fix) => {
      cluster.on('fetch', (_, node) => (node === 1 ? answerOf({ unreadable: { code, reason } }) : 'usual'))
      const harness = await reading()
      await clock.advance(2_000)
      const failed = harness.news.find(({ kind }) => kind === 'partitionFailed')
      expect(failed).toMatchObject({ error: { code, offset: 0 } })
      const { message } = (failed as unknown as { readonly error: Error }).error
      expect(message).toMatch(fix)
      expect(message).not.toMatch(/loss/)
    },
  )

  it('goes on when the second fetch is good', async () => {
    cluster.once('fetch', () => answerOf({ unreadable: badCrc }))
    const harness = await reading()
    await clock.advance(2_000)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2])
    expect(harness.kinds()).toEqual(['assigned'])
  })

  it('is taken up again by a seek past the damage', async () => {
    cluster.on('fetch', ({ partitions }, node) => {
      return node === 1 && partitions[0]?.fetchOffset === 0 ? answerOf({ unreadable: badCrc }) : 'usual'
    })
    const harness = await reading()
    await clock.advance(1_000)
    expect(harness.kinds()).toContain('partitionFailed')
    harness.consumer.seek(t0, 1)
    await clock.advance(100)
    expect(harness.offsets('t', 0)).toEqual([1, 2])
  })

  it('stops one partition, not the consumer, when reading it stays unauthorised for a session timeout', async () => {
    cluster.on('fetch', (_, node) =>
      node === 1 ? answerOf({ errorCode: brokerCode.TOPIC_AUTHORIZATION_FAILED }) : 'usual',
    )
    const harness = await reading()
    await clock.advance(9_000)
    expect(harness.kinds()).not.toContain('partitionFailed')
    await clock.advance(3_000)
    expect(harness.news.at(-1)).toMatchObject({ kind: 'partitionFailed', partition: t0 })
    expect(harness.offsets('t', 1)).toEqual([0, 1, 2])
  })
})

describe('a position outside the log', () => {
  const deleteUpTo = (start: number) => {
    const log = cluster.log('t', 0)
    log.start = start
    log.batches = log.batches.filter(({ baseOffset }) => baseOffset >= start)
  }

  it('stops the partition and names the lost range', async () => {
    cluster.append('t', 0, 2)
    deleteUpTo(3)
    cluster.committed.set('t-0', { offset: 1, metadata: null })
    const harness = await reading({ groupId: 'g' })
    await clock.advance(2_000)
    const failed = harness.news.find(({ kind }) => kind === 'partitionFailed')
    expect(failed).toMatchObject({ partition: t0, error: { code: 'offset-out-of-range', offset: 1 } })
    expect(failed && 'error' in failed && failed.error.message).toMatch(
      /starts at 3 and ends at 5.*1 to 2 were deleted/,
    )
    expect(harness.offsets('t', 0)).toEqual([])
    expect(cluster.count('offsetCommit')).toBe(0)
  })

  it('jumps forward under earliest, and tells the listener where to', async () => {
    cluster.append('t', 0, 2)
    deleteUpTo(3)
    cluster.committed.set('t-0', { offset: 1, metadata: null })
    const harness = await reading({ groupId: 'g', onOutOfRange: 'earliest' })
    await clock.advance(2_000)
    expect(harness.fetched.find(({ partition }) => partition === 0)).toMatchObject({ batches: [], nextOffset: 3 })
    expect(harness.offsets('t', 0)).toEqual([3, 4])
  })

  it('goes back under a new epoch when the log was cut', async () => {
    cluster.committed.set('t-0', { offset: 9, metadata: 'm' })
    const harness = await reading({ groupId: 'g', onOutOfRange: 'latest' })
    const before = harness.consumer.assignment().find(({ partition }) => partition === 0)
    await clock.advance(2_000)
    expect(harness.kinds()).toEqual(['assigned', 'reset'])
    const after = harness.consumer.assignment().find(({ partition }) => partition === 0)
    expect(after?.position).toBe(3)
    expect(after?.epoch).toBeGreaterThan(before?.epoch ?? Infinity)
    cluster.append('t', 0, 1)
    await clock.advance(500)
    expect(harness.offsets('t', 0)).toEqual([3])
  })

  it('goes on where it was when the log covers the position after all', async () => {
    const harness = await reading()
    await clock.advance(100)
    cluster.once('fetch', () => answerOf({ errorCode: brokerCode.OFFSET_OUT_OF_RANGE }))
    cluster.append('t', 0, 1)
    await clock.advance(1_000)
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2, 3])
    expect(harness.kinds()).toEqual(['assigned'])
  })

  it('leaves the last word to a seek of the reader', async () => {
    cluster.committed.set('t-0', { offset: 9, metadata: null })
    cluster.on('listOffsets', () => 'silence')
    const harness = await reading({ groupId: 'g' })
    await clock.advance(200)
    harness.consumer.seek(t0, 1)
    await clock.advance(20_000)
    expect(harness.offsets('t', 0)).toEqual([1, 2])
    expect(harness.kinds()).not.toContain('partitionFailed')
  })
})

describe('giving partitions up', () => {
  it('drops the answer that was under way', async () => {
    cluster.on('fetch', async () => {
      await clock.sleep(100)
      return 'usual' as const
    })
    const harness = await reading({ groupId: 'g' })
    cluster.once('heartbeat', () => ({ ...throttle, errorCode: brokerCode.UNKNOWN_MEMBER_ID }))
    await clock.runUntil(() => harness.kinds().includes('lost'))
    const seen = harness.fetched.length
    await clock.advance(40)
    expect(harness.fetched.length).toBe(seen)
    harness.consumer.pause(t1)
    await harness.stop()
  })
})
