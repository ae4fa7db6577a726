import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defineTopic, string, type HandlerContext } from 'tidemark'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import type { StateError } from '../../../../src/errors.js'
import type { Message } from '../../../../src/message/message.js'
import type { Logger } from '../../../../src/telemetry/logger.js'
import type { MemoryClusterOptions } from 'tidemark/memory'
import { t, world } from '../whole-world.js'

const out = defineTopic({ name: 'out', value: string() })
const never = () => new Promise<void>(() => undefined)

const unhandled: unknown[] = []
const noteUnhandled = (reason: unknown) => void unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', noteUnhandled)
})
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', noteUnhandled)
  expect(unhandled).toEqual([])
})

type Handle = (message: Message<string>, context: HandlerContext) => void | Promise<void>

/** One record of `t`, and a consumer that hands it to `handle` and commits at once. */
async function handling(handle: Handle, extra: object = {}, cluster: MemoryClusterOptions = {}) {
  const all = world(cluster)
  all.cluster.createTopic('out')
  all.cluster.createTopic('dlq')
  all.append(0, 1)
  const lines: { level: string; fields: { err?: { code?: string } }; message: string }[] = []
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const stopped: { code: string; message: string; cause?: unknown }[] = []
  const messaging = all.open({ logger })
  const consumer = messaging.consumer({
    group: 'g',
    topics: [t],
    commit: 'each',
    retry: false,
    handle,
    onPartitionStopped: (_, error) => void stopped.push(error),
    ...extra,
  })
  await all.clock.runUntil(consumer.start())
  return { ...all, messaging, consumer, stopped, lines, stored: () => all.cluster.records('out', 0).length }
}

