import type { TidemarkError } from 'tidemark'
import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import {
  committedOffset,
  followerThatCopiesNothing,
  missed,
  numbered,
  open,
  placeOf,
  put,
  reading,
  simulated,
  t,
  until,
} from './simulated.js'

describe('a reset', () => {
  const doesNotApplyOldRanges = (how: 'an unclean election' | 'a topic made anew') =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      const follower = followerThatCopiesNothing(cluster)
      put(cluster, numbered('old', 20))
      const first = open(simulation.process('one'))
      const done: string[] = []
      const one = first.consumer({
        group: 'g',
        topics: [t],
        order: 'none',
        drainMs: 100,
        sessionTimeoutMs: 1_000,
        handle: async (message, { signal }) => {
          if (message.offset === 0) await clock.sleep(60_000, signal)
          done.push(placeOf(message))
        },
      })
      await one.start()
      await until(simulation, () => done.length === 19)
      await first.close()
      expect(committedOffset(cluster)).toBe(0)

      const second = open(simulation.process('two'))
      const handled: string[] = []
      const two = second.consumer({
        group: 'g',
        topics: [t],
        order: 'none',
        onOutOfRange: 'earliest',
        sessionTimeoutMs: 1_000,
        handle: (message) => void handled.push(placeOf(message)),
      })
      await two.start()
      await clock.sleep(6_000)
      if (how === 'a topic made anew') {
        cluster.deleteTopic('t')
        cluster.createTopic('t')
      } else cluster.faults.moveLeader('t', 0, follower)
      put(cluster, numbered('new', 10))
      await clock.sleep(20_000)
      expect(missed(cluster, handled)).toEqual([])
      await second.close()
    })

  it('to the committed offset does not apply the completed ranges of the old log: an unclean election', () =>
    doesNotApplyOldRanges('an unclean election'))
  it('to the committed offset does not apply the completed ranges of the old log: a topic made anew', () =>
    doesNotApplyOldRanges('a topic made anew'))

  it('to a cut passes nothing over that was fetched before it and stands in the log yet', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('kept', 10))
      const follower = followerThatCopiesNothing(cluster)
      put(cluster, numbered('old', 20))
      const messaging = open(simulation.process('one'))
      const handled: string[] = []
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        onOutOfRange: 'earliest',
        handle: async (message, { signal }) => {
          await clock.sleep(3_000, signal)
          handled.push(placeOf(message))
        },
      })
      await consumer.start()
      await until(simulation, () => handled.length === 2)
      cluster.faults.moveLeader('t', 0, follower)
      put(cluster, numbered('new', 10))
      await clock.sleep(120_000)
      expect(handled.some((place) => place.includes('old'))).toBe(false)
      expect(missed(cluster, handled)).toEqual([])
      await messaging.close()
    }))

  it('of a partition that was assigned without a commit is on record', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      const follower = followerThatCopiesNothing(cluster)
      put(cluster, numbered('old', 20))
      const handled: string[] = []
      const consume = (name: string) => {
        const process = simulation.process(name)
        const messaging = open(process)
        const consumer = messaging.consumer({
          group: 'g',
          topics: [t],
          onOutOfRange: 'earliest',
          sessionTimeoutMs: 1_000,
          handle: (message) => void handled.push(placeOf(message)),
        })
        return { process, messaging, consumer }
      }
      const one = consume('one')
      await one.consumer.start()
      await clock.sleep(10_000)
      expect(committedOffset(cluster)).toBe(21)
      cluster.faults.moveLeader('t', 0, follower)
      await clock.sleep(20_000)
      expect(committedOffset(cluster)).toBe(0)
      one.process.crash()
      handled.length = 0
      put(cluster, numbered('new', 40))
      const two = consume('two')
      await two.consumer.start()
      await clock.sleep(10_000)
      expect(missed(cluster, handled)).toEqual([])
      await two.messaging.close()
    }))

  it('leaves a partition paused that the user has paused', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('old', 20))
      const handled: string[] = []
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        onOutOfRange: 'earliest',
        sessionTimeoutMs: 6_000,
        handle: (message) => void handled.push(placeOf(message)),
      })
      await consumer.start()
      await until(simulation, () => handled.length === 20)
      for (let i = 0; i < 60; i++) cluster.faults.failNext({ api: 'listOffsets' }, brokerCode.NOT_LEADER_OR_FOLLOWER)
      cluster.deleteTopic('t')
      cluster.createTopic('t')
      put(cluster, ['new-0', 'new-1'])
      await clock.sleep(2_000)
      consumer.pause()
      handled.length = 0
      await clock.sleep(120_000)
      expect(consumer.facts().partitions[0]).toMatchObject({ pausedBy: ['user'], position: 0 })
      expect(handled).toEqual([])
      consumer.resume()
      await clock.sleep(10_000)
      expect(missed(cluster, handled)).toEqual([])
      await messaging.close()
    }))
})

