import type { ConsumerSettingsOptions } from 'tidemark'
import type { Simulation } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { parseCommitMetadata } from '../../../src/offsets/commit-metadata.js'
import {
  committedOffset,
  followerThatCopiesNothing,
  missed,
  numbered,
  placeOf,
  put,
  reading,
  simulated,
  until,
} from './simulated.js'

describe('a log that is cut while fetched records wait for their handler', () => {
  it.each([
    { order: 'partition', onOutOfRange: 'earliest' },
    { order: 'none', onOutOfRange: 'earliest' },
    { order: 'partition', onOutOfRange: 'latest' },
    { order: 'none', onOutOfRange: 'latest' },
  ] as const)('loses none of those below the cut: order $order, $onOutOfRange', ({ order, onOutOfRange }) =>
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
      const { close } = await reading(simulation, 'one', {
        order,
        concurrency: 2,
        onOutOfRange,
        handle: async (message) => {
          if (message.offset === 3) await stuck
          handled.push(placeOf(message))
        },
      })
      await until(simulation, () => handled.length >= 3)
      await clock.sleep(1_000)
      cluster.faults.moveLeader('t', 0, follower)
      put(cluster, numbered('new', 30))
      await clock.sleep(10_000)
      letGo()
      await clock.sleep(30_000)
      const passedOver = onOutOfRange === 'latest' ? numbered('new', 30).map((value, at) => `${at + 11}:${value}`) : []
      expect(missed(cluster, handled)).toEqual(passedOver)
      put(cluster, ['later'])
      await clock.sleep(5_000)
      expect(missed(cluster, handled)).toEqual(passedOver)
      expect(committedOffset(cluster)).toBe(cluster.partitionFacts('t', 0).logEndOffset)
      await close()
    }),
  )
})

