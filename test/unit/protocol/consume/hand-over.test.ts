import { beforeEach, describe, expect, it } from 'vitest'
import type { AssignedPartition, ConsumerListener, FetchedRecords } from '../../../../src/driver/consumer.js'
import type { TopicPartition } from '../../../../src/message/topic-partition.js'
import { Cluster } from '../../../../src/protocol/cluster/cluster.js'
import { HandOver } from '../../../../src/protocol/consume/hand-over.js'
import { Fetcher } from '../../../../src/protocol/fetch/fetcher.js'
import { EndOffsets } from '../../../../src/protocol/offsets/end-offsets.js'
import { deferred } from '../../../../src/runtime/deferred.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import type { ClientEvent } from '../../../../src/telemetry/events.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ScriptedCluster } from '../cluster/scripted-cluster.js'
import { consumerDefaults } from './consumer-harness.js'

const places = [0, 1, 2].map((partition) => ({ topic: 't', partition }))
const [t0, t1, t2] = places as [TopicPartition, TopicPartition, TopicPartition]
const never = Infinity

let clock: VirtualClock
let cluster: ScriptedCluster
let news: string[]
/** Events of the client, by kind. */
let told: string[]
let fetched: FetchedRecords[]
let handOver: HandOver
/** What the listener waits for before it gives a partition up, by its number. */
let drains: Map<number, Promise<void>>

const numbers = (partitions: readonly TopicPartition[]) => partitions.map(({ partition }) => partition).join(' ')

const listener: ConsumerListener = {
  assigned: async (partitions) => void news.push(`assigned ${numbers(partitions)}`),
  records: (records) => void fetched.push(records),
  revoked: async (partitions, deadline) => {
    news.push(`revoked ${numbers(partitions)}${deadline === never ? '' : ` by ${deadline - clock.now()}`}`)
    await Promise.all(partitions.map(({ partition }) => drains.get(partition)))
  },
  reset: ({ partition }) => void news.push(`reset ${partition}`),
  lost: (partitions) => void news.push(`lost ${numbers(partitions)}`),
  partitionFailed: () => undefined,
  failed: () => undefined,
}

beforeEach(async () => {
  clock = virtualClock()
  cluster = new ScriptedCluster(clock)
  for (const { partition } of places) cluster.append('t', partition, 3)
  news = []
  told = []
  fetched = []
  drains = new Map()
  const runtime = { clock, random: seededRandom(1) }
  const onEvent = ({ kind }: ClientEvent) => void told.push(kind)
  const settings = { ...consumerDefaults, groupId: null, onEvent }
  const context = { cluster: new Cluster(cluster, runtime, settings), runtime, settings }
  const ends = new EndOffsets(context)
  const fetcher = new Fetcher(context, {
    endSeen: (partition, by) => ends.seen(partition, by),
    endsStand: (leftOut) => ends.stand(leftOut),
    records: (records) => listener.records(records),
    outOfRange: () => undefined,
    partitionFailed: () => undefined,
    refused: () => undefined,
  })
  handOver = new HandOver(context, { listener, fetcher, ends })
  await clock.runUntil(context.cluster.refresh(['t'], clock.now() + 1_000))
})

async function taken(partitions: readonly TopicPartition[]): Promise<readonly AssignedPartition[]> {
  await clock.runUntil(handOver.take(partitions, 'earliest', () => undefined))
  return handOver.all()
}

const held = () => numbers(handOver.all())

describe('partitions that are taken back one by one', () => {
  it('leave the others as they are: read, current and in their tenure', async () => {
    const all = await taken(places)
    await clock.runUntil(handOver.revoke([t1], never))
    expect(news).toEqual(['assigned 0 1 2', 'revoked 1'])
    expect(held()).toBe('0 2')
    const over = (index: number) => handOver.tenureOf(all[index] as AssignedPartition).aborted
    expect([over(0), over(1), over(2)]).toEqual([false, true, false])

    fetched = []
    for (const { partition } of places) cluster.append('t', partition, 2)
    await clock.advance(1_000)
    expect(numbers(fetched).split(' ').sort()).toEqual(['0', '2'])
  })

  it('end their drains apart, each by its own deadline', async () => {
    await taken(places)
    drains.set(0, new Promise(() => undefined)).set(1, new Promise(() => undefined))
    const ended: string[] = []
    void handOver.revoke([t0], clock.now() + 500).then(() => ended.push('first'))
    void handOver.revoke([t1], clock.now() + 2_000).then(() => ended.push('second'))
    await clock.advance(1_000)
    expect(ended).toEqual(['first'])
    expect(held()).toBe('1 2')
    await clock.advance(1_000)
    expect(ended).toEqual(['first', 'second'])
    expect(held()).toBe('2')
  })

  it('are hurried together with those of a later revoke, which are asked for alone', async () => {
    await taken(places)
    drains.set(0, new Promise(() => undefined)).set(1, new Promise(() => undefined))
    void handOver.revoke([t0], clock.now() + 60_000)
    await clock.advance(0)
    const all = handOver.revoke([t0, t1, t2], clock.now() + 500)
    await clock.runUntil(all)
    expect(news).toEqual(['assigned 0 1 2', 'revoked 0 by 60000', 'revoked 0 by 500', 'revoked 1 2 by 500'])
    expect(held()).toBe('')
  })

  it('and lost meanwhile are told so, and the rest of the drain goes on without them', async () => {
    await taken(places)
    const drained = deferred<void>()
    drains.set(0, drained.promise).set(1, drained.promise)
    let ended = false
    void handOver.revoke([t0, t1], never).then(() => (ended = true))
    await clock.advance(0)
    handOver.lose([t0])
    await clock.advance(1_000)
    expect(news.at(-1)).toBe('lost 0')
    expect(ended).toBe(false)
    expect(held()).toBe('1 2')

    await taken([t0])
    drained.resolve()
    await clock.advance(0)
    expect(ended).toBe(true)
    expect(held()).toBe('2 0')
  })

  it('wait for nobody when all of them were lost', async () => {
    await taken(places)
    drains.set(0, new Promise(() => undefined))
    const revoked = handOver.revoke([t0], never)
    await clock.advance(0)
    handOver.lose([t0])
    await clock.runUntil(revoked)
    expect(held()).toBe('1 2')
  })
})

