import { describe, expect, it, vi } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import type { Logger } from '../../../src/telemetry/logger.js'
import type { MetricsAdapter } from '../../../src/telemetry/metrics.js'
import { committedOffset, numbered, open, put, simulated, t, until } from './simulated.js'

/** What ends a process: rejections that nobody took. Whoever else listens for them hears nothing meanwhile. */
async function strayRejections(run: () => Promise<void>): Promise<unknown[]> {
  const others = process.rawListeners('unhandledRejection')
  const stray: unknown[] = []
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (reason) => stray.push(reason))
  try {
    await run()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.removeAllListeners('unhandledRejection')
    for (const other of others) process.on('unhandledRejection', other as NodeJS.UnhandledRejectionListener)
  }
  return stray
}

describe('an async listener that rejects', () => {
  it.each(['onPartitionStopped', 'onDrained', 'onFailed'] as const)('leaves the process alive: %s', async (name) => {
    const stray = await strayRejections(() =>
      simulated(async ({ cluster, clock, process }) => {
        cluster.createTopic('t')
        put(cluster, ['poison'])
        const messaging = open(process('one'))
        const consumer = messaging.consumer({
          group: 'g',
          topics: [t],
          sessionTimeoutMs: 6_000,
          drainMs: 100,
          [name]: () => Promise.reject(new Error('no pager')),
          handle: () => Promise.reject(new Error('poison')),
        })
        await consumer.start()
        await clock.sleep(1_000)
        if (name === 'onFailed') cluster.faults.failNext({ api: 'heartbeat' }, brokerCode.FENCED_INSTANCE_ID)
        await clock.sleep(5_000)
        cluster.faults.clear()
        await messaging.close()
      }),
    )
    expect(stray).toEqual([])
  })
})

describe('a logger and a metrics adapter that throw at everything', () => {
  const failing = (): never => {
    throw new Error('disk full')
  }
  const logger: Logger = { debug: failing, info: failing, warn: failing, error: failing }
  const metrics: MetricsAdapter = { count: failing, gauge: failing, observe: failing }

  it('change nothing: what was sent settles, what was read is handled and committed, and all ends in order', async () => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const stray = await strayRejections(() =>
      simulated(async (simulation) => {
        const { cluster, clock, process } = simulation
        cluster.createTopic('t')
        const messaging = open(process('one'), { logger, metrics })
        const handled: string[] = []
        const consumer = messaging.consumer({
          group: 'g',
          topics: [t],
          sessionTimeoutMs: 6_000,
          handlerTimeoutMs: 1_000,
          handle: async ({ value }) => {
            if (value === 'poison') throw new Error('poison')
            handled.push(value)
            if (value === 'slow') await clock.sleep(3_000)
          },
        })
        await consumer.start()
        const producer = messaging.producer()
        cluster.faults.loseNextAnswer({ api: 'produce' })
        for (const value of ['one', 'two', 'slow']) await producer.send(t, value)
        await until(simulation, () => handled.length === 3)
        await clock.sleep(5_000)
        cluster.faults.killMember('g', 'any')
        await clock.sleep(10_000)
        await producer.send(t, 'poison')
        await clock.sleep(10_000)
        expect(handled.slice(0, 3)).toEqual(['one', 'two', 'slow'])
        await messaging.close()
        expect(consumer.state).toBe('stopped')
        expect(committedOffset(cluster)).toBeGreaterThanOrEqual(2)
      }),
    )
    vi.restoreAllMocks()
    expect(stray).toEqual([])
  })
})

describe('a thenable that a handler returns', () => {
  it('runs once, also when it ends too late', () =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t')
      cluster.createTopic('t.dlq')
      put(cluster, ['x'])
      let runs = 0
      const query: PromiseLike<void> = {
        then(onDone, onFailed) {
          runs += 1
          return clock.sleep(60_000).then(onDone, onFailed)
        },
      }
      const messaging = open(process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        handlerTimeoutMs: 1_000,
        retry: false,
        deadLetter: 't.dlq',
        handle: () => query as Promise<void>,
      })
      await consumer.start()
      await clock.sleep(70_000)
      expect(runs).toBe(1)
      await messaging.close()
    }))

  it('and throws when it is waited for fails its record alone', () =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t')
      cluster.createTopic('t.dlq')
      put(cluster, ['x', 'y'])
      const broken = {
        then() {
          throw new Error('in then')
        },
      }
      const messaging = open(process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        sessionTimeoutMs: 6_000,
        retry: false,
        deadLetter: 't.dlq',
        handle: () => broken as unknown as Promise<void>,
      })
      await consumer.start()
      await clock.sleep(10_000)
      expect(consumer.state).toBe('running')
      expect(cluster.records('t.dlq', 0).length).toBe(2)
      await messaging.close()
    }))
})

describe('a record whose handler throws something odd', () => {
  const odd = (properties: Record<string, unknown>) => Object.assign(new Error('x'), properties)
  const oddities: readonly (readonly [string, () => unknown])[] = [
    ['a message that is a list', () => odd({ message: ['name must not be empty'] })],
    ['a message that is a number', () => odd({ message: 404 })],
    ['a message that is an object', () => odd({ message: { code: 1 } })],
    ['a message that is undefined', () => odd({ message: undefined })],
    ['a name that is no text', () => odd({ name: 42 })],
    ['a stack of call sites', () => odd({ stack: [{}, {}] })],
    ['a message that throws', () => Object.defineProperty(new Error('x'), 'message', { get: throwing })],
    ['a proxy that throws at everything', () => new Proxy(new Error('x'), { get: throwing, getPrototypeOf: throwing })],
    ['a cause that throws', () => Object.defineProperty(new Error('x'), 'cause', { get: throwing })],
    ['an object without a prototype', () => Object.create(null) as unknown],
    ['nothing', () => undefined],
    ['a frozen error', () => Object.freeze(new Error('frozen'))],
    ['a symbol', () => Symbol('x')],
  ]
  function throwing(): never {
    throw new Error('odd')
  }

  function becomesADeadLetter(make: () => unknown): Promise<void> {
    return simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t')
      cluster.createTopic('t.dlq')
      put(cluster, ['poison', ...numbered('good', 1)])
      const handled: string[] = []
      const messaging = open(process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        retry: false,
        deadLetter: 't.dlq',
        sessionTimeoutMs: 6_000,
        handle: ({ value }) => {
          if (value === 'poison') throw make()
          handled.push(value)
        },
      })
      await consumer.start()
      await clock.sleep(60_000)
      expect({ handled, deadLetters: cluster.records('t.dlq', 0).length }).toEqual({
        handled: ['good-0'],
        deadLetters: 1,
      })
      await messaging.close()
    })
  }

  it.each(oddities)('becomes a dead letter all the same: %s', (_, make) => becomesADeadLetter(make))
})
