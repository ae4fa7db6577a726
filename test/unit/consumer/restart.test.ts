import type { TidemarkError } from 'tidemark'
import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { followerThatCopiesNothing, missed, numbered, open, placeOf, put, simulated, t, until } from './simulated.js'

describe('restart of a partition whose log was lost', () => {
  it.each(['a topic made anew', 'an unclean election'] as const)(
    'stops it again and passes nothing over, as nothing was mended: %s',
    (how) =>
      simulated(async (simulation) => {
        const { cluster, clock } = simulation
        cluster.createTopic('t')
        const follower = followerThatCopiesNothing(cluster)
        put(cluster, numbered('old', 20))
        const handled: string[] = []
        const errors: TidemarkError[] = []
        const messaging = open(simulation.process('one'))
        const consumer = messaging.consumer({
          group: 'g',
          topics: [t],
          onOutOfRange: 'stop',
          sessionTimeoutMs: 6_000,
          onPartitionStopped: (_, error) => void errors.push(error),
          handle: (message) => void handled.push(placeOf(message)),
        })
        await consumer.start()
        await until(simulation, () => handled.length === 20)
        await clock.sleep(6_000)
        handled.length = 0
        if (how === 'a topic made anew') {
          cluster.deleteTopic('t')
          cluster.createTopic('t')
        } else cluster.faults.moveLeader('t', 0, follower)
        put(cluster, numbered('new', 40))
        await until(simulation, () => errors.length === 1)
        await consumer.restart('t', 0)
        await until(simulation, () => errors.length === 2)
        expect(errors.map(({ code, offset }) => ({ code, offset }))).toEqual(
          Array.from({ length: 2 }, () => ({ code: errors[0]?.code, offset: 21 })),
        )
        expect(handled).toEqual([])
        await consumer.seek('t', 0, 0)
        await until(simulation, () => missed(cluster, handled).length === 0)
        expect(missed(cluster, handled)).toEqual([])
        await messaging.close()
      }),
  )

  it.each(['earliest', 'latest'] as const)('is refused while nobody can tell where it stands: %s', (onOutOfRange) =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('v', 20))
      for (let i = 0; i < 100; i++)
        cluster.faults.failNext({ api: 'offsetFetch' }, brokerCode.GROUP_AUTHORIZATION_FAILED)
      const handled: string[] = []
      const errors: TidemarkError[] = []
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        onOutOfRange,
        onPartitionStopped: (_, error) => void errors.push(error),
        handle: (message) => void handled.push(placeOf(message)),
      })
      await consumer.start()
      await until(simulation, () => errors.length === 1)
      await expect(consumer.restart('t', 0)).rejects.toMatchObject({ code: 'no-place' })
      await clock.sleep(10_000)
      expect(handled).toEqual([])
      await consumer.seek('t', 0, 0)
      await until(simulation, () => missed(cluster, handled).length === 0)
      expect(missed(cluster, handled)).toEqual([])
      await messaging.close()
    }),
  )
})
