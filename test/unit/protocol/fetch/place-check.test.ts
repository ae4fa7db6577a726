import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import type { FetchedBatch } from '../../../../src/connection/requests/fetch.js'
import { encodeCommitMetadata } from '../../../../src/offsets/commit-metadata.js'
import { completedRangesText } from '../../../../src/offsets/completed-ranges.js'
import { leaderEpochsText } from '../../../../src/offsets/leader-epochs.js'
import { identitySection, identityText } from '../../../../src/offsets/log-identity.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ScriptedCluster, plainBatch } from '../cluster/scripted-cluster.js'
import { ConsumerHarness, type consumerDefaults } from '../consume/consumer-harness.js'

const empty = {
  highWatermark: -1,
  lastStableOffset: -1,
  logStartOffset: -1,
  abortedTransactions: [],
  batches: [],
  unreadable: null,
  sizeBytes: 0,
}

let clock: VirtualClock
let cluster: ScriptedCluster
/** Of the leader, as metadata tell it. */
let leaderEpoch: number

beforeEach(() => {
  clock = virtualClock()
  cluster = new ScriptedCluster(clock)
  cluster.log('t', 0)
  leaderEpoch = 1
  cluster.on('fetch', ({ partitions }) => {
    if (partitions.every((at) => at.currentLeaderEpoch === leaderEpoch)) return 'usual'
    const errorCode = brokerCode.FENCED_LEADER_EPOCH
    return { throttleTimeMs: 0, errorCode: 0, partitions: partitions.map((at) => ({ ...at, errorCode, ...empty })) }
  })
  cluster.on('metadata', () => ({
    throttleTimeMs: 0,
    brokers: [{ nodeId: 1, host: 'h', port: 1, rack: null }],
    clusterId: 'scripted',
    controllerId: 1,
    topics: [
      {
        name: 't',
        topicId: null,
        isInternal: false,
        errorCode: 0,
        partitions: [{ partition: 0, leader: 1, leaderEpoch, replicas: [], isr: [], errorCode: 0 }],
      },
    ],
  }))
})

const batch = (first: number, last: number, epoch: number): FetchedBatch => ({
  ...plainBatch(first, last),
  leaderEpoch: epoch,
})

function holds(...batches: FetchedBatch[]): void {
  const log = cluster.log('t', 0)
  log.batches = batches
  log.end = batches.at(-1)!.lastOffset + 1
}

/** Another leads, whose log is this one and who answers so. */
async function elect(answer: { leaderEpoch: number; endOffset: number }, ...batches: FetchedBatch[]): Promise<void> {
  leaderEpoch += 1
  cluster.on('offsetForLeaderEpoch', () => {
    holds(...batches)
    return { throttleTimeMs: 0, partitions: [{ topic: 't', partition: 0, errorCode: 0, ...answer }] }
  })
  await clock.advance(5_000)
}

async function reading(settings: Partial<typeof consumerDefaults>): Promise<ConsumerHarness> {
  const harness = new ConsumerHarness(cluster, clock, { groupId: null, ...settings })
  await harness.start()
  await clock.advance(1_000)
  return harness
}

const between = (first: number, end: number) => Array.from({ length: end - first }, (_, index) => first + index)

describe('a former leader that comes back with records of its own', () => {
  // Read are 0 to 7 of epoch 0 and 8 to 10 of epoch 1, that of a leader which knew nothing of 8 and more of epoch 0.
  const read = [batch(0, 7, 0), batch(8, 10, 1)]

  it.each([
    { how: 'beyond what was read', end: 13 },
    { how: 'up to what was read', end: 11 },
    { how: 'less than was read', end: 9 },
  ])('is read from where the other one began, whatever it has: $how', async ({ end }) => {
    holds(...read)
    const harness = await reading({ onOutOfRange: 'earliest' })
    expect(harness.offsets()).toEqual(between(0, 11))
    await elect({ leaderEpoch: 0, endOffset: end }, batch(0, 7, 0), batch(8, end - 1, 0), batch(end, 15, 2))
    expect(harness.kinds()).toEqual(['assigned', 'reset'])
    expect(harness.offsets()).toEqual([...between(0, 11), ...between(8, 16)])
  })

  it('stops the partition under stop, which names all that was read of the other one', async () => {
    holds(...read)
    const harness = await reading({ onOutOfRange: 'stop' })
    await elect({ leaderEpoch: 0, endOffset: 13 }, batch(0, 7, 0), batch(8, 12, 0), batch(13, 15, 2))
    expect(harness.offsets()).toEqual(between(0, 11))
    const failed = harness.news.find(({ kind }) => kind === 'partitionFailed')
    expect(failed).toMatchObject({ error: { code: 'offset-out-of-range', offset: 11 } })
    expect(String(failed?.kind === 'partitionFailed' && failed.error)).toContain('cut at offset 8')
  })
})

