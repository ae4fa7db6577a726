import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { setUp } from './consumer-setup.js'
import { records } from './fake-driver.js'
import { followerThatCopiesNothing, missed, numbered, put, reading, simulated, until } from './simulated.js'

describe('restart of a partition whose log was lost', () => {
  it.each(['a topic made anew', 'an unclean election'] as const)(
    'stops it again and passes nothing over, as nothing was mended: %s',
    (how) =>
      simulated(async (simulation) => {
        const { cluster, clock } = simulation
        cluster.createTopic('t')
        const follower = followerThatCopiesNothing(cluster)
        put(cluster, numbered('old', 20))
        const { consumer, handled, stopped, close } = await reading(simulation, 'one', { onOutOfRange: 'stop' })
        await until(simulation, () => handled.length === 20)
        await clock.sleep(6_000)
        handled.length = 0
        if (how === 'a topic made anew') {
          cluster.deleteTopic('t')
          cluster.createTopic('t')
        } else cluster.faults.moveLeader('t', 0, follower)
        put(cluster, numbered('new', 40))
        await until(simulation, () => stopped.length === 1)
        await consumer.restart('t', 0)
        await until(simulation, () => stopped.length === 2)
        expect(stopped.map(({ code, offset }) => ({ code, offset }))).toEqual(
          Array.from({ length: 2 }, () => ({ code: stopped[0]?.code, offset: 21 })),
        )
        expect(handled).toEqual([])
        await consumer.seek('t', 0, 0)
        await until(simulation, () => missed(cluster, handled).length === 0)
        expect(missed(cluster, handled)).toEqual([])
        await close()
      }),
  )

  it.each(['earliest', 'latest'] as const)('is refused while nobody can tell where it stands: %s', (onOutOfRange) =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('v', 20))
      for (let i = 0; i < 100; i++)
        cluster.faults.failNext({ api: 'offsetFetch' }, brokerCode.GROUP_AUTHORIZATION_FAILED)
      const { consumer, handled, stopped, close } = await reading(simulation, 'one', { onOutOfRange })
      await until(simulation, () => stopped.length === 1)
      await expect(consumer.restart('t', 0)).rejects.toMatchObject({ code: 'no-place' })
      await clock.sleep(10_000)
      expect(handled).toEqual([])
      await consumer.seek('t', 0, 0)
      await until(simulation, () => missed(cluster, handled).length === 0)
      expect(missed(cluster, handled)).toEqual([])
      await close()
    }),
  )
})

describe('what was settled before a restart and is not on record', () => {
  it('is named when the partition is lost before the next commit', async () => {
    const handle = ({ offset }: { readonly offset: number }) => {
      if (offset === 3) throw new Error('no')
    }
    const { clock, driver, consumer, drains } = setUp({
      handle,
      commit: { everyMs: 3_600_000, everyMessages: 1_000_000 },
    })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 5))
    await clock.advance(0)
    await consumer.restart('t', 0)
    driver.lose(assigned)
    expect(drains).toMatchObject([{ reason: 'lost', possibleDuplicates: [{ from: 0, to: 4 }] }])
  })

  it('is named where it failed before the restart, though all before it is on record', async () => {
    const handle = ({ offset }: { readonly offset: number }) => {
      if (offset === 3) throw new Error('no')
    }
    const { clock, driver, consumer, drains } = setUp({ handle, commit: 'each' })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 5))
    await clock.advance(0)
    await consumer.restart('t', 0)
    await clock.advance(1_000)
    driver.lose(assigned)
    expect(drains).toMatchObject([
      { reason: 'lost', committed: [{ offset: 3 }], possibleDuplicates: [{ from: 3, to: 4 }] },
    ])
  })
})
