import type { TidemarkError } from 'tidemark'
import { describe, expect, it } from 'vitest'
import { parseCommitMetadata } from '../../../src/offsets/commit-metadata.js'
import {
  committedOffset,
  followerThatCopiesNothing,
  logged,
  missed,
  numbered,
  open,
  placeOf,
  put,
  simulated,
  t,
  until,
} from './simulated.js'

describe('a topic that is deleted and made anew under a running consumer', () => {
  it.each(['earliest', 'stop'] as const)('is never read from an offset of the old log: %s', (onOutOfRange) =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('old', 20))
      const handled: string[] = []
      const stopped: TidemarkError[] = []
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        onOutOfRange,
        sessionTimeoutMs: 6_000,
        onPartitionStopped: (_, error) => void stopped.push(error),
        handle: (message) => void handled.push(placeOf(message)),
      })
      await consumer.start()
      await until(simulation, () => handled.length === 20)
      await clock.sleep(6_000)
      handled.length = 0
      cluster.deleteTopic('t')
      cluster.createTopic('t')
      put(cluster, numbered('new', 40))
      await clock.sleep(60_000)
      if (onOutOfRange === 'earliest') expect(missed(cluster, handled)).toEqual([])
      else expect({ handled, stopped: stopped.length }).toEqual({ handled: [], stopped: 1 })
      await messaging.close()
    }),
  )

  const restartPassesNothingOver = (when: 'out of range' | 'not committed') =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('old', 20))
      const handled: string[] = []
      const consume = async (name: string) => {
        const messaging = open(simulation.process(name))
        const consumer = messaging.consumer({
          group: 'g',
          topics: [t],
          onOutOfRange: 'earliest',
          sessionTimeoutMs: 6_000,
          handle: (message) => void handled.push(placeOf(message)),
        })
        await consumer.start()
        return messaging
      }
      const first = await consume('one')
      await until(simulation, () => handled.length === 20)
      if (when === 'out of range') await clock.sleep(6_000)
      handled.length = 0
      cluster.deleteTopic('t')
      if (when === 'not committed') await clock.sleep(20_000)
      cluster.createTopic('t')
      put(cluster, numbered('new', 3))
      await first.close()
      expect(committedOffset(cluster) ?? 0).toBeLessThanOrEqual(4)
      put(cluster, numbered('new', 37, 3))
      const second = await consume('two')
      await clock.sleep(20_000)
      expect(missed(cluster, handled)).toEqual([])
      await second.close()
    })

  it('is not given an offset of the old log by a commit, so a restart passes nothing over: out of range', () =>
    restartPassesNothingOver('out of range'))
  it('is not given an offset of the old log by a commit, so a restart passes nothing over: not committed', () =>
    restartPassesNothingOver('not committed'))

  it('that stopped its partition goes on by a seek, and commits in the new log', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('old', 20))
      const handled: string[] = []
      const stopped: TidemarkError[] = []
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        onOutOfRange: 'stop',
        onPartitionStopped: (_, error) => void stopped.push(error),
        handle: (message) => void handled.push(placeOf(message)),
      })
      await consumer.start()
      await until(simulation, () => handled.length === 20)
      await until(simulation, () => committedOffset(cluster) === 21)
      handled.length = 0
      cluster.deleteTopic('t')
      cluster.createTopic('t')
      put(cluster, numbered('new', 40))
      await until(simulation, () => stopped.length === 1)
      expect(stopped[0]).toMatchObject({ code: 'topic-recreated', offset: 21 })
      expect(committedOffset(cluster)).toBeUndefined()
      await consumer.seek('t', 0, 0)
      await clock.sleep(10_000)
      expect(missed(cluster, handled)).toEqual([])
      expect(committedOffset(cluster)).toBe(41)
      await messaging.close()
    }))

  it.each(['earliest', 'latest'] as const)('while it is paused is read from its beginning, and told: %s', (policy) =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('old', 20))
      const handled: string[] = []
      const { logger, loud } = logged()
      const messaging = open(simulation.process('one'), { logger })
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        onOutOfRange: policy,
        handle: (message) => void handled.push(placeOf(message)),
      })
      await consumer.start()
      await until(simulation, () => handled.length === 20)
      await clock.sleep(6_000)
      consumer.pause([{ topic: 't', partition: 0 }])
      await clock.sleep(1_000)
      handled.length = 0
      cluster.deleteTopic('t')
      cluster.createTopic('t')
      put(cluster, numbered('new', 40))
      await clock.sleep(60_000)
      consumer.resume([{ topic: 't', partition: 0 }])
      await clock.sleep(10_000)
      expect(missed(cluster, handled)).toEqual([])
      expect(loud().filter(({ message }) => message.includes('made anew'))).toHaveLength(1)
      expect(committedOffset(cluster)).toBe(41)
      await messaging.close()
    }),
  )
})

