import { describe, expect, it } from 'vitest'
import { t, world } from './consumer/whole-world.js'

describe('close of a messaging', () => {
  const never = () => new Promise<void>(() => undefined)

  it('ends by its deadline although a consumer failed before, with a handler that never ends', async () => {
    const { clock, open, append } = world({ partitions: 2 })
    append(0, 3)
    const messaging = open()
    const one = messaging.consumer({ group: 'g', groupInstanceId: 'x', topics: [t], handle: never })
    await clock.runUntil(one.start())
    await clock.advance(100)
    const other = open()
    const two = other.consumer({ group: 'g', groupInstanceId: 'x', topics: [t], handle: never })
    await clock.runUntil(two.start())
    await clock.runUntil(() => one.state === 'failed')
    const begun = clock.now()
    await clock.runUntil(messaging.close({ timeoutMs: 2_000 }))
    expect(clock.now() - begun).toBeLessThanOrEqual(2_000)
    await clock.runUntil(other.close({ timeoutMs: 2_000 }))
  })

  for (const timeoutMs of [0, 500, 2_000, 10_000]) {
    it(`ends within ${timeoutMs} ms although every broker is silent`, async () => {
      const { clock, cluster, open, append } = world({ partitions: 4 })
      append(0, 3)
      const messaging = open()
      const one = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
      await clock.runUntil(one.start())
      await clock.advance(100)
      append(1, 3)
      const producer = messaging.producer()
      await clock.runUntil(producer.send(t, 'x'))
      for (const node of [0, 1, 2]) cluster.faults.silence(node)
      const sent = producer.send(t, 'y').catch(() => undefined)
      await clock.advance(100)
      const begun = clock.now()
      await clock.runUntil(messaging.close({ timeoutMs }).catch(() => undefined))
      expect(clock.now() - begun).toBeLessThanOrEqual(timeoutMs)
      await clock.runUntil(sent)
      await clock.advance(60_000)
      expect(one.state).toBe('stopped')
    })

    it(`ends within ${timeoutMs} ms although every broker is gone`, async () => {
      const { clock, cluster, open, append } = world({ partitions: 4, failoverMs: 60_000 })
      append(0, 3)
      const messaging = open()
      const one = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
      await clock.runUntil(one.start())
      await clock.advance(100)
      append(1, 3)
      const producer = messaging.producer()
      await clock.runUntil(producer.send(t, 'x'))
      for (const node of [0, 1, 2]) cluster.faults.stopBroker(node)
      const sent = producer.send(t, 'y').catch(() => undefined)
      await clock.advance(100)
      const begun = clock.now()
      await clock.runUntil(messaging.close({ timeoutMs }).catch(() => undefined))
      expect(clock.now() - begun).toBeLessThanOrEqual(timeoutMs)
      await clock.runUntil(sent)
      expect(one.state).toBe('stopped')
    })
  }

  it('with an admin request out ends by its deadline too', async () => {
    const { clock, cluster, open } = world({ partitions: 4 })
    const messaging = open()
    await clock.runUntil(messaging.ensureTopics([t]))
    for (const node of [0, 1, 2]) cluster.faults.silence(node)
    const asked = messaging.admin.listOffsets([{ topic: 't', partition: 0 }], { timestamp: 0 }).catch(() => undefined)
    await clock.advance(100)
    const begun = clock.now()
    await clock.runUntil(messaging.close({ timeoutMs: 1_000 }))
    expect(clock.now() - begun).toBeLessThanOrEqual(1_000)
    await clock.runUntil(asked)
  })

  it('by force ends at once while an orderly close tries to leave a silent group', async () => {
    const { clock, cluster, open } = world({ partitions: 4 })
    const messaging = open()
    const one = messaging.consumer({ group: 'g', topics: [t], from: 'latest', handle: () => undefined })
    await clock.runUntil(one.start())
    await clock.advance(100)
    for (const node of [0, 1, 2]) cluster.faults.silence(node)
    void messaging.close({ timeoutMs: 30_000 })
    await clock.advance(100)
    const begun = clock.now()
    await clock.runUntil(messaging.close({ force: true }).catch(() => undefined))
    expect(clock.now() - begun).toBeLessThanOrEqual(10)
  })

  it('by force ends at once while handlers run and a commit is out', async () => {
    const { clock, cluster, open, append } = world({ partitions: 4 })
    append(0, 5)
    const messaging = open()
    const one = messaging.consumer({
      group: 'g',
      topics: [t],
      order: 'none',
      commit: 'each',
      handle: ({ offset }) => (offset === 0 ? undefined : never()),
    })
    await clock.runUntil(one.start())
    cluster.faults.silence(cluster.coordinatorOf('g'))
    await clock.advance(100)
    void messaging.close({ timeoutMs: 30_000 })
    await clock.advance(1_000)
    const begun = clock.now()
    await clock.runUntil(messaging.close({ force: true }).catch(() => undefined))
    expect(clock.now() - begun).toBeLessThanOrEqual(10)
  })

  it('while the consumer starts against silent brokers ends by its deadline', async () => {
    const { clock, cluster, open } = world({ partitions: 4 })
    const messaging = open()
    const one = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
    for (const node of [0, 1, 2]) cluster.faults.silence(node)
    const started = one.start()
    await clock.advance(500)
    const begun = clock.now()
    await clock.runUntil(messaging.close({ timeoutMs: 1_000 }))
    expect(clock.now() - begun).toBeLessThanOrEqual(1_000)
    await clock.runUntil(started)
    expect(one.state).toBe('stopped')
  })
})