describe('a partition that is taken again without having been given up', () => {
  it('is lost first, and nothing of its former tenure goes on', async () => {
    const [first] = await taken([t0])
    const tenure = handOver.tenureOf(first as AssignedPartition)
    await taken([t0])
    expect(news).toEqual(['assigned 0', 'lost 0', 'assigned 0'])
    expect(tenure.aborted).toBe(true)
    expect(handOver.all().map(({ epoch }) => epoch)).toEqual([(first?.epoch ?? 0) + 1])
  })

  it('is handed over once when it was still looked up', async () => {
    cluster.on('listOffsets', () => 'silence')
    const looking = handOver.take([t0], 'earliest', () => undefined)
    await clock.advance(10)
    cluster.on('listOffsets', () => 'usual')
    await taken([t0])
    await clock.runUntil(looking)
    await clock.advance(30_000)
    expect(news).toEqual(['assigned 0'])
  })
})

describe('a partition that is given up while its position is looked up', () => {
  it('is never handed over; the others of the same search are', async () => {
    cluster.once('listOffsets', ({ partitions }) => ({
      throttleTimeMs: 0,
      partitions: partitions.map((at) => ({ ...at, errorCode: 5, offset: -1, leaderEpoch: -1 })),
    }))
    const taking = handOver.take([t0, t1], 'earliest', () => undefined)
    await clock.advance(0)
    await clock.runUntil(handOver.revoke([t0], never))
    await clock.runUntil(taking)
    expect(news).toEqual(['assigned 1'])
    expect(held()).toBe('1')
  })

  it('ends the search when it was the last', async () => {
    cluster.on('listOffsets', () => 'silence')
    const taking = handOver.take([t0], 'earliest', () => undefined)
    await clock.advance(10)
    handOver.lose([t0])
    await clock.runUntil(taking)
    expect(news).toEqual([])
  })
})

describe('partitions that are given up together while their positions are looked up', () => {
  const starts = () => told.filter((kind) => kind.startsWith('starts-'))

  it.each([
    ['revoked', () => handOver.revoke(places.slice(0, 2), never)],
    ['lost', async () => handOver.lose(places.slice(0, 2))],
  ] as const)('are told once when they are %s, however many they are', async (_, giveUp) => {
    cluster.on('listOffsets', () => 'silence')
    void handOver.take(places, 'earliest', () => undefined)
    await clock.advance(10)
    told = []
    await clock.runUntil(giveUp())
    expect(starts()).toEqual(['starts-unknown'])
    handOver.lose([t2])
    expect(starts()).toEqual(['starts-unknown', 'starts-known'])
  })
})

describe('a partition whose log was cut', () => {
  const cut = { from: 3, to: 1, keptTo: 1, reason: 'log-cut' } as const

  it('is another one from then on, in a tenure of its own', async () => {
    const [first, second] = await taken([t0, t1])
    if (first === undefined || second === undefined) throw new Error('expected two partitions')
    const former = handOver.tenureOf(first)
    handOver.reset(first, cut, -1)
    expect(news).toEqual(['assigned 0 1', 'reset 0'])
    expect(former.aborted).toBe(true)
    expect(handOver.assigned(t0, first.epoch)).toBeUndefined()
    expect(handOver.assigned(t1, second.epoch)).toBe(second)
    expect(handOver.tenureOf(second).aborted).toBe(false)
    const again = handOver.all().find(({ partition }) => partition === 0)
    expect(again?.position).toBe(1)
  })

  it('is not reset while it is on its way back', async () => {
    const [first] = await taken([t0])
    drains.set(0, new Promise(() => undefined))
    void handOver.revoke([t0], clock.now() + 500)
    await clock.advance(0)
    handOver.reset(first as AssignedPartition, cut, -1)
    await clock.advance(1_000)
    expect(news).toEqual(['assigned 0', 'revoked 0 by 500'])
  })
})