describe("under onOutOfRange: 'stop'", () => {
  it('what was fetched is handled first, and the error names all that is lost', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      for (const value of numbered('v', 200)) put(cluster, [value])
      const handled: number[] = []
      let stopped: TidemarkError | null = null
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 10_000,
        onOutOfRange: 'stop',
        highMark: { records: 20 },
        lowMark: { records: 5 },
        fetch: { partitionMaxBytes: 2_000 },
        onPartitionStopped: (_, error) => {
          stopped = error
        },
        handle: async ({ offset }) => {
          await clock.sleep(1_000)
          handled.push(offset)
        },
      })
      await consumer.start()
      await until(simulation, () => handled.length === 3)
      const fetched = handled.length + (consumer.facts().partitions[0]?.unsettled ?? 0)
      cluster.deleteRecordsBefore('t', 0, 300)
      await until(simulation, () => stopped !== null, 600_000)
      expect(handled.length).toBe(fetched)
      expect(consumer.facts().partitions[0]).toMatchObject({ state: 'stopped', unsettled: 0 })
      expect(String(stopped)).toContain(`records ${consumer.facts().partitions[0]?.settled} to 299`)
      await messaging.close()
    }))
})

describe("from: 'latest'", () => {
  it('is decided once: a membership that is lost before the first commit moves no start', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, ['before'])
      const handled: string[] = []
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        from: 'latest',
        sessionTimeoutMs: 6_000,
        rebalanceTimeoutMs: 10_000,
        handle: ({ value }) => void handled.push(value),
      })
      for (let i = 0; i < 5; i++) {
        cluster.faults.failNext({ api: 'offsetCommit' }, brokerCode.COORDINATOR_NOT_AVAILABLE)
      }
      await consumer.start()
      for (let i = 0; i < 500; i++) {
        cluster.faults.failNext({ api: 'offsetCommit' }, brokerCode.COORDINATOR_NOT_AVAILABLE)
      }
      consumer.pause()
      put(cluster, ['one', 'two', 'three'])
      await clock.sleep(1_000)
      cluster.faults.killMember('g', 'any')
      await clock.sleep(80_000)
      consumer.resume()
      put(cluster, ['after'])
      await clock.sleep(60_000)
      expect(handled).toEqual(['one', 'two', 'three', 'after'])
      cluster.faults.clear()
      await messaging.close()
    }))

  it.each(['nobody has noticed yet', 'the topic was gone for a while'] as const)(
    'passes nothing over of a topic made anew, also when the group rebalances and %s',
    (when) =>
      simulated(async (simulation) => {
        const { cluster, clock } = simulation
        cluster.createTopic('t')
        put(cluster, ['before'])
        const handled: string[] = []
        const { close } = await reading(simulation, 'one', {
          from: 'latest',
          onOutOfRange: 'earliest',
          rebalanceTimeoutMs: 10_000,
          handle: ({ value }) => void handled.push(value),
        })
        cluster.deleteTopic('t')
        if (when === 'the topic was gone for a while') await clock.sleep(2_000)
        cluster.createTopic('t')
        put(cluster, ['one', 'two', 'three'])
        cluster.faults.killMember('g', 'any')
        await clock.sleep(60_000)
        put(cluster, ['after'])
        await clock.sleep(10_000)
        expect([...new Set(handled)]).toEqual(['one', 'two', 'three', 'after'])
        await close()
      }),
  )

  it('passes nothing over of a topic made anew, though its commits and the membership went with the former one', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, ['before'])
      const handled: string[] = []
      const messaging = open(simulation.process('one'))
      await messaging
        .consumer({
          group: 'g',
          topics: [t],
          from: 'latest',
          onOutOfRange: 'latest',
          sessionTimeoutMs: 6_000,
          rebalanceTimeoutMs: 6_000,
          handle: (message) => void handled.push(placeOf(message)),
        })
        .start()
      await clock.sleep(5_000)
      cluster.faults.killMember('g', 'any')
      await clock.sleep(15_000)
      cluster.deleteTopic('t')
      cluster.createTopic('t')
      put(cluster, numbered('new', 40))
      cluster.faults.killMember('g', 'any')
      await clock.sleep(60_000)
      expect(missed(cluster, handled)).toEqual([])
      await messaging.close()
    }))

  it('is on record before start resolves', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, ['before'])
      const process = simulation.process('one')
      const handled: string[] = []
      const options = {
        group: 'g',
        topics: [t],
        from: 'latest',
        sessionTimeoutMs: 6_000,
        handle: ({ value }: { value: string }) => void handled.push(value),
      } as const
      await open(process).consumer(options).start()
      process.crash()
      put(cluster, ['one'])
      const second = open(simulation.process('two'))
      await second.consumer(options).start()
      await clock.sleep(20_000)
      expect(handled).toEqual(['one'])
      await second.close()
    }))

  it('counts the partitions of each topic of that name apart: what is added to one made anew is read', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { partitions: 3 })
      const handled: string[] = []
      const options = {
        group: 'g',
        topics: [t],
        from: 'latest',
        onOutOfRange: 'latest',
        sessionTimeoutMs: 6_000,
        metadataMaxAgeMs: 10_000,
        handle: ({ value }: { value: string }) => void handled.push(value),
      } as const
      const first = open(simulation.process('one'))
      await first.consumer(options).start()
      await clock.sleep(5_000)
      cluster.deleteTopic('t')
      cluster.createTopic('t', { partitions: 1 })
      put(cluster, ['anew'])
      await until(simulation, () => handled.length === 1)
      await clock.sleep(10_000)
      await first.close()
      cluster.addPartitions('t', 3)
      put(cluster, ['added'], 't', 2)
      const second = open(simulation.process('two'))
      await second.consumer(options).start()
      await clock.sleep(20_000)
      expect(handled).toEqual(['anew', 'added'])
      await second.close()
    }))

  type Addition =
    | 'after the look at the partitions failed'
    | 'between the division and the look'
    | 'while no leader looked, before a restart'
  const losesNothing = (when: Addition) =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { partitions: 1 })
      put(cluster, ['before'])
      const handled: string[] = []
      const options = {
        group: 'g',
        topics: [t],
        from: 'latest',
        sessionTimeoutMs: 6_000,
        metadataMaxAgeMs: 10_000,
        handle: ({ value }: { value: string }) => void handled.push(value),
      } as const
      const addOne = () => {
        cluster.addPartitions('t', 2)
        put(cluster, ['one', 'two'], 't', 1)
      }
      let messaging = open(simulation.process('one'))
      const started = messaging.consumer(options).start()
      if (when === 'between the division and the look') {
        await until(simulation, () => cluster.group('g')?.state === 'Stable')
        addOne()
        await started
      } else if (when === 'after the look at the partitions failed') {
        await until(simulation, () => cluster.group('g')?.state === 'Stable')
        for (let i = 0; i < 2_000; i++) cluster.faults.loseNextRequest({ api: 'metadata' })
        await started
        await clock.sleep(8_000)
        cluster.faults.clear()
        await clock.sleep(600_000)
        addOne()
      } else {
        await started
        put(cluster, ['live'])
        await clock.sleep(6_000)
        addOne()
        await messaging.close()
        messaging = open(simulation.process('two'))
        await messaging.consumer(options).start()
      }
      await clock.sleep(120_000)
      expect(handled.filter((value) => value !== 'live')).toEqual(['one', 'two'])
      await messaging.close()
    })

  it.each(['after the look at the partitions failed', 'between the division and the look'] as const)(
    'loses nothing of a partition that is added %s',
    losesNothing,
  )
  it('loses nothing of a partition that is added while no leader looked, before a restart', () =>
    losesNothing('while no leader looked, before a restart'))
})

