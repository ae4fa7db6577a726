import { defineTopic, string } from 'tidemark'
import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { committedOffset, logged, numbered, open, placeOf, put, simulated, t } from './simulated.js'

const healthy = defineTopic({ name: 'healthy', value: string() })

describe('a dead-letter topic that cannot be written', () => {
  it('holds up its partition alone', () =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t', { partitions: 2 })
      cluster.createTopic('healthy')
      cluster.createTopic('t.dlq')
      put(cluster, numbered('poison', 8))
      const handled: string[] = []
      const messaging = open(process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t, healthy],
        order: 'key',
        concurrency: 8,
        retry: false,
        deadLetter: 't.dlq',
        sessionTimeoutMs: 6_000,
        handle: async ({ value }) => {
          await clock.sleep(1)
          if (value.startsWith('poison')) throw new Error('poison')
          handled.push(value)
        },
      })
      await consumer.start()
      cluster.deleteTopic('t.dlq')
      await clock.sleep(1_000)
      put(cluster, ['of another partition'], 't', 1)
      put(cluster, ['of another topic'], 'healthy')
      await clock.sleep(600_000)
      expect(handled.sort()).toEqual(['of another partition', 'of another topic'])
      cluster.createTopic('t.dlq')
      await clock.sleep(60_000)
      expect(cluster.records('t.dlq', 0).length).toBe(8)
      await messaging.close()
    }))
})

describe('a partition whose commit cannot be stored', () => {
  it('slows the commits of no other', () =>
    simulated(async ({ cluster, clock, process }) => {
      const gone = defineTopic({ name: 'gone', value: string() })
      cluster.createTopic('t')
      cluster.createTopic('gone')
      put(cluster, ['x'], 'gone')
      let handled = 0
      const messaging = open(process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t, gone],
        commit: 'each',
        sessionTimeoutMs: 6_000,
        handle: ({ topic, offset }) => {
          if (topic === 't') handled = offset + 1
        },
      })
      for (let i = 0; i < 5; i++) {
        cluster.faults.failNext({ api: 'offsetCommit', topic: 'gone' }, brokerCode.COORDINATOR_NOT_AVAILABLE)
      }
      await consumer.start()
      await clock.sleep(2)
      cluster.deleteTopic('gone')
      await clock.sleep(30_000)
      let worst = 0
      for (let i = 0; i < 500; i++) {
        put(cluster, ['v'])
        await clock.sleep(20)
        worst = Math.max(worst, handled - (committedOffset(cluster) ?? 0))
      }
      // Two offsets each, at 50 records a second.
      expect(worst).toBeLessThan(50)
      await messaging.close()
    }))
})

describe('a refusal that passes', () => {
  type Api = 'offsetCommit' | 'findCoordinator' | 'fetch' | 'offsetFetch' | 'listOffsets' | 'heartbeat' | 'joinGroup'
  const apis: readonly (readonly [Api, number])[] = [
    ['fetch', brokerCode.TOPIC_AUTHORIZATION_FAILED],
    ['offsetFetch', brokerCode.GROUP_AUTHORIZATION_FAILED],
    ['listOffsets', brokerCode.TOPIC_AUTHORIZATION_FAILED],
    ['heartbeat', brokerCode.GROUP_AUTHORIZATION_FAILED],
    ['joinGroup', brokerCode.GROUP_AUTHORIZATION_FAILED],
    ['findCoordinator', brokerCode.GROUP_AUTHORIZATION_FAILED],
    ['offsetCommit', brokerCode.GROUP_AUTHORIZATION_FAILED],
  ]

  const stopsNothing = (api: Api, code: number) =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t')
      put(cluster, ['a'])
      const handled: string[] = []
      const { logger, loud } = logged()
      const messaging = open(process('one'), { logger })
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        handle: ({ value }) => void handled.push(value),
      })
      const atStart = !['fetch', 'heartbeat', 'offsetCommit'].includes(api)
      if (atStart) cluster.faults.failNext({ api }, code)
      await consumer.start()
      await clock.sleep(1_000)
      if (!atStart) cluster.faults.failNext({ api }, code)
      await clock.sleep(2_000)
      put(cluster, ['b'])
      await clock.sleep(600_000)
      expect({ handled, state: consumer.state }).toEqual({ handled: ['a', 'b'], state: 'running' })
      expect(loud().length).toBe(1)
      await messaging.close()
    })

  it.each(apis)('stops nothing for good: %s', stopsNothing)
})

