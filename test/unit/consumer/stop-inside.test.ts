import { createMessaging, defineTopic, string } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { describe, expect, it } from 'vitest'
import type { Middleware } from '../../../src/consumer/handling/handler.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { setUp } from './consumer-setup.js'
import { records } from './fake-driver.js'

const t = defineTopic({ name: 't', value: string() })

async function world() {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({ runtime, latencyMs: 1 })
  cluster.createTopic('t', { partitions: 1 })
  const messaging = createMessaging({ driver: memory({ cluster, runtime }), logger: 'silent' })
  const send = messaging.producer()
  for (const value of ['a', 'b', 'c']) await clock.runUntil(send.send(t, value))
  const committed = () => cluster.committed('g')[0]?.offset
  return { clock, messaging, committed }
}

type World = Awaited<ReturnType<typeof world>>
type Stopping = { stop(): Promise<void> }

const ways: [how: string, end: (messaging: World['messaging'], consumer: Stopping) => Promise<void>][] = [
  ['stop()', (_, consumer) => consumer.stop()],
  ['close()', (messaging) => messaging.close()],
]

describe.each(ways)('%s that is awaited inside', (_, end) => {
  it('a handler resolves at once; the record is settled and committed, and the consumer leaves', async () => {
    const { clock, messaging, committed } = await world()
    const seen: string[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [t],
      handle: async ({ value }, { signal }) => {
        await clock.sleep(50)
        const begun = clock.now()
        await end(messaging, consumer)
        seen.push(`${value} after ${clock.now() - begun} ms, ${consumer.state}`)
        await clock.sleep(1_000)
        seen.push(`${value} ended, given up: ${signal.aborted}`)
      },
    })
    await clock.runUntil(consumer.start())
    await clock.advance(500)
    expect(seen).toEqual(['a after 0 ms, stopping'])
    await clock.runUntil(consumer.stop())
    expect(seen).toEqual(['a after 0 ms, stopping', 'a ended, given up: false'])
    expect(committed()).toBe(1)
    await clock.runUntil(messaging.close())
  })

  it('a handler of batches, before anything is awaited there', async () => {
    const { clock, messaging, committed } = await world()
    const consumer = messaging.consumer({
      group: 'g',
      topics: [t],
      batchMessages: 2,
      handleBatch: (): Promise<void> => end(messaging, consumer),
    })
    await clock.runUntil(consumer.start())
    const begun = clock.now()
    await clock.advance(500)
    await clock.runUntil(consumer.stop())
    expect(clock.now() - begun).toBeLessThan(1_000)
    expect(committed()).toBe(2)
    await clock.runUntil(messaging.close())
  })

  it('a loop resolves at once; what the loop holds may still be committed, and the loop ends', async () => {
    const { clock, messaging, committed } = await world()
    const consumer = messaging.consumer({ group: 'g', topics: [t], loop: true, batchMessages: 1 })
    await clock.runUntil(consumer.start())
    const begun = clock.now()
    const run = async () => {
      for await (const batch of consumer.batches()) {
        await clock.sleep(50)
        if (batch.messages[0]?.value === 'b') await end(messaging, consumer)
        await batch.commit()
      }
    }
    await clock.runUntil(run())
    expect(clock.now() - begun).toBeLessThan(1_000)
    await clock.runUntil(consumer.stop())
    expect(committed()).toBe(2)
    await clock.runUntil(messaging.close())
  })
})

describe.each(ways)('%s that is called elsewhere', (_, end) => {
  it('waits for the handler that runs, and for what a loop holds', async () => {
    for (const form of ['handler', 'loop'] as const) {
      const { clock, messaging, committed } = await world()
      const handle = () => clock.sleep(2_000)
      const consumer =
        form === 'handler'
          ? messaging.consumer({ group: 'g', topics: [t], handle })
          : messaging.consumer({ group: 'g', topics: [t], loop: true, batchMessages: 1 })
      await clock.runUntil(consumer.start())
      const run = async () => {
        for await (const batch of consumer.batches()) {
          await handle()
          batch.done()
        }
      }
      const ran = form === 'loop' ? run() : Promise.resolve()
      await clock.advance(100)
      const begun = clock.now()
      await clock.runUntil(end(messaging, consumer))
      expect(clock.now() - begun).toBeGreaterThan(1_500)
      expect(committed()).toBe(1)
      await clock.runUntil(Promise.all([ran, messaging.close()]))
    }
  })
})

describe('a stop that is awaited', () => {
  let stop: () => Promise<void> = () => Promise.resolve()

  it.each<[string, Middleware[]]>([
    ['none', []],
    ['returns next', [(_, __, next) => next()]],
    [
      'awaits',
      [
        async (_, __, next) => {
          await next()
        },
      ],
    ],
    [
      'awaits in two',
      [
        async (_, __, next) => {
          await next()
        },
        async (_, __, next) => {
          try {
            await next()
          } finally {
            await Promise.resolve()
          }
        },
      ],
    ],
    ['async returns', [async (_, __, next) => next()]],
  ])('in a handler resolves behind middleware too: %s', async (_, use) => {
    let at = 'none'
    const all = setUp({
      use,
      handle: async () => {
        await all.clock.sleep(5)
        const inner = async () => {
          await Promise.resolve()
          await all.consumer.stop()
        }
        await inner()
        at = 'after'
      },
    })
    await all.consumer.start()
    all.driver.deliver(await all.driver.assign('t', 0), records(0, 1))
    await all.clock.advance(100)
    expect(at).toBe('after')
  })

  it.each<[string, Middleware[]]>([
    [
      'before next, one',
      [
        async (_, __, next) => {
          await Promise.resolve()
          await stop()
          await next()
        },
      ],
    ],
    [
      'before next, inner',
      [
        async (_, __, next) => {
          await next()
        },
        async (_, __, next) => {
          await Promise.resolve()
          await stop()
          await next()
        },
      ],
    ],
    [
      'after next, inner',
      [
        async (_, __, next) => {
          await next()
        },
        async (_, __, next) => {
          await next()
          await stop()
        },
      ],
    ],
  ])('in middleware resolves, and its record is handled: %s', async (_, use) => {
    let ended = 0
    const all = setUp({
      use,
      commit: 'each',
      handle: async () => {
        await all.clock.sleep(5)
        ended += 1
      },
    })
    stop = () => all.consumer.stop()
    await all.consumer.start()
    all.driver.deliver(await all.driver.assign('t', 0), records(0, 1))
    await all.clock.advance(200)
    expect(ended).toBe(1)
    expect(all.consumer.state).toBe('stopped')
  })
})
