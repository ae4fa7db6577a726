import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { t, world } from './whole-world.js'

describe('commits', () => {
  it('are not made for a partition whose start nobody could tell', async () => {
    const { clock, cluster, open, append, committed } = world()
    append(0, 10)
    const first = open()
    const one = first.consumer({ group: 'g', topics: [t], handle: () => undefined })
    await clock.runUntil(one.start())
    await clock.advance(6_000)
    await clock.runUntil(first.close())
    expect(committed('g')).toBe(11)
    for (let i = 0; i < 100; i++) cluster.faults.failNext({ api: 'offsetFetch' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
    const second = open()
    const stopped: unknown[] = []
    const two = second.consumer({
      group: 'g',
      topics: [t],
      sessionTimeoutMs: 6_000,
      handle: () => undefined,
      onPartitionStopped: (_, error) => void stopped.push(error),
    })
    await clock.runUntil(two.start())
    await clock.advance(1_000)
    expect(stopped.length).toBe(1)
    await clock.runUntil(second.close())
    expect(committed('g')).toBe(11)
  })

  it("under from 'latest' are not made for a partition whose start nobody could tell", async () => {
    const { clock, cluster, open, append, committed } = world()
    append(0, 10)
    for (let i = 0; i < 100; i++) cluster.faults.failNext({ api: 'listOffsets' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
    const second = open()
    const two = second.consumer({
      group: 'g',
      topics: [t],
      sessionTimeoutMs: 6_000,
      from: 'latest',
      handle: () => undefined,
    })
    await clock.runUntil(two.start())
    await clock.advance(1_000)
    await clock.runUntil(second.close())
    expect(committed('g')).toBe(undefined)
  })
})

describe('partitions that are added', () => {
  it("are read from their first record by a group that started at 'latest'", async () => {
    const { clock, cluster, open, append } = world({ partitions: 1 })
    const messaging = open()
    const seen: string[] = []
    const one = messaging.consumer({
      group: 'g',
      topics: [t],
      from: 'latest',
      handle: ({ partition, offset }) => void seen.push(`${partition}@${offset}`),
    })
    await clock.runUntil(one.start())
    await clock.advance(2_000)
    cluster.addPartitions('t', 2)
    append(1, 3)
    await clock.advance(120_000)
    expect(one.assignment().length).toBe(2)
    expect(seen).toEqual(['1@0', '1@1', '1@2'])
    await clock.runUntil(messaging.close())
  })
})

describe('close', () => {
  const never = () => new Promise<void>(() => undefined)

  it('ends by its deadline although a consumer has more time of its own to stop', async () => {
    const { clock, open, append } = world({ partitions: 2 })
    append(0, 3)
    const messaging = open()
    const one = messaging.consumer({ group: 'g', topics: [t], handle: never })
    await clock.runUntil(one.start())
    await clock.advance(100)
    void one.stop()
    const begun = clock.now()
    await clock.runUntil(messaging.close({ timeoutMs: 2_000 }))
    expect(clock.now() - begun).toBeLessThanOrEqual(2_000)
  })
})