describe('one poisonous output among many', () => {
  it('fails its record alone: one dead letter, all other outputs', () =>
    simulated(async ({ cluster, clock, process }) => {
      const out = defineTopic({ name: 'out', value: string(), key: (value) => (value === 'v-25' ? null : value) })
      cluster.createTopic('t')
      cluster.createTopic('out', { configs: { 'cleanup.policy': 'compact' } })
      cluster.createTopic('t.dlq')
      put(cluster, numbered('v', 50))
      const messaging = open(process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        order: 'key',
        concurrency: 64,
        retry: false,
        deadLetter: 't.dlq',
        sessionTimeoutMs: 6_000,
        handle: async ({ value }, { send }) => {
          await send(out, value)
        },
      })
      await consumer.start()
      await clock.sleep(60_000)
      expect(cluster.records('t.dlq', 0).map(({ value }) => value?.toString())).toEqual(['v-25'])
      expect(cluster.records('out', 0).length).toBe(49)
      await messaging.close()
    }))
})

describe('a member that cannot get back into its group', () => {
  const reasons: readonly (readonly [string, 'findCoordinator' | 'joinGroup', number])[] = [
    ['no coordinator', 'findCoordinator', brokerCode.COORDINATOR_NOT_AVAILABLE],
    ['its coordinator is loading', 'joinGroup', brokerCode.COORDINATOR_LOAD_IN_PROGRESS],
  ]
  it.each(reasons)('says so again and again, and when it is back: %s', (_, api, code) =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t')
      put(cluster, ['a'])
      const { logger, lines, loud } = logged()
      const handled: string[] = []
      const messaging = open(process('one'), { logger })
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        handle: (message) => void handled.push(placeOf(message)),
      })
      await consumer.start()
      await clock.sleep(5_000)
      for (let i = 0; i < 2_000; i++) cluster.faults.failNext({ api }, code)
      if (api === 'findCoordinator') cluster.faults.moveCoordinator('g')
      cluster.faults.killMember('g', 'any')
      put(cluster, ['b'])
      await clock.sleep(600_000)
      const told = loud().filter(({ message }) => message.includes('not in its group'))
      expect(told.length).toBeGreaterThan(2)
      expect(told.length).toBeLessThan(20)
      cluster.faults.clear()
      await clock.sleep(60_000)
      expect(lines.filter(({ message }) => message.includes('in its group again')).length).toBe(1)
      expect(new Set(handled).size).toBe(2)
      await messaging.close()
    }),
  )
})

describe('a partition without a starting point', () => {
  it('is told, again and again, and when it has one; assignment, facts and lag know of it', () =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t', { partitions: 2 })
      put(cluster, ['a'], 't', 1)
      const { logger, lines, loud } = logged()
      const handled: string[] = []
      for (let i = 0; i < 2_000; i++) {
        cluster.faults.failNext({ api: 'offsetFetch' }, brokerCode.COORDINATOR_LOAD_IN_PROGRESS)
      }
      const messaging = open(process('one'), { logger })
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        handle: ({ value }) => void handled.push(value),
      })
      const started = consumer.start({ timeoutMs: 1_200_000 })
      await clock.sleep(600_000)
      const told = loud().filter(({ message }) => message.includes('no starting point yet'))
      expect(told.length).toBeGreaterThan(2)
      expect(told.length).toBeLessThan(20)
      const places = [0, 1].map((partition) => ({ topic: 't', partition }))
      expect(consumer.facts().startless).toEqual(places)
      expect([consumer.assignment(), consumer.lag()]).toEqual([places, null])
      cluster.faults.clear()
      await started
      await clock.sleep(10_000)
      expect(lines.filter(({ message }) => message.includes('without a starting point any more')).length).toBe(1)
      expect(handled).toEqual(['a'])
      await messaging.close()
    }))
})