describe('a stopped partition', () => {
  const causes = ['its fetch is refused', 'a handler fails'] as const
  it.each(causes)('goes on exactly where handling stands after restart: %s', (cause) =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      for (let i = 0; i < 40; i++) put(cluster, [`v-${i % 10}`])
      const handled: string[] = []
      const errors: TidemarkError[] = []
      let isHealed = false
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        order: cause === 'a handler fails' ? 'key' : 'partition',
        concurrency: 4,
        onPartitionStopped: (_, error) => void errors.push(error),
        handle: async (message) => {
          await clock.sleep(message.offset < 6 ? 200 : 50)
          if (cause === 'a handler fails' && message.offset === 18 && !isHealed) throw new Error('poison')
          handled.push(placeOf(message))
        },
      })
      await consumer.start()
      if (cause === 'its fetch is refused') {
        for (let i = 0; i < 500; i++) cluster.faults.failNext({ api: 'fetch' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
      }
      await until(simulation, () => errors.length > 0, 600_000)
      await clock.sleep(5_000)
      cluster.faults.clear()
      isHealed = true
      await consumer.restart('t', 0)
      await clock.sleep(60_000)
      expect(missed(cluster, handled)).toEqual([])
      expect(handled.length).toBe(new Set(handled).size)
      await messaging.close()
    }),
  )
})
