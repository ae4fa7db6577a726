import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { textHeader } from '../../../src/message/headers.js'
import { simulated } from '../consumer/simulated.js'
import { consuming, late, letters, soon, until, valuesOf } from './retrying.js'

const ordered = { retryLater: { delays: ['2s', 10_000] } } as const

describe('who takes over a key that is put off', () => {
  it('handles nothing of it again behind newer records: these begin only when what came back is on record', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      const process = simulation.process('one')
      const fails = (value: string, attempt: number) => value === 'a-1' && attempt === 1
      const first = await consuming(simulation, process, fails, ordered)
      await first.send('a-1', 'a-2')
      await until(simulation, () => cluster.records(soon, 0).length === 2)
      const refusals = Array.from({ length: 20 }, () =>
        cluster.faults.failNext({ api: 'offsetCommit' }, brokerCode.COORDINATOR_LOAD_IN_PROGRESS),
      )
      await until(simulation, () => first.seen.length === 3)
      await first.send('a-3')
      await clock.sleep(2_000)
      expect(valuesOf(first.seen)).toEqual(['a-1', 'a-1', 'a-2'])
      expect(refusals.length).toBe(20)
      process.crash()
      const second = await consuming(simulation, simulation.process('two'), () => false, ordered)
      await until(simulation, () => second.seen.at(-1)?.value === 'a-3')
      expect(valuesOf(second.seen)).toContain('a-2')
      await second.messaging.close()
    }))

  it('passes over what its former owner wrote too late, and so does whoever comes then', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      const process = simulation.process('one')
      const first = await consuming(simulation, process, () => false, ordered)
      await clock.sleep(1_000)
      const landed = (value: string, waitMs: number) => {
        const headers = [
          textHeader('td-retry-id', 'former.1'),
          textHeader('td-not-before', new Date(clock.wallTime() + waitMs).toISOString()),
        ]
        const record = { key: Buffer.from('a'), value: Buffer.from(value), headers, timestamp: clock.wallTime() }
        cluster.appendTransaction(soon, 0, [record], 'commit')
      }
      landed('a-1', 0)
      landed('a-2', 8_000)
      await clock.sleep(3_000)
      process.crash()
      const second = await consuming(simulation, simulation.process('two'), () => false, ordered)
      await clock.sleep(12_000)
      expect(valuesOf([...first.seen, ...second.seen])).toEqual([])
      expect(second.consumer.lag()).toBe(0)
      await second.messaging.close()
    }))
})

describe('a delay topic one of whose partitions has no leader', () => {
  it('holds up that partition of its topic when they are taken, and no other', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { partitions: 3 })
      const first = await consuming(simulation, simulation.process('one'), () => false, ordered)
      await clock.sleep(1_000)
      await first.messaging.close()
      const unled = { api: 'listOffsets', topic: soon, partition: 1 } as const
      for (let count = 0; count < 500; count += 1) cluster.faults.failNext(unled, brokerCode.LEADER_NOT_AVAILABLE)
      const { messaging, seen, send } = await consuming(simulation, simulation.process('two'), () => false, ordered)
      await send(...Array.from({ length: 12 }, (_, index) => `k${index}-1`))
      await clock.sleep(20_000)
      const partitions = () => [...new Set(seen.map(({ place }) => place.split('@')[0]))].sort()
      expect(partitions()).toEqual(['t-0', 't-2'])
      cluster.faults.clear()
      await until(simulation, () => seen.length === 12)
      await messaging.close()
    }))
})

describe('a key whose record is too large for its delay topic', () => {
  it('goes on: the record becomes a dead letter', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic(soon, { configs: { 'max.message.bytes': '400' } })
      const long = `a-1${'x'.repeat(250)}`
      const process = simulation.process('one')
      const { messaging, seen, send } = await consuming(simulation, process, (value) => value === long, ordered)
      await send(long, 'a-2')
      await until(simulation, () => seen.length === 2)
      expect(cluster.records('t.dlq', 0).length).toBe(1)
      expect(cluster.records(soon, 0).length).toBe(0)
      await messaging.close()
    }))
})

describe('a record that only waited behind another', () => {
  it.each([
    ['at the last delay', (value: string) => value !== 'b-1'],
    ['at the first one', (value: string, attempt: number) => value === 'a-2' || (value === 'a-1' && attempt === 1)],
  ])('has a delay of its own when it fails %s, and what follows it waits with it', (_, fails) =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      const options = { ...ordered, order: 'key' } as const
      const { messaging, seen, send } = await consuming(simulation, simulation.process('one'), fails, options)
      await send('a-1', 'a-2')
      await until(simulation, () => seen.some(({ value, attempt }) => value === 'a-2' && attempt === 1))
      await send('b-1', 'a-3')
      await until(simulation, () => cluster.records('t.dlq', 0).some(({ value }) => String(value) === 'a-2'))
      const [first, second] = seen.filter(({ value }) => value === 'a-2')
      expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(2_000)
      expect(seen.filter(({ value }) => value === 'a-2').map(({ attempt }) => attempt)).toEqual([1, 2])
      await until(simulation, () => valuesOf(seen).includes('a-3'))
      const order = valuesOf(seen)
      expect(order.indexOf('b-1')).toBeLessThan(order.lastIndexOf('a-2'))
      expect(order.lastIndexOf('a-2')).toBeLessThan(order.indexOf('a-3'))
      await messaging.close()
    }),
  )
})

describe('a key whose record became a dead letter that stops its partition', () => {
  it('is not handled further before the restart, and goes on then; other keys do all the time', () =>
    simulated(async (simulation) => {
      const fails = (value: string) => value === 'a-1'
      const options = { ...ordered, deadLetter: { topic: letters, afterwards: 'stop' } } as const
      const { messaging, consumer, seen, send } = await consuming(simulation, simulation.process('one'), fails, options)
      await send('a-1')
      const stopped = () => consumer.facts().partitions.some(({ state }) => state === 'stopped')
      await until(simulation, stopped)
      await send('a-2', 'b-1')
      await simulation.clock.sleep(5_000)
      expect(valuesOf(seen)).toEqual(['a-1', 'a-1', 'a-1', 'b-1'])
      await consumer.restart(late, 0)
      await until(simulation, () => seen.at(-1)?.value === 'a-2')
      await send('a-3')
      await until(simulation, () => seen.at(-1)?.value === 'a-3')
      await messaging.close()
    }))
})
