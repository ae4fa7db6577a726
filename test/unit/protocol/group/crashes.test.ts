import { beforeEach, describe, expect, it } from 'vitest'
import type { Apis } from '../../../../src/connection/requests/apis.js'
import { silentLogger, type Logger } from '../../../../src/telemetry/logger.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { CountingMetrics } from '../../producer/counting-metrics.js'
import { ScriptedCluster } from '../cluster/scripted-cluster.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

type FetchAnswer = Apis['fetch']['answer']

let clock: VirtualClock
let cluster: ScriptedCluster
let metrics: CountingMetrics
let errors: unknown[]

beforeEach(() => {
  clock = virtualClock()
  cluster = new ScriptedCluster(clock)
  metrics = new CountingMetrics()
  errors = []
  for (const partition of [0, 1]) cluster.append('t', partition, 3)
})

const logger = (overrides: Partial<Logger> = {}): Logger => ({
  ...silentLogger,
  error: (fields) => errors.push(fields),
  ...overrides,
})

/** Not what the types promise: a defect of the connection. */
const nonsense = { throttleTimeMs: 0, errorCode: 0 } as FetchAnswer

describe('a fetch loop that crashes', () => {
  it('is told, counted, and starts again, later after each crash in a row', async () => {
    const fetchedAt: number[] = []
    cluster.on('fetch', () => {
      fetchedAt.push(clock.now())
      return fetchedAt.length <= 4 ? nonsense : 'usual'
    })
    const reader = new ConsumerHarness(cluster, clock, { groupId: null, metrics, logger: logger() })
    await reader.start()
    await clock.advance(20_000)
    expect(reader.offsets('t', 0)).toEqual([0, 1, 2])
    expect(reader.offsets('t', 1)).toEqual([0, 1, 2])
    expect(metrics.total('tidemark_consumer_crashes_total')).toBe(4)
    expect(errors).toHaveLength(4)
    const pauses = fetchedAt.slice(1, 5).map((at, index) => at - (fetchedAt[index] ?? 0))
    expect(pauses[0]).toBeGreaterThanOrEqual(250)
    expect(pauses[3]).toBeGreaterThanOrEqual(2_000)
    expect(reader.kinds()).toEqual(['assigned'])
  })

  it('leaves no timer behind when the consumer stops meanwhile', async () => {
    cluster.on('fetch', () => nonsense)
    const reader = new ConsumerHarness(cluster, clock, { groupId: null, logger: logger() })
    await reader.start()
    await clock.advance(10_000)
    await reader.stop()
    const fetches = cluster.count('fetch')
    await clock.advance(1) // the cluster's own
    expect(clock.pendingTimers).toBe(0)
    expect(cluster.count('fetch')).toBe(fetches)
  })

  it('is not needed where one partition alone is at fault: that one stops, visibly, and the others go on', async () => {
    cluster.on('fetch', (request) => ({
      throttleTimeMs: 0,
      errorCode: 0,
      partitions: request.partitions.map((at) => ({
        topic: at.topic,
        partition: at.partition,
        errorCode: 0,
        highWatermark: 3,
        lastStableOffset: 3,
        logStartOffset: 0,
        abortedTransactions: [],
        batches: at.partition === 0 ? (null as never) : cluster.log('t', 1).batches.filter(() => at.fetchOffset < 3),
        unreadable: null,
        sizeBytes: 0,
      })),
    }))
    const reader = new ConsumerHarness(cluster, clock, { groupId: null, metrics, logger: logger() })
    await reader.start()
    await clock.advance(1_000)
    expect(reader.offsets('t', 1)).toEqual([0, 1, 2])
    expect(reader.news.slice(1)).toMatchObject([
      { kind: 'partitionFailed', partition: { partition: 0 }, error: { code: 'defect', topic: 't', partition: 0 } },
    ])
    expect(metrics.total('tidemark_consumer_crashes_total')).toBe(0)
  })
})

describe('a member whose own loop crashes', () => {
  const broken = (part: string) => () => {
    throw new TypeError(`broken in ${part}`)
  }

  it('while beating: everything counts as lost and the consumer fails, visibly', async () => {
    const member = new ConsumerHarness(cluster, clock, { logger: logger({ debug: broken('heartbeat') }) })
    await member.start()
    cluster.on('heartbeat', () => 'silence')
    await clock.advance(7_000)
    expect(member.kinds()).toEqual(['assigned', 'lost', 'failed'])
    expect(member.news.at(-1)).toMatchObject({ error: { code: 'defect', cause: { name: 'TypeError' } } })
    await member.stop()
    await clock.runUntilIdle()
  })

  it('while joining: the consumer fails, visibly', async () => {
    const member = new ConsumerHarness(cluster, clock, { logger: logger({ warn: broken('joining') }) })
    await member.start()
    cluster.on('joinGroup', () => 'silence')
    cluster.once('heartbeat', () => ({ throttleTimeMs: 0, errorCode: 25 }))
    await clock.advance(2_000)
    expect(member.kinds()).toEqual(['assigned', 'lost', 'failed'])
    expect(member.news.at(-1)).toMatchObject({ error: { code: 'defect' } })
    await member.stop()
    await clock.runUntilIdle()
  })

  it('while reading without a group: everything counts as lost and the consumer fails, visibly', async () => {
    cluster.on('metadata', ({ topics }) => (topics?.length === 0 ? 'usual' : 'silence'))
    const reader = new ConsumerHarness(cluster, clock, {
      groupId: null,
      logger: logger({ debug: broken('looking for topics') }),
    })
    await expect(reader.start()).rejects.toMatchObject({ code: 'defect' })
    await clock.runUntilIdle()
  })
})
