import { describe, expect, it } from 'vitest'
import {
  DeadLetter,
  RetryLater,
  createMessaging,
  defineTopic,
  string,
  type ClientEvent,
  type HandlerContext,
  type Message,
  type Messaging,
} from 'tidemark'
import { createMemoryCluster, memory, type MemoryClusterOptions } from 'tidemark/memory'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { noHeaders } from '../../../src/message/record.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { visibleRecords } from './visible-records.js'

const from = defineTopic({ name: 'in', value: string() })
const to = defineTopic({ name: 'out', value: string() })
const dead = defineTopic({ name: 'dead', value: string() })

type Options = Partial<Parameters<Messaging['consumer']>[0]>

function world(options: MemoryClusterOptions = {}) {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(7) }
  const cluster = createMemoryCluster({ runtime, latencyMs: 1, brokers: 3, ...options })
  for (const { name } of [from, to, dead]) cluster.createTopic(name, { partitions: 2 })
  const events: ClientEvent[] = []
  const open = () =>
    createMessaging({
      ...{ driver: memory({ cluster, runtime }), clientId: 'c', profile: 'transactional', durability: 'off' },
      ...{ onEvent: (event: ClientEvent) => void events.push(event), logger: 'silent' },
    } as const)
  const append = (values: readonly string[], partition = 0) =>
    cluster.appendTransaction(
      'in',
      partition,
      values.map((value) => ({ key: null, value: Buffer.from(value), headers: noHeaders, timestamp: 0 })),
      'commit',
    )
  /** Copies what it reads. */
  const copier = (messaging: Messaging, rest: Options = {}) =>
    messaging.consumer({
      group: 'g',
      topics: [from],
      handle: async ({ value, partition }: Message<string>, context: HandlerContext) => {
        await context.send(to, value, { partition })
      },
      ...rest,
    } as never)
  const committed = (partition = 0) =>
    cluster.committed('g').find((one) => one.topic === 'in' && one.partition === partition)?.offset
  const out = (partition = 0, topic = 'out') => visibleRecords(cluster, topic, partition)
  return { clock, cluster, open, append, copier, committed, out, events }
}

const numbers = (count: number, first = 0) => Array.from({ length: count }, (_, index) => String(first + index))

