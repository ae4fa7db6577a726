import { describe, expect, it } from 'vitest'
import type { MessagingOptions } from 'tidemark'
import { logged, open, put, simulated, t, until } from './simulated.js'

type Heard = Parameters<NonNullable<MessagingOptions['onEvent']>>[0]

describe('onEvent', () => {
  it('hears what happens to a consumer and its group once, in order, with whose it is and without a key or value', () =>
    simulated(async (simulation) => {
      const { cluster, clock, process } = simulation
      cluster.createTopic('t')
      put(cluster, ['first-secret', 'poison-secret'])
      const heard: Heard[] = []
      const { logger, lines } = logged()
      const messaging = open(process('one'), { clientId: 'shop', logger, onEvent: (event) => void heard.push(event) })
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        retry: false,
        handle: ({ value }) => {
          if (value === 'poison-secret') throw new Error('no')
        },
      })
      await consumer.start()
      await until(simulation, () => heard.some(({ kind }) => kind === 'partition-stopped'))
      cluster.faults.killMember('g', 'any')
      await until(simulation, () => heard.filter(({ kind }) => kind === 'partition-stopped').length === 2)
      await clock.sleep(1_000)
      await messaging.close()
      const kinds = heard.map(({ kind }) => kind)
      const life = ['joined', 'assigned', 'partition-stopped']
      const again = kinds.slice(kinds.indexOf('membership-lost'))
      expect(kinds.filter((kind) => kind === 'connected')).toHaveLength(1)
      const first = kinds.filter((kind) => kind !== 'connected').slice(0, 3)
      expect(first.sort()).toEqual([...life].sort())
      expect(again.filter((kind) => life.includes(kind)).sort()).toEqual([...life].sort())
      expect(kinds.filter((kind) => kind === 'drained')).toHaveLength(2)
      expect(kinds.at(-1)).toBe('stopped')
      for (const event of heard) expect(event).toMatchObject({ client: 'shop', group: 'g' })
      expect(JSON.stringify(heard)).not.toContain('secret')
      const told = lines.filter(({ fields }) => 'event' in fields)
      expect(told.map(({ fields }) => fields['event'])).toEqual(kinds)
    }))

  it('changes nothing when it throws: records are handled, and each failure of it is told', () =>
    simulated(async (simulation) => {
      const { cluster, process } = simulation
      cluster.createTopic('t')
      put(cluster, ['x', 'y'])
      const { logger, loud } = logged()
      const onEvent = (): never => {
        throw new Error('no ear')
      }
      const messaging = open(process('one'), { logger, onEvent })
      const handled: string[] = []
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        handle: ({ value }) => void handled.push(value),
      })
      await consumer.start()
      await until(simulation, () => handled.length === 2)
      await messaging.close()
      expect(handled).toEqual(['x', 'y'])
      expect(consumer.state).toBe('stopped')
      expect(loud().length).toBeGreaterThan(2)
      for (const { fields } of loud()) expect(fields).toMatchObject({ listener: 'onEvent' })
    }))
})
