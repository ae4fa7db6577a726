import { describe, expect, it } from 'vitest'
import { followerThatCopiesNothing, missed, numbered, open, placeOf, put, simulated, t, until } from './simulated.js'

describe('a log that is cut while fetched records wait for their handler', () => {
  it.each(['partition', 'none'] as const)('loses none of those below the cut: order %s', (order) =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('kept', 10))
      await clock.sleep(5_000)
      const follower = followerThatCopiesNothing(cluster)
      put(cluster, numbered('lost', 10))
      const handled: string[] = []
      let letGo = () => {}
      const stuck = new Promise<void>((resolve) => (letGo = resolve))
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        order,
        concurrency: 2,
        onOutOfRange: 'earliest',
        sessionTimeoutMs: 6_000,
        handle: async (message) => {
          if (message.offset === 3) await stuck
          handled.push(placeOf(message))
        },
      })
      await consumer.start()
      await until(simulation, () => handled.length >= 3)
      await clock.sleep(1_000)
      cluster.faults.moveLeader('t', 0, follower)
      put(cluster, numbered('new', 30))
      await clock.sleep(10_000)
      letGo()
      await clock.sleep(30_000)
      expect(missed(cluster, handled)).toEqual([])
      await messaging.close()
    }),
  )
})