describe('a send that the handler does not await', () => {
  it('is stored before the offset of its record is committed', async () => {
    const { clock, cluster, committed, stored, messaging } = await handling((_, { send }) => void send(out, 'x'))
    const held = cluster.faults.holdRequest({ api: 'produce' })
    await clock.advance(2_000)
    expect([stored(), committed('g') ?? 0]).toEqual([0, 0])
    held.release()
    await clock.advance(10_000)
    expect([stored(), committed('g')]).toEqual([1, 2])
    await clock.runUntil(messaging.close())
  })

  it('holds back the offsets of a whole batch too', async () => {
    const handleBatch = (_: unknown, { send }: HandlerContext) => void send(out, 'x')
    const { clock, cluster, committed, stored, messaging } = await handling(() => undefined, {
      handle: undefined,
      handleBatch,
    })
    const held = cluster.faults.holdRequest({ api: 'produce' })
    await clock.advance(2_000)
    expect([stored(), committed('g') ?? 0]).toEqual([0, 0])
    held.release()
    await clock.advance(10_000)
    expect([stored(), committed('g')]).toEqual([1, 2])
    await clock.runUntil(messaging.close())
  })

  it('and fails fails its record, with the error of the send', async () => {
    for (const handle of [
      (_: unknown, { send }: HandlerContext) => void send(out, 'x'),
      async (_: unknown, { send }: HandlerContext) => {
        void send(out, 'x').then(() => undefined)
        await Promise.resolve()
      },
      (_: unknown, { send }: HandlerContext) => void send(out, 'x').finally(() => undefined),
    ]) {
      const { clock, cluster, committed, stopped, messaging } = await handling(handle)
      cluster.faults.failNext({ api: 'produce' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
      await clock.advance(10_000)
      expect(stopped).toMatchObject([
        { code: 'handler-failed', cause: { code: 'send-failed', cause: { name: 'SendError' } } },
      ])
      expect(stopped[0]?.message).toContain('a send of the handler failed unseen at t-0, offset 0')
      expect(committed('g') ?? 0).toBe(0)
      await clock.runUntil(messaging.close())
    }
  })

  it('and fails puts its record on the dead-letter topic', async () => {
    const { clock, cluster, committed, messaging } = await handling((_, { send }) => void send(out, 'x'), {
      deadLetter: 'dlq',
    })
    cluster.faults.failNext({ api: 'produce' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
    await clock.advance(10_000)
    expect(cluster.records('dlq', 0).length).toBe(1)
    expect(committed('g')).toBe(2)
    await clock.runUntil(messaging.close())
  })

  it('and fails does not fail its record when the handler took the rejection', async () => {
    const taken: unknown[] = []
    for (const handle of [
      (_: unknown, { send }: HandlerContext) => void send(out, 'x').catch((error: unknown) => void taken.push(error)),
      (_: unknown, { send }: HandlerContext) =>
        void send(out, 'x')
          .then(() => undefined)
          .then(undefined, (error: unknown) => void taken.push(error)),
      async (_: unknown, { send }: HandlerContext) => {
        await send(out, 'x').catch((error: unknown) => void taken.push(error))
      },
      async (_: unknown, { send }: HandlerContext) => {
        const [end] = await Promise.allSettled([send(out, 'x')])
        taken.push(end)
      },
    ]) {
      const { clock, cluster, committed, stopped, messaging } = await handling(handle)
      cluster.faults.failNext({ api: 'produce' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
      await clock.advance(10_000)
      expect(stopped).toEqual([])
      expect(committed('g')).toBe(2)
      await clock.runUntil(messaging.close())
    }
    expect(taken.length).toBe(4)
  })

  it('and failed long before the handler looks at it is no unhandled rejection: the handler may still take it', async () => {
    let look = () => {}
    const { clock, cluster, committed, stopped, messaging } = await handling(async (_, { send }) => {
      const sent = send(out, 'x')
      await new Promise<void>((resolve) => (look = resolve))
      await sent.catch(() => undefined)
    })
    cluster.faults.failNext({ api: 'produce' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
    await clock.advance(10_000)
    await new Promise((resolve) => setImmediate(resolve))
    look()
    await clock.advance(10_000)
    expect(stopped).toEqual([])
    expect(committed('g')).toBe(2)
    await clock.runUntil(messaging.close())
  })

  it('and does not end in the time of the handler fails its record as timed out', async () => {
    const { clock, cluster, committed, stopped, messaging } = await handling((_, { send }) => void send(out, 'x'), {
      handlerTimeoutMs: 3_000,
    })
    cluster.faults.silence(1)
    await clock.advance(7_000)
    cluster.faults.endSilence(1)
    expect(stopped).toMatchObject([{ cause: { code: 'handler-timeout' } }])
    expect(committed('g') ?? 0).toBe(0)
    await clock.runUntil(messaging.close())
  })

  it('and whose handler throws has ended before the record is tried or given away again', async () => {
    const { clock, cluster, stopped, messaging } = await handling((_, { send }) => {
      void send(out, 'x')
      throw new RangeError('no')
    })
    const held = cluster.faults.holdRequest({ api: 'produce' })
    await clock.advance(2_000)
    expect(stopped).toEqual([])
    held.release()
    await clock.advance(10_000)
    expect(stopped).toMatchObject([{ cause: { name: 'RangeError' } }])
    await clock.runUntil(messaging.close())
  })

  it('may be followed by further ones that nobody awaits either: all are stored before the commit', async () => {
    const chained = (_: unknown, { send }: HandlerContext) =>
      void (async () => {
        await Promise.all([send(out, 'a'), send(out, 'b')])
        await send(out, 'c')
      })()
    const { clock, committed, stored, messaging, lines } = await handling(chained)
    await clock.runUntil(() => committed('g') === 2)
    expect(stored()).toBe(3)
    expect(lines.filter(({ level }) => level === 'warn')).toEqual([])
    await clock.runUntil(messaging.close())
  })
})

describe('a handler that overruns its time', () => {
  it('sends nothing more when its record was given away, and what then fails unseen is told', async () => {
    let goOn = () => {}
    const refusals: unknown[] = []
    const { clock, cluster, committed, stored, messaging, lines } = await handling(
      async (_, { send }) => {
        await new Promise<void>((resolve) => (goOn = resolve))
        void send(out, 'unseen')
        await send(out, 'late').catch((error: unknown) => void refusals.push(error))
      },
      { handlerTimeoutMs: 1_000, deadLetter: 'dlq' },
    )
    await clock.runUntil(() => committed('g') === 2)
    expect(cluster.records('dlq', 0).length).toBe(1)
    goOn()
    await clock.advance(5_000)
    expect(stored()).toBe(0)
    expect(refusals).toMatchObject([{ code: 'handler-ended' }])
    expect(lines.filter(({ level, message }) => level === 'warn' && message.includes('await every send'))).toHaveLength(
      1,
    )
    await clock.runUntil(messaging.close())
  })
})

describe('a send after the handler and all its sends have ended', () => {
  it('is refused, stores nothing, is told once, and ends no process', async () => {
    const late: (() => Promise<unknown>)[] = []
    const { clock, committed, stored, messaging, lines, append, consumer } = await handling((_, context) => {
      late.push(() => context.send(out, 'x'))
    })
    append(0, 1)
    await clock.runUntil(() => committed('g') === 4)
    const error = await late[0]?.().catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      name: 'StateError',
      code: 'handler-ended',
      topic: 'out',
    } satisfies Partial<StateError>)
    for (const send of late) void send()
    await clock.advance(1_000)
    expect(stored()).toBe(0)
    expect(lines.filter(({ level, fields }) => level === 'warn' && fields.err?.code === 'handler-ended')).toHaveLength(
      1,
    )
    expect(consumer.state).toBe('running')
    await clock.runUntil(messaging.close())
  })
})

describe('a handler that is given up', () => {
  it('does not keep the consumer from stopping by its sends', async () => {
    const { clock, cluster, committed, messaging } = await handling((_, { send }) => {
      void send(out, 'x')
      return never()
    })
    cluster.faults.holdRequest({ api: 'produce' })
    await clock.advance(100)
    const before = clock.now()
    await clock.runUntil(messaging.close({ timeoutMs: 2_000 }))
    expect(clock.now() - before).toBeLessThanOrEqual(2_000)
    expect(committed('g') ?? 0).toBe(0)
  })
})
