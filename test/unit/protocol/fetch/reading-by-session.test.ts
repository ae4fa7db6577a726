import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Connection, Node } from '../../../../src/connection/connection.js'
import type { AnswerTo, Request } from '../../../../src/connection/requests/apis.js'
import type { FetchAnswer } from '../../../../src/connection/requests/fetch.js'
import { createMemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { tries } from '../../../support/long-profile.js'
import { produceBatch, produceRequest, records } from '../../drivers/memory/fixture.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

const partitions = 6

const setUp = (seed: number) => {
  const clock = virtualClock()
  const cluster = createMemoryCluster({ runtime: { clock, random: seededRandom(seed) }, brokers: 3, latencyMs: [1, 9] })
  cluster.createTopic('t', { partitions })
  const writer = cluster.connectionFactory().open('writer')
  /** Where there is no leader nothing is written. */
  const append = async (partition: number, ...values: readonly string[]) => {
    const { leader } = cluster.partitionFacts('t', partition)
    const request = produceRequest([produceBatch({ topic: 't', partition, records: records(...values) })])
    const ask = async () => {
      await writer.request('bootstrap', 'metadata', { api: 'metadata', topics: ['t'] }, clock.now() + 500)
      await writer.request(leader, 'main', request, clock.now() + 500)
    }
    await clock.runUntil(ask().catch(() => undefined))
  }
  return { clock, cluster, append }
}

/** What the reader's fetches looked like: partitions named, partitions answered for. */
function counting(connection: Connection) {
  const counts = { fetches: 0, named: 0, told: 0, anew: 0, looks: 0 }
  const counted: Connection = {
    lastSign: (node, lane) => connection.lastSign(node, lane),
    close: () => connection.close(),
    async request<R extends Request>(node: Node, lane: never, request: R, deadline: number, signal?: AbortSignal) {
      if (request.api === 'listOffsets') counts.looks += 1
      if (request.api !== 'fetch') return connection.request(node, lane, request, deadline, signal)
      counts.fetches += 1
      counts.named += request.partitions.length
      const answer: AnswerTo<R> = await connection.request(node, lane, request, deadline, signal)
      const { errorCode, partitions: told } = answer as FetchAnswer
      counts.told += told.length
      if (errorCode !== 0) counts.anew += 1
      return answer
    },
  }
  return { counted, counts }
}

type Step =
  | { readonly kind: 'write'; readonly partition: number; readonly count: number }
  | { readonly kind: 'pause' | 'resume'; readonly partition: number }
  | { readonly kind: 'restart'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'move'; readonly partition: number }
  | { readonly kind: 'wait'; readonly ms: number }

const partition = fc.nat(partitions - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), partition, count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const), partition }),
  fc.record({ kind: fc.constant('restart' as const), node: fc.nat(2), forMs: fc.nat(2_000) }),
  fc.record({ kind: fc.constant('move' as const), partition }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 1_500 }) }),
)
const chance = fc.double({ min: 0, max: 0.1, noNaN: true })

async function take({ clock, cluster, append }: ReturnType<typeof setUp>, reader: ConsumerHarness, step: Step) {
  switch (step.kind) {
    case 'write':
      await append(step.partition, ...Array.from({ length: step.count }, () => 'x'))
      return
    case 'pause':
    case 'resume':
      reader.consumer[step.kind]({ topic: 't', partition: step.partition })
      return
    case 'restart':
      cluster.faults.stopBroker(step.node)
      await clock.advance(step.forMs)
      cluster.faults.startBroker(step.node)
      return
    case 'move':
      cluster.faults.moveLeader('t', step.partition)
      return
    case 'wait':
      await clock.advance(step.ms)
  }
}