describe('a commit beyond a cut that is known', () => {
  it('is not made, since other records stand there now, until somebody says where reading goes on', async () => {
    holds(batch(0, 7, 0), batch(8, 10, 1))
    const harness = await reading({ groupId: 'g', onOutOfRange: 'stop' })
    const commit = (nextOffset: number) => {
      const epoch = harness.consumer.assignment()[0]?.epoch ?? -1
      const offset = { topic: 't', partition: 0, epoch, nextOffset, metadata: '' }
      return clock.runUntil(harness.consumer.commit([offset], clock.now() + 5_000))
    }
    expect(await commit(9)).toEqual(['committed'])
    await elect({ leaderEpoch: 0, endOffset: 8 }, batch(0, 7, 0), batch(8, 15, 2))
    expect(harness.kinds()).toEqual(['assigned', 'partitionFailed'])
    expect(await commit(11)).toEqual(['no-partition'])
    expect(cluster.committed.get('t-0')?.offset).toBe(9)
    expect(await commit(8)).toEqual(['committed'])
    harness.consumer.seek({ topic: 't', partition: 0 }, 8)
    await clock.advance(1_000)
    expect(await commit(11)).toEqual(['committed'])
  })
})

describe('a compacted log', () => {
  // All of epoch 1, offsets 8 to 10, was compacted away; the next leader copied the rest and never heard of it.
  const read = [batch(0, 7, 0), batch(8, 10, 1)]

  it('is not cut where nothing stands any more of what was read', async () => {
    holds(...read)
    const harness = await reading({ onOutOfRange: 'stop' })
    await elect({ leaderEpoch: 0, endOffset: 12 }, batch(0, 7, 0), batch(12, 13, 2))
    expect(harness.kinds()).toEqual(['assigned'])
    expect(harness.offsets()).toEqual([...between(0, 11), 12, 13])
  })

  it('is asked for again while its leader does not show what stands there', async () => {
    holds(...read)
    const harness = await reading({ onOutOfRange: 'stop' })
    const hidden = { errorCode: 0, ...empty, highWatermark: 8 }
    let isHidden = true
    cluster.on('fetch', ({ partitions }, _, lane) => {
      const isFenced = partitions.some((at) => at.currentLeaderEpoch !== leaderEpoch)
      if (!isFenced && (lane === 'fetch' || !isHidden)) return 'usual'
      const errorCode = isFenced ? brokerCode.FENCED_LEADER_EPOCH : 0
      const told = partitions.map((at) => ({ ...at, ...hidden, errorCode }))
      return { throttleTimeMs: 0, errorCode: 0, partitions: told }
    })
    await elect({ leaderEpoch: 0, endOffset: 13 }, batch(0, 7, 0), batch(8, 12, 0), batch(13, 15, 2))
    expect(harness.kinds()).toEqual(['assigned'])
    expect(harness.offsets()).toEqual(between(0, 11))
    isHidden = false
    await clock.advance(5_000)
    expect(harness.kinds()).toEqual(['assigned', 'partitionFailed'])
  })
})

