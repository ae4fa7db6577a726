import { describe, expect, it } from 'vitest'
import type { Message } from 'tidemark'
import { boundedOutOfOrderness, watermarksBy, type WatermarkGenerator } from 'tidemark/event-time'
import { encodeCommitMetadata } from '../../../src/offsets/commit-metadata.js'
import { orderSection } from '../../../src/offsets/order-snapshot.js'
import { orderedBy } from '../../../src/reorder/sequencer.js'
import { setUp } from '../consumer/consumer-setup.js'
import { record } from '../consumer/fake-driver.js'
import { simulated, until } from '../consumer/simulated.js'
import { day, inOrder, putTimes } from './reading.js'

/** Two partitions with two records each, and this strategy. */
const reading = (watermark: object, check: (one: Awaited<ReturnType<typeof inOrder>>) => void) =>
  simulated(async (simulation) => {
    simulation.cluster.createTopic('t', { partitions: 2 })
    putTimes(simulation.cluster, 0, [100, 200])
    putTimes(simulation.cluster, 1, [150, 250])
    const one = await inOrder(simulation, 'one', { reorder: { watermark: watermark as never } })
    await until(simulation, () => one.stopped.length > 0)
    await simulation.clock.sleep(1_500)
    check(one)
    expect(one.failed).toEqual([])
    await one.messaging.close()
  })

const bounded = (): WatermarkGenerator => boundedOutOfOrderness(10).rules.generator({ topic: 't', partition: 0 })

describe('a function of the strategy that does not do its part', () => {
  it('stops the partition whose generator cannot be made; the consumer and the others go on', () => {
    const watermark = watermarksBy(({ partition }) => {
      if (partition === 1) throw new RangeError('secret')
      return bounded()
    })
    return reading(watermark, ({ stopped, values }) => {
      expect(stopped).toMatchObject([{ code: 'watermark-strategy-failed', partition: 1, offset: 0 }])
      expect(stopped[0]?.message).toMatch(/threw RangeError; mend it/)
      expect(values()).toEqual(['0@100', '0@200'])
    })
  })

  it('stops the partition whose restart its generator throws at', async () => {
    const throwing = { onRecord: () => { throw new RangeError('secret') }, currentWatermark: () => -Infinity } // prettier-ignore
    const buffer = { maxRecords: 1_000, maxBytes: 1e9, maxRecordsPerPartition: 1_000, maxUncommittedSpan: 1_000 }
    const ordering = orderedBy({
      watermark: watermarksBy(() => throwing),
      order: 'combined',
      lateness: 'combined',
      late: { policy: 'deliver' },
      buffer: { ...buffer, whenFull: 'emit-early' },
      onShutdown: 'discard',
    })
    const stopped: unknown[] = []
    const onPartitionStopped = (_: unknown, error: unknown) => void stopped.push(error)
    const { clock, driver, consumer } = setUp({ handle: () => undefined, onPartitionStopped }, { ordering })
    await clock.runUntil(consumer.start())
    // All was done: what was the greatest time is told to the generator before anything is read.
    const done = { threshold: { timestamp: 1_000, place: null }, position: 4, maxTimestamp: 1_500 }
    const metadata = encodeCommitMetadata([orderSection(done)])
    const assigned = await driver.assign('t', 0, { committed: { offset: 4, metadata } })
    driver.deliver(assigned, [{ ...record(4), timestamp: 1_600 }])
    await clock.advance(100)
    expect(stopped).toMatchObject([{ code: 'watermark-strategy-failed', partition: 0, offset: 4 }])
    expect(consumer.state).toBe('running')
    consumer.stop({ timeoutMs: 0, force: true }).catch(() => undefined)
  })

  it.each([undefined, Number.NaN, '12'])('stops the partition where a generator tells no watermark: %s', (told) =>
    reading(
      watermarksBy(() => ({ onRecord: () => undefined, currentWatermark: () => told as never })),
      ({ stopped, values }) => {
        expect(stopped.map(({ code }) => code)).toEqual(['watermark-strategy-failed', 'watermark-strategy-failed'])
        expect(stopped[0]?.message).toMatch(/what currentWatermark of its generator gave is .*; give ms since the Unix/)
        expect(stopped[0]?.message).not.toMatch(/12/)
        expect(values()).toEqual([])
      },
    ),
  )

  it.each<[string, () => unknown, RegExp]>([
    ['a text', () => 'secret', /its time is a string, where a whole number of ms since the Unix epoch is wanted/],
    ['a Date', () => new Date(day), /its time is a Date, where a whole number of ms/],
    ['a promise', () => Promise.resolve(day), /its time is a promise, where/],
    ['nothing', () => undefined, /its time is missing, where/],
    ['null', () => null, /its time is NaN, where/],
    ['a bigint', () => BigInt(day), /its time is a bigint, where/],
    ['a symbol', () => Symbol('secret'), /its time is a symbol, where/],
    ['seconds with a fraction', () => day / 1_000 + 0.5, /its time is 1767225600.5, where a whole number/],
  ])('says what a timestamp assigner gave, by its kind alone: %s', (_, give, said) =>
    reading(boundedOutOfOrderness(10).withTimestampAssigner(give as (message: Message) => number), ({ stopped }) => {
      expect(stopped.map(({ code }) => code)).toEqual(['invalid-timestamp', 'invalid-timestamp'])
      expect(stopped[0]?.message).toMatch(said)
      expect(stopped[0]?.message).toMatch(/; mend the function given to withTimestampAssigner, or choose/)
      expect(stopped[0]?.message).not.toMatch(/secret/)
    }),
  )
})