describe('reading by fetch sessions', () => {
  it('gives every record once and in order, whatever becomes of requests, answers, brokers and leaders', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.record({ loseRequest: chance, loseAnswer: chance, delay: chance, hold: chance }),
        fc.array(step, { minLength: 10, maxLength: 40 }),
        async (seed, chances, steps) => {
          const world = setUp(seed)
          const { clock, cluster } = world
          const reader = new ConsumerHarness(cluster.connectionFactory().open('reader'), clock, {
            ...{ groupId: null, isolation: 'read-uncommitted', requestTimeoutMs: 1_000 },
          })
          await reader.start()
          cluster.faults.random({ ...chances, apis: ['fetch'], maxDelayMs: 300, maxHoldMs: 5_000 })
          for (const each of steps) await take(world, reader, each)
          cluster.faults.random(null)
          for (let index = 0; index < partitions; index += 1) reader.consumer.resume({ topic: 't', partition: index })
          await clock.advance(15_000)
          for (let index = 0; index < partitions; index += 1) {
            const stored = cluster.partitionFacts('t', index).logEndOffset
            expect(reader.offsets('t', index)).toEqual(Array.from({ length: stored }, (_, offset) => offset))
          }
          await reader.stop()
        },
      ),
      { numRuns: tries(15, 200) },
    )
  })

  it('names partitions only when something has changed, and is told of them only when there is news', async () => {
    const { clock, cluster, append } = setUp(1)
    const { counted, counts } = counting(cluster.connectionFactory().open('reader'))
    const reader = new ConsumerHarness(counted, clock, { groupId: null })
    await reader.start()
    await clock.advance(1_000)
    const before = { ...counts }
    await clock.advance(60_000)
    expect(counts.fetches - before.fetches).toBeGreaterThan(500)
    expect([counts.named - before.named, counts.told - before.told]).toEqual([0, 0])
    await append(3, 'a')
    await clock.advance(1_000)
    expect(reader.offsets('t', 3)).toEqual([0])
    expect([counts.named - before.named, counts.told - before.told]).toEqual([1, 1])
  })

  it('is sent nothing of a partition that is paused, and from where it stood once it goes on', async () => {
    const { clock, cluster, append } = setUp(1)
    const { counted, counts } = counting(cluster.connectionFactory().open('reader'))
    const reader = new ConsumerHarness(counted, clock, { groupId: null })
    await reader.start()
    await clock.advance(1_000)
    reader.consumer.pause({ topic: 't', partition: 3 })
    await clock.advance(1_000)
    const before = { ...counts }
    await append(3, 'a')
    await clock.advance(5_000)
    expect([counts.named, counts.told]).toEqual([before.named, before.told])
    reader.consumer.resume({ topic: 't', partition: 3 })
    await clock.advance(1_000)
    expect(reader.offsets('t', 3)).toEqual([0])
  })

  it('knows where a log ends as of now, where nothing is told of it, and asks nobody', async () => {
    const { clock, cluster } = setUp(1)
    const { counted, counts } = counting(cluster.connectionFactory().open('reader'))
    const reader = new ConsumerHarness(counted, clock, { groupId: null })
    await reader.start()
    await clock.advance(1_000)
    const before = { ...counts }
    for (let second = 0; second < 30; second += 1) {
      await clock.advance(1_000)
      for (let index = 0; index < partitions; index += 1) {
        const end = reader.consumer.endOf({ topic: 't', partition: index })
        expect(end?.offset).toBe(0)
        expect(clock.now() - (end?.at ?? 0)).toBeLessThan(600)
      }
    }
    expect([counts.told, counts.looks]).toEqual([before.told, before.looks])
  })

  it('begins anew at once at a broker that was restarted, and loses nothing', async () => {
    const { clock, cluster, append } = setUp(1)
    const { counted, counts } = counting(cluster.connectionFactory().open('reader'))
    const reader = new ConsumerHarness(counted, clock, { groupId: null })
    await reader.start()
    await clock.advance(1_000)
    for (const node of [0, 1, 2]) {
      cluster.faults.stopBroker(node)
      cluster.faults.startBroker(node)
    }
    for (let index = 0; index < partitions; index += 1) await append(index, 'a', 'b')
    await clock.advance(5_000)
    for (let index = 0; index < partitions; index += 1) expect(reader.offsets('t', index)).toEqual([0, 1])
    expect(counts.anew).toBeLessThanOrEqual(3)
  })

  it('reads on in a topic that was made anew', async () => {
    const { clock, cluster, append } = setUp(1)
    await append(0, 'a', 'b')
    const reader = new ConsumerHarness(cluster.connectionFactory().open('reader'), clock, {
      ...{ groupId: null, onOutOfRange: 'earliest' },
    })
    await reader.start()
    await clock.advance(1_000)
    cluster.deleteTopic('t')
    cluster.createTopic('t', { partitions })
    await append(0, 'c', 'd', 'e')
    await clock.advance(120_000)
    expect(reader.offsets('t', 0)).toEqual([0, 1, 0, 1, 2])
  })
})