describe('what a commit names as done', () => {
  const completed = [{ from: 6, to: 11 }]
  // Of epoch 0 up to 7, then of epoch 1, that of a leader which knew nothing of 8 and more of epoch 0.
  const epochs = [
    { from: 6, to: 8, leaderEpoch: 0 },
    { from: 8, to: 11, leaderEpoch: 1 },
  ]
  const metadata = encodeCommitMetadata([
    identitySection(identityText({ clusterId: 'scripted', topicId: '' })),
    leaderEpochsText(2, epochs),
    completedRangesText(2, completed, 'e'),
  ])

  it('beyond it, is lost from where another leader began whose former one came back, though the log is longer now', async () => {
    cluster.committed.set('t-0', { offset: 2, metadata })
    leaderEpoch = 2
    cluster.on('offsetForLeaderEpoch', () => ({
      throttleTimeMs: 0,
      partitions: [{ topic: 't', partition: 0, errorCode: 0, leaderEpoch: 0, endOffset: 13 }],
    }))
    holds(batch(0, 7, 0), batch(8, 12, 0), batch(13, 15, 2))
    const harness = await reading({ groupId: 'g', onOutOfRange: 'earliest' })
    expect(harness.kinds()).toEqual(['assigned', 'reset'])
    expect(harness.last('reset')).toMatchObject([{ position: 2 }, { position: 8 }])
    expect(harness.offsets()).toEqual(between(8, 16))
    // What stands yet can be committed with its leader before it is read again.
    expect(harness.last('reset')[1]?.leaderEpochs(0, 8)).toEqual([{ from: 6, to: 8, leaderEpoch: 0 }])
  })

  it('and what lies below it, is lost from where another leader began whose former one came back', async () => {
    const read = [
      { from: 0, to: 8, leaderEpoch: 0 },
      { from: 8, to: 11, leaderEpoch: 1 },
    ]
    const identity = identitySection(identityText({ clusterId: 'scripted', topicId: '' }))
    cluster.committed.set('t-0', { offset: 11, metadata: encodeCommitMetadata([identity, leaderEpochsText(11, read)]) })
    leaderEpoch = 2
    cluster.on('offsetForLeaderEpoch', () => ({
      throttleTimeMs: 0,
      partitions: [{ topic: 't', partition: 0, errorCode: 0, leaderEpoch: 0, endOffset: 13 }],
    }))
    holds(batch(0, 7, 0), batch(8, 12, 0), batch(13, 15, 2))
    const harness = await reading({ groupId: 'g', onOutOfRange: 'earliest' })
    expect(harness.kinds()).toEqual(['assigned', 'reset'])
    expect(harness.offsets()).toEqual(between(8, 16))
  })

  it('is asked for as long as it lies beyond what was read, and believed when its leader leads', async () => {
    cluster.committed.set('t-0', { offset: 2, metadata })
    holds(batch(0, 4, 0))
    const harness = await reading({ groupId: 'g', onOutOfRange: 'stop' })
    expect(cluster.count('offsetForLeaderEpoch')).toBe(0)
    await elect({ leaderEpoch: 0, endOffset: 7 }, batch(0, 4, 0), batch(5, 6, 0), batch(7, 9, 2))
    expect(harness.offsets()).toEqual([2, 3, 4])
    const failed = harness.news.find(({ kind }) => kind === 'partitionFailed')
    expect(String(failed?.kind === 'partitionFailed' && failed.error)).toMatch(
      /cut at offset 7 after .* up to 10 .*\(5 for/,
    )
  })
})

describe('a leader that wrote nothing', () => {
  it('is no loss when the next one does not know of it', async () => {
    holds(batch(0, 7, 0))
    cluster.on('listOffsets', () => ({
      throttleTimeMs: 0,
      partitions: [{ topic: 't', partition: 0, errorCode: 0, timestamp: -1, offset: 8, leaderEpoch: 1 }],
    }))
    const harness = await reading({ from: 'latest' })
    await elect({ leaderEpoch: 0, endOffset: 8 }, batch(0, 7, 0), batch(8, 9, 2))
    expect(cluster.count('offsetForLeaderEpoch')).toBeGreaterThan(0)
    expect(harness.kinds()).toEqual(['assigned'])
    expect(harness.offsets()).toEqual([8, 9])
  })
})
