import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import { memory } from '../../src/drivers/memory/memory.js'
import type { TidemarkError } from '../../src/errors.js'
import type { Message } from '../../src/message/message.js'
import { createMessaging } from '../../src/messaging.js'
import { systemClock } from '../../src/runtime/clock.js'
import { seededRandom } from '../../src/runtime/random.js'
import { string } from '../../src/serde/string.js'
import { virtualClock } from '../../src/testing/time/virtual-clock.js'
import { defineTopic } from '../../src/topic/define-topic.js'
import { ManualHandler, setUp } from './consumer/consumer-setup.js'
import { records } from './consumer/fake-driver.js'

const hourMs = 3_600_000
const text = defineTopic({ name: 't', value: string() })

/** Both ways, also in the middle of what waits. */
const settings = [
  ['back by an hour', -hourMs],
  ['forward by an hour', hourMs],
] as const

function world() {
  const clock = virtualClock()
  const cluster = createMemoryCluster({ runtime: { clock, random: seededRandom(1) }, brokers: 1 })
  cluster.createTopic('t', { partitions: 2, replicationFactor: 1 })
  const messaging = createMessaging({ driver: memory({ cluster, runtime: { clock, random: seededRandom(2) } }) })
  const ended = (sent: Promise<unknown>) =>
    sent.then(
      () => 'stored',
      (error: TidemarkError) => error.code,
    )
  return { clock, cluster, messaging, ended }
}

describe.each(settings)('a wall clock that is set %s', (_, byMs) => {
  it('keeps no record lingering and sends none early', async () => {
    const { clock, messaging, ended } = world()
    const producer = messaging.producer({ lingerMs: 1_000 })
    await clock.runUntil(producer.connect())
    const from = clock.now()
    const sent = ended(producer.send(text, 'a', { partition: 0 }))
    await clock.advance(100)
    clock.shiftWallTime(byMs)
    const end = await clock.runUntil(sent)
    expect([end, clock.now() - from]).toEqual(['stored', expect.closeTo(1_000, -2)])
    await messaging.close({ timeoutMs: 0 })
  })

  it('neither lengthens nor shortens the deadline of a send', async () => {
    const { clock, cluster, messaging, ended } = world()
    const producer = messaging.producer({ deliveryTimeoutMs: 10_000 })
    await clock.runUntil(producer.send(text, 'warm', { partition: 0 }))
    cluster.faults.silence(0)
    const from = clock.now()
    const behind = [0, 1].map((partition) => ended(producer.send(text, 'x', { partition })))
    await clock.advance(1_000)
    clock.shiftWallTime(byMs)
    for (const sent of behind) {
      const end = await clock.runUntil(sent)
      expect(end).toBe('delivery-timeout')
      expect(clock.now() - from).toBe(10_000)
    }
    await messaging.close({ timeoutMs: 0 })
  })

  it('keeps no throttled client silent for longer, nor lets it speak early', async () => {
    const { clock, cluster, messaging } = world()
    const producer = messaging.producer()
    await clock.runUntil(producer.send(text, 'warm', { partition: 0 }))
    cluster.faults.throttleNext({ api: 'produce' }, 3_000)
    await clock.runUntil(producer.send(text, 'a', { partition: 0 }))
    const from = clock.now()
    clock.shiftWallTime(byMs)
    await clock.runUntil(producer.send(text, 'b', { partition: 0 }))
    expect(clock.now() - from).toBeGreaterThanOrEqual(2_900)
    expect(clock.now() - from).toBeLessThanOrEqual(3_100)
    await messaging.close({ timeoutMs: 0 })
  })

  it('times out no handler early and none late, and lets a consumer commit and stop as before', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer, stopped } = setUp({ handle: handler.handle, handlerTimeoutMs: 20_000 })
    await clock.runUntil(consumer.start())
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 1))
    await clock.advance(10)
    clock.shiftWallTime(byMs)
    await clock.advance(19_000)
    expect(stopped).toEqual([])
    await clock.advance(10_000)
    expect(stopped).toMatchObject([{ error: { cause: { code: 'handler-timeout' } } }])
    const from = clock.now()
    const stopping = consumer.stop({ timeoutMs: 5_000 })
    clock.shiftWallTime(-byMs)
    await clock.runUntil(stopping)
    expect(clock.now() - from).toBeLessThanOrEqual(5_000)
  })

  it('is what records, facts and the deadline told to handlers show, as it stands', async () => {
    const { clock, cluster, messaging } = world()
    const producer = messaging.producer()
    clock.shiftWallTime(byMs)
    await clock.runUntil(producer.send(text, 'a', { partition: 0 }))
    expect(cluster.records('t', 0)[0]!.timestamp).toBe(clock.wallTime())
    const seen: number[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [text],
      handlerTimeoutMs: 60_000,
      handle: (_message: Message, context) => void seen.push(context.deadline - clock.wallTime()),
    })
    await clock.runUntil(consumer.start())
    await clock.advance(1_000)
    expect(seen).toEqual([60_000])
    const { driver, partitions } = consumer.facts()
    for (const at of [driver!.lastFetchAt!, driver!.lastHeartbeatAt!, partitions[0]!.lastProgressAt]) {
      expect(Math.abs(at - clock.wallTime())).toBeLessThan(10_000)
    }
    await clock.runUntil(messaging.close())
  })
})

describe('the system clock', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['Date'] }))
  afterEach(() => vi.useRealTimers())

  it('waits by a time that nobody sets, and writes timestamps by the one that is shown', () => {
    const before = systemClock.now()
    vi.setSystemTime(0)
    expect(systemClock.wallTime()).toBe(0)
    expect(systemClock.now() - before).toBeLessThan(1_000)
    expect(systemClock.now()).toBeGreaterThanOrEqual(before)
    expect(Number.isInteger(systemClock.now())).toBe(true)
  })
})
