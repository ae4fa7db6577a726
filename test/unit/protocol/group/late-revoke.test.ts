import { expect, it } from 'vitest'
import type { ConsumerSettings } from '../../../../src/driver/consumer.js'
import { createMemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

it('a revoke that ends late takes nothing from the assignment after it', async () => {
  const clock = virtualClock()
  const cluster = createMemoryCluster({ runtime: { clock, random: seededRandom(1) }, latencyMs: 1 })
  cluster.createTopic('t', { partitions: 6 })
  let opened = 0
  const member = (settings: Partial<ConsumerSettings> = {}) =>
    new ConsumerHarness(cluster.connectionFactory().open(`member-${(opened += 1)}`), clock, {
      rebalanceTimeoutMs: 10_000,
      ...settings,
    })
  const first = member()
  await first.start()
  // The next assignment is taken in slowly: a leader cannot be found, or the reader is busy.
  let slow = true
  first.whenAssigned = async () => {
    if (slow) await clock.sleep(60_000)
  }
  const second = member()
  await second.start()
  await clock.advance(100)
  expect(first.held().length).toBe(3)
  const third = member()
  void third.consumer.start(clock.now() + 30_000).catch(() => undefined)
  await clock.advance(1_500) // the first one is told to give up, and waits for its slow beginning
  slow = false
  const me = first.consumer.facts().memberId
  cluster.faults.killMember('g', me ?? '')
  await clock.advance(2_500)
  expect(first.held().length).toBe(2)
  await clock.advance(20_000)
  expect(first.held().length).toBe(2)
  for (const one of [first, second, third]) await one.stop()
})
