import { runInNewContext } from 'node:vm'
import { setFlagsFromString } from 'node:v8'
import { describe, expect, it } from 'vitest'
import type { Message } from '../../../src/message/message.js'
import { records } from './fake-driver.js'
import { routeFailing, setUp } from './consumer-setup.js'
import { t, world } from './whole-world.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

describe('many', () => {
  it('keys leave nothing behind: 100,000 of them do not grow the heap', async () => {
    const highMark = { records: 1_000_000, bytes: 1_000_000_000 }
    const { clock, driver, consumer } = setUp({ order: 'key', highMark, handle: async () => Promise.resolve() })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    const handleUpTo = async (from: number, to: number) => {
      for (let at = from; at < to; at += 1_000) {
        driver.deliver(
          assigned,
          records(at, at + 1_000, (offset) => `a key of some length ${offset}`),
        )
        await clock.advance(10)
      }
      driver.commits.length = 0
    }
    await handleUpTo(0, 20_000)
    const before = heapBytes()
    await handleUpTo(20_000, 120_000)
    const grownBytes = heapBytes() - before
    expect(consumer.facts().partitions[0]?.settled).toBe(120_000)
    expect(grownBytes).toBeLessThan(3 * 1024 * 1024)
  })

  it('records of one partition do not keep another one waiting for its turn', async () => {
    const ended: string[] = []
    const { clock, driver, consumer } = setUp({
      order: 'none',
      concurrency: 4,
      handle: async ({ partition, offset }: Message) => {
        await clock.sleep(10)
        ended.push(`${partition}@${offset}`)
      },
    })
    await consumer.start()
    const busy = await driver.assign('t', 0)
    driver.deliver(busy, records(0, 5_000))
    await clock.advance(5)
    const quiet = await driver.assign('t', 1)
    driver.deliver(quiet, records(0, 10))
    // Half of the four places are its own: ten records take five turns, and one that was under way.
    await clock.advance(60)
    expect(ended.filter((place) => place.startsWith('1@')).length).toBe(10)
  })

  it('dead letters that wait for a broker are no leak of listeners, and end with their partition', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => void warnings.push(warning)
    process.on('warning', note)
    const { route } = routeFailing(Infinity)
    const handle = () => Promise.reject(new Error('cannot be handled'))
    const { clock, driver, consumer } = setUp({ order: 'none', concurrency: 200, handle }, { deadLetter: route })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 200))
    await clock.advance(30_000)
    driver.lose(assigned)
    await clock.advance(0)
    expect(consumer.facts().running).toBe(0)
    await clock.runUntil(consumer.stop())
    await new Promise((resolve) => setTimeout(resolve, 1))
    process.off('warning', note)
    expect(warnings).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('partitions, a thousand of them, are read, handled and committed to their ends', async () => {
    const { clock, cluster, open, append } = world({ partitions: 1_000 })
    for (let partition = 0; partition < 1_000; partition += 1) append(partition, 20)
    const messaging = open()
    let handled = 0
    const consumer = messaging.consumer({
      group: 'g',
      topics: [t],
      concurrency: 256,
      handle: () => void (handled += 1),
    })
    await clock.runUntil(consumer.start())
    await clock.runUntil(() => handled === 20_000, { limitMs: 60_000 })
    await clock.runUntil(messaging.close())
    // One more than the records: each partition ends with a control record.
    expect(cluster.committed('g').filter(({ offset }) => offset === 21).length).toBe(1_000)
  })

  it('rebalances leave no timer behind', async () => {
    const { clock, cluster, open } = world({ partitions: 6 })
    const messaging = open()
    const consumer = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
    await clock.runUntil(consumer.start())
    const rebalance = async (times: number) => {
      for (let time = 0; time < times; time += 1) {
        cluster.faults.killMember('g', 'any')
        await clock.advance(1_500)
      }
    }
    await rebalance(10)
    const before = clock.pendingTimers
    await rebalance(60)
    expect(consumer.assignment().length).toBe(6)
    expect(clock.pendingTimers).toBeLessThanOrEqual(before + 2)
    await clock.runUntil(messaging.close())
  })
})
