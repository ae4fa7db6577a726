import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { open, put, simulated, t } from './simulated.js'

describe("from: 'latest'", () => {
  it('is decided once while the process lives, also when no commit could be made before membership was lost', () =>
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
      for (let i = 0; i < 5_000; i++) {
        cluster.faults.failNext({ api: 'offsetCommit' }, brokerCode.COORDINATOR_NOT_AVAILABLE)
      }
      await consumer.start()
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
})

describe('a topic that is made anew under a group that starts at the end', () => {
  it.each(['nobody has noticed yet', 'the topic was gone for a while'] as const)(
    'is read from its first record, also when the group rebalances and %s',
    (when) =>
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
          onOutOfRange: 'earliest',
          sessionTimeoutMs: 6_000,
          rebalanceTimeoutMs: 10_000,
          handle: ({ value }) => void handled.push(value),
        })
        await consumer.start()
        cluster.deleteTopic('t')
        if (when === 'the topic was gone for a while') await clock.sleep(2_000)
        cluster.createTopic('t')
        put(cluster, ['one', 'two', 'three'])
        cluster.faults.killMember('g', 'any')
        await clock.sleep(60_000)
        put(cluster, ['after'])
        await clock.sleep(10_000)
        expect([...new Set(handled)]).toEqual(['one', 'two', 'three', 'after'])
        await messaging.close()
      }),
  )
})