describe('a consumer under the profile transactional', () => {
  it.each([1, 2] as const)(
    'makes outputs and offsets visible together, under version %i',
    async (transactionVersion) => {
      const { clock, open, append, copier, committed, out } = world({ transactionVersion })
      append(numbers(50))
      append(numbers(20, 100), 1)
      const messaging = open()
      const consumer = copier(messaging)
      await clock.runUntil(consumer.start())
      await clock.advance(1_000)
      expect(out()).toEqual({ visible: numbers(50), open: 0 })
      expect(out(1).visible).toEqual(numbers(20, 100))
      // The marker of the source's own transaction is passed too.
      expect([committed(0), committed(1)]).toEqual([51, 21])
      await clock.runUntil(messaging.close())
    },
  )

  it('tells at once that a send was taken, without an offset, and sends nothing of a call that failed', async () => {
    const { clock, open, append, copier, out, events } = world()
    append(['good', 'bad', 'better'])
    const receipts: unknown[] = []
    const messaging = open()
    const consumer = copier(messaging, {
      deadLetter: 'dead',
      handle: async ({ value }: Message<string>, context: HandlerContext) => {
        receipts.push(await context.send(to, value, { partition: 0 }))
        if (value === 'bad') throw new DeadLetter('no')
      },
    } as never)
    await clock.runUntil(consumer.start())
    await clock.advance(1_000)
    expect(receipts[0]).toMatchObject({ topic: 'out', partition: 0, offset: null })
    expect(out().visible).toEqual(['good', 'better'])
    expect(out(0, 'dead').visible).toEqual(['bad'])
    expect(events.filter(({ kind }) => kind === 'transaction-aborted')).toEqual([])
    await clock.runUntil(messaging.close())
  })

  it('goes on with the others when a topic of which something is done, and not committed, is deleted', async () => {
    const { clock, cluster, open, append, copier, committed, out, events } = world()
    cluster.createTopic('doomed')
    const doomed = defineTopic({ name: 'doomed', value: string() })
    const value = Buffer.from('doomed')
    cluster.appendTransaction('doomed', 0, [{ key: null, value, headers: noHeaders, timestamp: 0 }], 'commit')
    const messaging = open()
    const transaction = { everyMs: 500, timeoutMs: 6_000 }
    const consumer = copier(messaging, { topics: [from, doomed], transaction } as never)
    await clock.runUntil(consumer.start())
    while (consumer.facts().partitions.every(({ settled, topic }) => topic !== 'doomed' || settled === 0))
      await clock.advance(5)
    cluster.deleteTopic('doomed')
    append(numbers(10))
    await clock.advance(8_000)
    append(numbers(10, 10))
    await clock.advance(2_000)
    expect(out()).toEqual({ visible: numbers(20), open: 0 })
    expect(committed()).toBe(22)
    expect(events.filter(({ kind }) => kind === 'transaction-aborted')).toHaveLength(1)
    await clock.runUntil(messaging.close({ timeoutMs: 1_000 }))
  })

  it.each([
    [2, 'while nothing is open', 2_000, 0],
    [1, 'within a transaction', 10, 0],
    [2, 'within a transaction', 10, 0],
    [2, 'within a transaction, and comes after a while', 10, 3_000],
    [2, 'soon after the start', 2, 50],
  ] as const)(
    'reads a source that is made anew from its start, under version %i %s',
    async (transactionVersion, _, afterMs, goneForMs) => {
      const { clock, cluster, open, append, copier, committed, out } = world({ transactionVersion })
      append(numbers(40))
      const messaging = open()
      const transaction = { everyMs: 200, everyMessages: 1_000, timeoutMs: 6_000 }
      const consumer = copier(messaging, { transaction, onOutOfRange: 'earliest' } as never)
      await clock.runUntil(consumer.start())
      await clock.advance(afterMs)
      cluster.deleteTopic('in')
      await clock.advance(goneForMs)
      cluster.createTopic('in', { partitions: 2 })
      append(numbers(10, 100))
      await clock.advance(20_000)
      append(numbers(5, 200))
      await clock.advance(5_000)
      const { visible, open: openRecords } = out()
      const ofNew = visible.filter((value) => Number(value) >= 100)
      expect(ofNew).toEqual([...numbers(10, 100), ...numbers(5, 200)])
      // Of the former one: what was copied before, each once and from the first on.
      expect(visible.slice(0, -15)).toEqual(numbers(visible.length - 15))
      expect(openRecords).toBe(0)
      expect(committed()).toBe(17)
      // Whoever reads on for the group finds nothing of the former one.
      await clock.runUntil(messaging.close())
      const next = open()
      append(['300'])
      await clock.runUntil(copier(next).start())
      await clock.advance(2_000)
      expect(out().visible.slice(-2)).toEqual(['204', '300'])
      await clock.runUntil(next.close())
    },
  )

  it('goes back to what is committed when a transaction is aborted, and doubles nothing', async () => {
    const { clock, cluster, open, append, copier, committed, out, events } = world()
    append(numbers(30))
    const messaging = open()
    const consumer = copier(messaging, { transaction: { everyMs: 50, everyMessages: 10 } } as never)
    // The coordinator has lost track of it.
    cluster.faults.failNext({ api: 'endTxn' }, 48)
    await clock.runUntil(consumer.start())
    await clock.advance(5_000)
    expect(events.some(({ kind }) => kind === 'transaction-aborted')).toBe(true)
    expect(out()).toEqual({ visible: numbers(30), open: 0 })
    expect(committed()).toBe(31)
    await clock.runUntil(messaging.close())
  })

  it.each(['produce', 'txnOffsetCommit', 'endTxn', 'initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn'] as const)(
    'copies everything once whichever answer of %s is lost, before or after its effect',
    async (api) => {
      for (const transactionVersion of [1, 2] as const) {
        for (const lose of ['loseNextAnswer', 'loseNextRequest'] as const) {
          if (transactionVersion === 2 && api.startsWith('add')) continue
          const { clock, cluster, open, append, copier, committed, out } = world({ transactionVersion })
          append(numbers(40))
          const messaging = open()
          const consumer = copier(messaging, { transaction: { everyMs: 20, everyMessages: 10 } } as never)
          for (const nth of [1, 2, 4]) cluster.faults[lose]({ api, nth })
          await clock.runUntil(consumer.start())
          await clock.advance(12_000)
          expect({ api, transactionVersion, lose, ...out() }).toMatchObject({ visible: numbers(40), open: 0 })
          expect(committed()).toBe(41)
          await clock.runUntil(messaging.close())
        }
      }
    },
  )

  it('hands its partitions over without a torn or doubled transaction when another member comes and goes', async () => {
    const { clock, open, append, copier, out } = world()
    append(numbers(200))
    append(numbers(200, 1_000), 1)
    const slow = {
      transaction: { everyMs: 30 },
      handle: async ({ value, partition }: Message<string>, context: HandlerContext) => {
        await clock.sleep(2)
        await context.send(to, value, { partition })
      },
    } as never
    const [one, two] = [open(), open()]
    await clock.runUntil(copier(one, slow).start())
    await clock.advance(300)
    await clock.runUntil(copier(two, slow).start())
    await clock.advance(300)
    await clock.runUntil(one.close())
    await clock.advance(8_000)
    expect(out()).toEqual({ visible: numbers(200), open: 0 })
    expect(out(1).visible).toEqual(numbers(200, 1_000))
    await clock.runUntil(two.close())
  })

  it('has a record fail alone whose handler sends more than a transaction may hold', async () => {
    const { clock, open, append, copier, out } = world()
    append(['a', 'x'.repeat(2_000), 'b'])
    const messaging = open()
    const rest = { transaction: { maxBytes: 1_000 }, deadLetter: 'dead', retry: false } as never
    await clock.runUntil(copier(messaging, rest).start())
    await clock.advance(1_000)
    expect(out().visible).toEqual(['a', 'b'])
    expect(out(0, 'dead').visible).toHaveLength(1)
    await clock.runUntil(messaging.close())
  })

  it.each(['closes', 'gives them up'] as const)(
    'holds no transaction open for a handler that takes longer than its timeout while a member %s',
    async (what) => {
      const { clock, open, append, copier, committed, out, events } = world({ transactionCheckMs: 100 })
      for (const partition of [0, 1]) append(['slow', ...numbers(20)], partition)
      const options = {
        ...{ order: 'none', concurrency: 60, drainMs: 20_000 },
        transaction: { everyMs: 100, everyMessages: 5, timeoutMs: 6_000 },
        handle: async ({ value, partition }: Message<string>, context: HandlerContext) => {
          if (value === 'slow') await clock.sleep(14_000)
          await context.send(to, value, { partition })
        },
      }
      const [messaging, other] = [open(), open()]
      await clock.runUntil(copier(messaging, options as never).start())
      await clock.advance(2_000)
      const begun = what === 'closes' ? messaging.close({ timeoutMs: 30_000 }) : copier(other, options as never).start()
      await clock.runUntil(begun)
      await clock.advance(30_000)
      for (const partition of [0, 1]) {
        expect(out(partition)).toEqual({ visible: [...numbers(20), 'slow'], open: 0 })
        expect(committed(partition)).toBe(22)
      }
      expect(events.filter(({ kind }) => kind === 'transaction-aborted')).toEqual([])
      await clock.runUntil(Promise.all([messaging.close(), other.close()]))
    },
  )

  it('gives up within its time what the coordinator of its group does not take, and goes on when it does', async () => {
    const { clock, cluster, open, append, copier, out, events } = world()
    append(numbers(20))
    const messaging = open()
    await clock.runUntil(copier(messaging).start())
    for (let nth = 1; nth < 400; nth += 1)
      cluster.faults.failNext({ api: 'txnOffsetCommit', nth }, brokerCode.COORDINATOR_NOT_AVAILABLE)
    await clock.advance(25_000)
    expect(events.some(({ kind }) => kind === 'transaction-aborted')).toBe(true)
    expect(out().visible).toEqual([])
    cluster.faults.clear()
    await clock.advance(25_000)
    expect(out()).toEqual({ visible: numbers(20), open: 0 })
    await clock.runUntil(messaging.close())
  })

  it('does not start with transactions that are longer than the brokers allow, and says what to change', async () => {
    const { clock, open, append, copier, out } = world()
    append(['a'])
    const messaging = open()
    const started = clock.runUntil(copier(messaging, { transaction: { timeoutMs: 1_000_000 } } as never).start())
    await expect(started).rejects.toThrow(/lower the transaction's timeoutMs, or raise transaction.max.timeout.ms/)
    expect(out()).toEqual({ visible: [], open: 0 })
    await clock.runUntil(messaging.close())
  })

  it('keeps a dead letter that its topic finds too large as a pointer', async () => {
    const { clock, cluster, open, append, copier, out, committed } = world()
    cluster.createTopic('small', { partitions: 2, configs: { 'max.message.bytes': '2000' } })
    append(['a', 'x'.repeat(5_000), 'b'])
    const messaging = open()
    const consumer = copier(messaging, {
      deadLetter: 'small',
      handle: async ({ value }: Message<string>, context: HandlerContext) => {
        if (value.length > 1) throw new DeadLetter('no')
        await context.send(to, value, { partition: 0 })
      },
    } as never)
    await clock.runUntil(consumer.start())
    await clock.advance(5_000)
    expect(out().visible).toEqual(['a', 'b'])
    expect(out(0, 'small').visible).toHaveLength(1)
    expect(committed()).toBe(4)
    await clock.runUntil(messaging.close())
  })

  it('sends again what was refused when its partition is restarted, for it may be allowed now', async () => {
    const { clock, cluster, open, append, copier, out, events } = world()
    append(['a', 'b'])
    const messaging = open()
    cluster.faults.failNext({ api: 'produce' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
    const consumer = copier(messaging, { retry: false })
    await clock.runUntil(consumer.start())
    await clock.advance(5_000)
    expect(events.some(({ kind }) => kind === 'partition-stopped')).toBe(true)
    await clock.runUntil(consumer.restart('in', 0))
    await clock.advance(5_000)
    expect(out().visible).toEqual(['a', 'b'])
    await clock.runUntil(messaging.close())
  })

  it.each([
    { reaches: true, what: 'was committed' },
    { reaches: false, what: 'was aborted' },
  ])(
    'learns from the group what became of a transaction that nobody else can tell of: it $what',
    async ({ reaches }) => {
      const { clock, cluster, open, append, copier, out, committed, events } = world()
      const handled: string[] = []
      const messaging = open()
      const consumer = copier(messaging, {
        groupInstanceId: 'one',
        handle: async ({ value }: Message<string>, context: HandlerContext) => {
          handled.push(value)
          await context.send(to, value, { partition: 0 })
        },
      } as never)
      await clock.runUntil(consumer.start())
      if (reaches) cluster.faults.loseNextAnswer({ api: 'endTxn' })
      for (let nth = reaches ? 2 : 1; nth < 400; nth += 1) cluster.faults.loseNextRequest({ api: 'endTxn', nth })
      append(['a', 'b'])
      await clock.advance(40_000)
      // Neither the coordinator nor the log knows of it any more.
      expect(cluster.expireTransactionalId('c-g-one')).toBe(true)
      cluster.deleteRecordsBefore('out', 0, 2)
      cluster.faults.clear()
      await clock.advance(150_000)
      append(['c'])
      await clock.advance(10_000)
      expect(handled).toEqual(reaches ? ['a', 'b', 'c'] : ['a', 'b', 'a', 'b', 'c'])
      expect(out().visible.filter((value) => value === 'c')).toEqual(['c'])
      expect(committed()).toBe(5)
      expect(consumer.facts()).toMatchObject({ state: 'running', error: null })
      expect(events.filter(({ kind }) => kind === 'transaction-aborted')).toHaveLength(reaches ? 0 : 1)
      await clock.runUntil(messaging.close())
    },
  )

  it('puts off what is tried again later within the transaction, so that an aborted one leaves nothing behind', async () => {
    const { clock, cluster, open, append, copier, out, committed } = world()
    cluster.createTopic('in.retry.g.1s', { partitions: 2 })
    append(numbers(6))
    const messaging = open()
    const failing = new Set(['1', '4'])
    // Aborts the first transaction when the delayed records have joined it.
    cluster.faults.failNext({ api: 'endTxn' }, brokerCode.TRANSACTION_ABORTABLE)
    const consumer = copier(messaging, {
      retryLater: { delays: ['1s'], order: 'none' },
      handle: async ({ value, topic }: Message<string>, context: HandlerContext) => {
        if (topic === 'in' && failing.has(value) && context.attempt === 1) throw new RetryLater(1_000)
        await context.send(to, value, { partition: 0 })
      },
    } as never)
    await clock.runUntil(consumer.start())
    await clock.advance(900)
    expect(out().visible).toEqual(['0', '2', '3', '5'])
    expect(out(0, 'in.retry.g.1s').visible).toEqual(['1', '4'])
    expect(committed()).toBe(7)
    await clock.advance(5_000)
    expect(out().visible).toEqual(['0', '2', '3', '5', '1', '4'])
    await clock.runUntil(messaging.close())
  })

  it('goes on when more is settled beyond a slow record than one commit can tell', async () => {
    const { clock, open, append, copier, out, events } = world()
    append(numbers(1_600))
    const messaging = open()
    const consumer = copier(messaging, {
      order: 'none',
      concurrency: 1_600,
      handle: async ({ value }: Message<string>, context: HandlerContext) => {
        // Longer than any rest between transactions.
        if (Number(value) % 2 === 0) await clock.sleep(20_000)
        await context.send(to, value, { partition: 0 })
      },
    } as never)
    await clock.runUntil(consumer.start())
    await clock.advance(120_000)
    expect(events.filter(({ kind }) => kind === 'transaction-aborted')).toHaveLength(1)
    expect([...out().visible].sort()).toEqual(numbers(1_600).sort())
    await clock.runUntil(messaging.close())
  })

  it.each(['commits', 'aborts'] as const)(
    'restarts a partition whose transaction is in doubt when that is known: the coordinator %s it',
    async (what) => {
      const { clock, cluster, open, append, copier, out } = world()
      append(numbers(20))
      const messaging = open()
      const consumer = copier(messaging, { drainMs: 1_000, transaction: { everyMs: 20 } } as never)
      const [first] = Array.from({ length: 20 }, () => cluster.faults.holdRequest({ api: 'endTxn' }))
      await clock.runUntil(consumer.start())
      await clock.advance(5_000)
      if (what === 'commits') first?.release()
      await clock.advance(20_000)
      const restarted = consumer.restart('in', 0)
      await clock.advance(5_000)
      append(numbers(20, 20))
      cluster.faults.clear()
      await clock.runUntil(restarted)
      await clock.advance(30_000)
      expect(out()).toEqual({ visible: numbers(40), open: 0 })
      await clock.runUntil(messaging.close())
    },
  )

  it.each([1, 2] as const)(
    'goes on with the later of two members of one instance name, and ends the earlier, under version %i',
    async (transactionVersion) => {
      const { clock, open, append, copier, out, events } = world({ transactionVersion })
      append(numbers(100))
      const slow = {
        groupInstanceId: 'i',
        transaction: { everyMs: 30 },
        handle: async ({ value, partition }: Message<string>, context: HandlerContext) => {
          await clock.sleep(3)
          await context.send(to, value, { partition })
        },
      } as never
      const [earlier, later] = [open(), open()]
      await clock.runUntil(copier(earlier, slow).start())
      await clock.advance(150)
      await clock.runUntil(copier(later, slow).start())
      await clock.advance(20_000)
      expect(events.filter(({ kind }) => kind === 'failed')).toHaveLength(1)
      expect(out()).toEqual({ visible: numbers(100), open: 0 })
      await clock.runUntil(Promise.allSettled([earlier.close(), later.close()]))
    },
  )
})