describe('what was completed beyond a commit', () => {
  type Options = Pick<ConsumerSettingsOptions, 'order' | 'onOutOfRange'>

  /** Takes what it is given, and ends without the first of it: that one is then what the group has committed. */
  const allButFirst = async (simulation: Simulation, name: string, options: Options, first = 0) => {
    const { clock } = simulation
    const handled: string[] = []
    const { close } = await reading(simulation, name, {
      drainMs: 100,
      concurrency: 100,
      ...options,
      handle: async (message, { signal }) => {
        if (message.offset === first) await clock.sleep(600_000, signal)
        handled.push(placeOf(message))
      },
    })
    await clock.sleep(8_000)
    await close()
    return handled
  }

  const consuming = async (simulation: Simulation, name: string, options: Options) => {
    const reader = await reading(simulation, name, options)
    await simulation.clock.sleep(10_000)
    return { ...reader, jumps: () => reader.loud().filter(({ fields }) => 'logStart' in fields) }
  }

  /** 10 records stay, 10 that were completed are cut away, and 30 others stand there: offset 0 is committed, 10 its marker. */
  const cutAbove = async (simulation: Simulation, options: Options) => {
    const { cluster, clock } = simulation
    cluster.createTopic('t')
    put(cluster, numbered('kept', 10))
    await clock.sleep(2_000)
    const follower = followerThatCopiesNothing(cluster)
    put(cluster, numbered('lost', 10))
    const done = await allButFirst(simulation, 'one', options)
    expect(done).toHaveLength(19)
    expect(committedOffset(cluster)).toBe(0)
    cluster.faults.moveLeader('t', 0, follower)
    cluster.faults.resumeReplication(follower)
    put(cluster, numbered('new', 30))
  }

  it.each(['key', 'none'] as const)(
    'of a log that is cut then does not hide the records that stand there: %s',
    (order) =>
      simulated(async (simulation) => {
        const options = { order, onOutOfRange: 'earliest' } as const
        await cutAbove(simulation, options)
        const { handled, jumps, close } = await consuming(simulation, 'two', options)
        expect([...handled].sort()).toEqual(
          ['0:kept-0', ...numbered('new', 30).map((value, at) => `${at + 11}:${value}`)].sort(),
        )
        expect(jumps()).toMatchObject([{ fields: { position: 21, cutFrom: 11, to: 11 } }])
        await close()
      }),
  )

  it('of a log that is cut then stops the partition under stop, which names where to go on', () =>
    simulated(async (simulation) => {
      const options = { order: 'none', onOutOfRange: 'stop' } as const
      await cutAbove(simulation, options)
      const { consumer, handled, stopped, close } = await consuming(simulation, 'two', options)
      expect({ handled, stopped }).toMatchObject({
        handled: [],
        stopped: [{ code: 'offset-out-of-range', offset: 21 }],
      })
      expect(stopped[0]!.message).toMatch(/cut at offset 11 .*records 11 to 20 are gone .*\(0 for all that is new\)/)
      await close()
      const again = await consuming(simulation, 'three', options)
      expect({ handled: again.handled, stopped: again.stopped.length }).toEqual({ handled: [], stopped: 1 })
      expect(consumer.state).toBe('stopped')
      await again.consumer.seek('t', 0, 0)
      await simulation.clock.sleep(10_000)
      expect(missed(simulation.cluster, again.handled)).toEqual([])
      await again.close()
    }))

  it('of a log that is cut then is passed over with what is new under latest, and nothing that stands below', () =>
    simulated(async (simulation) => {
      const options = { order: 'none', onOutOfRange: 'latest' } as const
      await cutAbove(simulation, options)
      const { handled, jumps, close } = await consuming(simulation, 'two', options)
      expect(handled).toEqual(['0:kept-0'])
      expect(jumps()).toHaveLength(1)
      put(simulation.cluster, ['later'])
      await simulation.clock.sleep(5_000)
      expect(handled).toEqual(['0:kept-0', '42:later'])
      await close()
    }))

  it('stays known by its leader over a reset and the end of a process: a second cut hides nothing either', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      const options = { order: 'none', onOutOfRange: 'earliest' } as const
      await cutAbove(simulation, options)
      const second = await allButFirst(simulation, 'two', options)
      expect(second).toHaveLength(30)
      expect(committedOffset(cluster)).toBe(0)
      const ranges = parseCommitMetadata(cluster.committed('g')[0]!.metadata)
      expect([...ranges.keys()]).toEqual(['i', 'e', 'c'])
      const follower = followerThatCopiesNothing(cluster)
      put(cluster, numbered('gone', 10))
      const third = await allButFirst(simulation, 'three', options)
      expect(third).toHaveLength(10)
      cluster.faults.moveLeader('t', 0, follower)
      put(cluster, numbered('other', 20))
      const { handled, close } = await consuming(simulation, 'four', options)
      expect(handled).toHaveLength(21)
      expect(
        missed(cluster, [...handled, ...third, ...second, ...numbered('kept', 10).map((v, at) => `${at}:${v}`)]),
      ).toEqual([])
      await close()
    }))

  it('of several leaders is believed as long as each of them is there', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      const options = { order: 'none', onOutOfRange: 'stop' } as const
      for (const name of ['first', 'second', 'third']) {
        put(cluster, numbered(name, 5))
        await clock.sleep(2_000)
        cluster.faults.moveLeader('t', 0)
      }
      await allButFirst(simulation, 'one', options)
      const epochs = parseCommitMetadata(cluster.committed('g')[0]!.metadata).get('e')
      expect(epochs).toBe('0,0.6.0,0.6.1,0.5.2')
      const { handled, jumps, close } = await consuming(simulation, 'two', options)
      expect({ handled, jumps: jumps() }).toEqual({ handled: ['0:first-0'], jumps: [] })
      await close()
    }))

  it('of a version that did not name the leaders counts as it did', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      const options = { order: 'none', onOutOfRange: 'stop' } as const
      cluster.createTopic('t')
      put(cluster, numbered('v', 20))
      await allButFirst(simulation, 'one', options)
      const [commit] = cluster.committed('g')
      const metadata = commit!.metadata!.replace(/;e:\d+:[0-9a-z.,]+/, '')
      expect([...parseCommitMetadata(metadata).keys()]).toEqual(['i', 'c'])
      cluster.restoreCommit('g', { ...commit!, metadata })
      const { handled, close } = await consuming(simulation, 'two', options)
      expect(handled).toEqual(['0:v-0'])
      await close()
    }))
})