describe('a commit', () => {
  const consumeOnce = async (
    simulation: Parameters<Parameters<typeof simulated>[0]>[0],
    name: string,
    handled: string[],
    onOutOfRange: 'stop' | 'earliest' = 'earliest',
    stopped: TidemarkError[] = [],
  ) => {
    const messaging = open(simulation.process(name))
    const consumer = messaging.consumer({
      group: 'g',
      topics: [t],
      onOutOfRange,
      sessionTimeoutMs: 6_000,
      onPartitionStopped: (_, error) => void stopped.push(error),
      handle: (message) => void handled.push(placeOf(message)),
    })
    await consumer.start()
    await simulation.clock.sleep(10_000)
    await messaging.close()
  }

  it.each(['earliest', 'stop'] as const)(
    'of a former topic says nothing about the new one after a restart: %s',
    (policy) =>
      simulated(async (simulation) => {
        const { cluster } = simulation
        cluster.createTopic('t')
        put(cluster, numbered('old', 20))
        const handled: string[] = []
        await consumeOnce(simulation, 'one', handled)
        const [former] = cluster.committed('g')
        expect(parseCommitMetadata(former!.metadata).has('i')).toBe(true)
        cluster.deleteTopic('t')
        cluster.createTopic('t')
        put(cluster, numbered('new', 40))
        // It was on its way when the topic was deleted, and lands in the new one.
        cluster.restoreCommit('g', former!)
        handled.length = 0
        const stopped: TidemarkError[] = []
        await consumeOnce(simulation, 'two', handled, policy, stopped)
        if (policy === 'earliest') {
          expect(missed(cluster, handled)).toEqual([])
          expect(committedOffset(cluster)).toBe(41)
        } else {
          expect(handled).toEqual([])
          expect(stopped).toMatchObject([{ code: 'topic-recreated', topic: 't', partition: 0, offset: 21 }])
          expect(committedOffset(cluster)).toBe(21)
        }
      }),
  )

  it('that is on its way when its topic is made anew is not stored for the new one', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('old', 20))
      const handled: string[] = []
      const held = cluster.faults.holdRequest({ api: 'offsetCommit' })
      const messaging = open(simulation.process('one'))
      await messaging
        .consumer({
          group: 'g',
          topics: [t],
          onOutOfRange: 'stop',
          handle: (message) => void handled.push(placeOf(message)),
        })
        .start()
      await until(simulation, () => handled.length === 20)
      await clock.sleep(1_000)
      cluster.deleteTopic('t')
      cluster.createTopic('t')
      put(cluster, numbered('new', 40))
      held.release()
      await clock.sleep(20_000)
      expect(committedOffset(cluster)).toBeUndefined()
      await messaging.close()
      expect(committedOffset(cluster)).toBeUndefined()
    }))

  it('of another cluster counts, but not what was completed beyond it', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('here', 20))
      const metadata = 'td1;i:28:other,AAAAAAAAAAAAAAAAAAAAAQ;c:5:5,1.5'
      cluster.restoreCommit('g', { topic: 't', partition: 0, offset: 5, leaderEpoch: 9, metadata })
      const handled: string[] = []
      await consumeOnce(simulation, 'one', handled, 'stop')
      expect(missed(cluster, handled)).toEqual(numbered('here', 5).map((value, offset) => `${offset}:${value}`))
    }))

  it('names the epoch of the leader that wrote the last record below it', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('a', 3))
      cluster.faults.moveLeader('t', 0)
      cluster.faults.moveLeader('t', 0)
      put(cluster, numbered('b', 3))
      const handled: string[] = []
      await consumeOnce(simulation, 'one', handled)
      expect(cluster.committed('g')).toMatchObject([{ offset: 8, leaderEpoch: 2 }])
    }))
})

describe('after an unclean election', () => {
  /** 20 records are read, the log is cut to none, and 30 others are written: the position lies inside it again. */
  const cut = async (onOutOfRange: 'stop' | 'earliest' | 'latest', when: 'running' | 'stopped') => {
    const result = { handled: [] as string[], missed: [] as string[], stopped: [] as TidemarkError[], told: 0 }
    await simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      const follower = followerThatCopiesNothing(cluster)
      put(cluster, numbered('old', 20))
      const { logger, loud } = logged()
      const consume = async (name: string) => {
        const messaging = open(simulation.process(name), { logger })
        const consumer = messaging.consumer({
          group: 'g',
          topics: [t],
          onOutOfRange,
          sessionTimeoutMs: 6_000,
          onPartitionStopped: (_, error) => void result.stopped.push(error),
          handle: (message) => void result.handled.push(placeOf(message)),
        })
        await consumer.start()
        return messaging
      }
      let messaging = await consume('one')
      await until(simulation, () => result.handled.length === 20)
      await clock.sleep(6_000)
      if (when === 'stopped') await messaging.close()
      result.handled.length = 0
      cluster.faults.moveLeader('t', 0, follower)
      put(cluster, numbered('new', 30))
      if (when === 'stopped') messaging = await consume('two')
      await clock.sleep(20_000)
      result.missed = missed(cluster, result.handled)
      result.told = loud().filter(({ message }) => message.includes('out of range')).length
      await messaging.close()
    })
    return result
  }

  it.each(['running', 'stopped'] as const)('what stands at offsets that were read before is read: %s', async (when) => {
    const { missed: passedOver, told } = await cut('earliest', when)
    expect({ passedOver, told }).toEqual({ passedOver: [], told: 1 })
  })

  it.each(['running', 'stopped'] as const)('under stop the partition stops with the lost range: %s', async (when) => {
    const { handled, stopped } = await cut('stop', when)
    expect(handled).toEqual([])
    expect(stopped).toMatchObject([{ code: 'offset-out-of-range', offset: 21 }])
    expect(stopped[0]!.message).toMatch(/cut at offset 0 .*records 0 to 20 are gone/)
  })

  it('under latest reading goes on at the end, and that is told', async () => {
    const { handled, told } = await cut('latest', 'running')
    expect({ handled, told }).toEqual({ handled: [], told: 1 })
  })
})

describe('a change of leader that lost nothing', () => {
  it('is passed without a word, and without reading anything twice', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      const handled: string[] = []
      const { logger, loud } = logged()
      const messaging = open(simulation.process('one'), { logger })
      await messaging
        .consumer({ group: 'g', topics: [t], handle: (message) => void handled.push(placeOf(message)) })
        .start()
      for (let round = 0; round < 5; round += 1) {
        put(cluster, numbered(`round-${round}`, 10))
        await clock.sleep(1_000)
        cluster.faults.moveLeader('t', 0)
        await clock.sleep(1_000)
      }
      expect(handled).toHaveLength(50)
      expect(missed(cluster, handled)).toEqual([])
      expect(loud()).toEqual([])
      await messaging.close()
    }))
})
