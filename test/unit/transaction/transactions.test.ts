import { describe, expect, it } from 'vitest'
import type { ApiName } from '../../../src/connection/requests/apis.js'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { createMemoryCluster, type MemoryCluster } from '../../../src/drivers/memory/memory-cluster.js'
import type { MemoryClusterOptions } from '../../../src/drivers/memory/memory-options.js'
import type { Driver } from '../../../src/driver/driver.js'
import type { DriverProducer, ProducerSettings } from '../../../src/driver/producer.js'
import { memory } from '../../../src/drivers/memory/memory.js'
import { TransactionError, type SendError } from '../../../src/errors.js'
import { defineProfile } from '../../../src/config/define-profile.js'
import type { MessagingOptions } from '../../../src/config/messaging-options.js'
import { whereWeStand } from '../../../src/protocol/transactions/ownership.js'
import { readDescription } from '../../../src/protocol/transactions/resolving.js'
import type { HandlerContext } from '../../../src/index.js'
import { kafkajs } from '../../../src/kafkajs.js'
import { createMessaging, type Messaging } from '../../../src/messaging.js'
import type { ClientEvent } from '../../../src/telemetry/events.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { string } from '../../../src/serde/string.js'
import { virtualClock, type VirtualClock } from '../../../src/testing/time/virtual-clock.js'
import { defineTopic } from '../../../src/topic/define-topic.js'
import type { Transaction } from '../../../src/transaction/transaction.js'
import { producerSettings } from '../../support/test-records.js'
import { ScriptedBroker } from '../drivers/kafkajs/scripted-broker.js'

const one = defineTopic({ name: 'one', value: string() })
const two = defineTopic({ name: 'two', value: string() })
const versions = [1, 2] as const

/** Values that readers of committed records see, sorted. */
function visible(cluster: MemoryCluster): readonly string[] {
  const seen: string[] = []
  for (const { name } of [one, two]) {
    for (let partition = 0; partition < cluster.partitionCount(name); partition += 1) {
      const open = new Map<number, string[]>()
      for (const { producerId, control, decode } of cluster.batches(name, partition)) {
        const values = open.get(producerId) ?? []
        if (control === 'none') open.set(producerId, [...values, ...decode().map(({ value }) => String(value))])
        else {
          if (control === 'commit') seen.push(...values)
          open.delete(producerId)
        }
      }
    }
  }
  return seen.sort()
}

function withoutTransactions(driver: Driver, settings: ProducerSettings): DriverProducer {
  const { transactionalId: _, ...rest } = settings
  return driver.createProducer(rest)
}

/** As a word, or as the code of its error. Never rejects. */
function claimOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'committed',
    (error: unknown) => (error instanceof TransactionError ? `${error.outcome} ${error.code}` : String(error)),
  )
}

class World {
  readonly clock: VirtualClock
  readonly cluster: MemoryCluster
  readonly #runtime
  readonly #opened: Messaging[] = []

  constructor(options: MemoryClusterOptions = {}, seed = 1) {
    this.clock = virtualClock()
    this.#runtime = { clock: this.clock, random: seededRandom(seed) }
    this.cluster = createMemoryCluster({ brokers: 3, runtime: this.#runtime, latencyMs: [1, 5], ...options })
    for (const { name } of [one, two]) this.cluster.createTopic(name, { partitions: 2 })
  }

  messaging(options: Partial<MessagingOptions> = {}): Messaging {
    const driver = memory({ cluster: this.cluster, runtime: this.#runtime })
    const usual = { profile: 'transactional', durability: 'off', logger: 'silent' } as const
    const messaging = createMessaging({ driver, ...usual, ...options })
    this.#opened.push(messaging)
    return messaging
  }

  /** To its end, which is told as a word or as the code of its error. */
  async run(work: Promise<unknown>): Promise<string> {
    return this.clock.runUntil(claimOf(work))
  }

  async close(): Promise<void> {
    await this.clock.runUntil(Promise.allSettled(this.#opened.map((messaging) => messaging.close())))
    await this.cluster.close()
  }
}

/** A record to every partition of both topics. */
const everywhere = (value: string) => async (transaction: Transaction) => {
  await transaction.sendMany(one, [`${value} 0`], { partition: 0 })
  await Promise.all([
    transaction.send(one, `${value} 1`, { partition: 1 }),
    transaction.send(two, `${value} 2`, { partition: 0 }),
  ])
}
const all = (...values: readonly string[]) =>
  values.flatMap((value) => [0, 1, 2].map((part) => `${value} ${part}`)).sort()

describe.each(versions)('transactions of version %d', (transactionVersion) => {
  it('make all of their records visible when they are committed, and none when their handler throws', async () => {
    const world = new World({ transactionVersion })
    const messaging = world.messaging()
    expect(await world.run(messaging.transaction('id', everywhere('a')))).toBe('committed')
    const failing = messaging.transaction('id', async (transaction) => {
      await everywhere('b')(transaction)
      throw new Error('no')
    })
    expect(await world.run(failing)).toBe('aborted handler-failed')
    expect(await world.run(messaging.transaction('id', () => undefined))).toBe('committed')
    expect(await world.run(messaging.transaction('id', everywhere('c')))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('a', 'c'))
    await world.close()
  })

  const joins: readonly ApiName[] = transactionVersion === 1 ? ['addPartitionsToTxn'] : []
  const apis: readonly ApiName[] = ['findCoordinator', 'apiVersions', 'initProducerId', ...joins, 'produce', 'endTxn']
  const faults = ['lose-request', 'lose-answer', 'hold'] as const
  const ends = ['commit', 'abort'] as const
  const claimAt = { commit: 'committed', abort: 'aborted handler-failed' }
  const cases = apis.flatMap((api) => faults.flatMap((fault) => ends.map((end) => [api, fault, end] as const)))

  it.each(cases)('say what is so when %s meets %s before a %s', async (api, fault, end) => {
    for (const endOfNext of fault === 'hold' ? ends : (['commit'] as const)) {
      const world = new World({ transactionVersion })
      const messaging = world.messaging()
      const { faults: inject } = world.cluster
      const held = fault === 'hold' ? inject.holdRequest({ api }) : null
      if (fault === 'lose-request') inject.loseNextRequest({ api })
      if (fault === 'lose-answer') inject.loseNextAnswer({ api })
      const claim = await world.run(
        messaging.transaction('id', async (transaction) => {
          await everywhere('a')(transaction)
          if (end === 'abort') throw new Error('no')
        }),
      )
      expect(claim).toBe(claimAt[end])
      const next = messaging.transaction('id', async (transaction) => {
        await transaction.send(one, 'b 0', { partition: 0 })
        // What was held arrives in the middle of another transaction, which it must not touch.
        held?.release()
        await world.clock.sleep(20)
        await transaction.send(one, 'b 1', { partition: 1 })
        await transaction.send(two, 'b 2', { partition: 0 })
        if (endOfNext === 'abort') throw new Error('no')
      })
      const claimOfNext = await world.run(next)
      // A late attempt to take the id over aborts what is open, which is told, and no more.
      const isEnded = fault === 'hold' && api === 'initProducerId'
      if (isEnded) expect(claimOfNext).toMatch(/^aborted (transaction-timed-out|invalid-producer-epoch)$/)
      else expect(claimOfNext).toBe(claimAt[endOfNext])
      expect(await world.run(messaging.transaction('id', everywhere('c')))).toBe('committed')
      await world.clock.advance(30_000)
      const isVisible = endOfNext === 'commit' && !isEnded
      const committed = [...(end === 'commit' ? ['a'] : []), ...(isVisible ? ['b'] : []), 'c']
      expect(visible(world.cluster)).toEqual(all(...committed))
      expect(Object.values(inject.injected()).reduce((sum, count) => sum + count, 0)).toBe(1)
      await world.close()
    }
  })

  it('say unknown when nobody answers the commit, and find out what became of it', async () => {
    for (const reaches of [true, false]) {
      const world = new World({ transactionVersion })
      const messaging = world.messaging()
      let caught: TransactionError | null = null
      const committing = messaging
        .transaction('id', async (transaction) => {
          await everywhere('a')(transaction)
          if (reaches) world.cluster.faults.loseNextAnswer({ api: 'endTxn' })
          for (let nth = reaches ? 2 : 1; nth < 400; nth += 1)
            world.cluster.faults.loseNextRequest({ api: 'endTxn', nth })
        })
        .catch((error: unknown) => {
          caught = error as TransactionError
          throw error
        })
      expect(await world.run(committing)).toMatch(/^unknown /)
      world.cluster.faults.clear()
      const resolved = await world.clock.runUntil(caught!.resolution)
      expect(resolved).toBe(reaches ? 'committed' : 'aborted')
      expect(await world.run(messaging.transaction('id', everywhere('b')))).toBe('committed')
      await world.clock.advance(1_000)
      expect(visible(world.cluster)).toEqual(reaches ? all('a', 'b') : all('b'))
      await world.close()
    }
  })

  it('find out from the log what became of a commit when another producer has followed', async () => {
    for (const reaches of [true, false]) {
      const world = new World({ transactionVersion })
      const first = world.messaging({ clientId: 'first' })
      const second = world.messaging({ clientId: 'second' })
      const of = { api: 'endTxn', client: 'first-producer-1' } as const
      const committing = first.transaction('id', async (transaction) => {
        await everywhere('a')(transaction)
        if (reaches) world.cluster.faults.loseNextAnswer(of)
        for (let nth = reaches ? 2 : 1; nth < 100; nth += 1) world.cluster.faults.loseNextRequest({ ...of, nth })
      })
      committing.catch(() => undefined)
      await world.clock.advance(3_000)
      for (const value of ['b', 'c']) {
        expect(await world.run(second.transaction('id', everywhere(value)))).toBe('committed')
      }
      world.cluster.faults.clear()
      expect(await world.run(committing)).toMatch(reaches ? /^committed$/ : /^aborted /)
      expect(await world.run(first.transaction('id', everywhere('d')))).toBe('aborted transactional-id-taken')
      await world.clock.advance(1_000)
      expect(visible(world.cluster)).toEqual(reaches ? all('a', 'b', 'c') : all('b', 'c'))
      await world.close()
    }
  })

  it('that took longer than their timeout are aborted, and the id is still ours', async () => {
    const world = new World({ transactionVersion, transactionCheckMs: 100 })
    const messaging = world.messaging()
    // Our own clock stands still, as that of a process that was stopped.
    const held = world.cluster.faults.holdRequest({ api: 'endTxn' })
    const claim = messaging.transaction('id', everywhere('a'), { timeoutMs: 2_000 })
    await world.clock.advance(4_000)
    held.release()
    expect(await world.run(claim)).toBe('aborted transaction-timed-out')
    expect(await world.run(messaging.transaction('id', everywhere('b')))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('b'))
    await world.close()
  })

  it('end when their handler does not', async () => {
    const world = new World({ transactionVersion })
    const messaging = world.messaging()
    let open: Transaction | undefined
    const hanging = messaging.transaction('id', async (transaction) => {
      open = transaction
      await everywhere('a')(transaction)
      await new Promise(() => undefined)
    })
    expect(await world.run(hanging)).toBe('aborted transaction-timeout')
    expect(open?.signal.aborted).toBe(true)
    await expect(open?.send(one, 'late')).rejects.toMatchObject({ code: 'transaction-ended' })
    expect(await world.run(messaging.transaction('id', everywhere('b')))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('b'))
    await world.close()
  })

  it('are given up by their signal until their commit is asked for', async () => {
    const world = new World({ transactionVersion })
    const messaging = world.messaging()
    const control = new AbortController()
    const given = messaging.transaction(
      'id',
      async (transaction) => {
        await everywhere('a')(transaction)
        control.abort(new Error('enough'))
        await new Promise(() => undefined)
      },
      { signal: control.signal },
    )
    expect(await world.run(given)).toBe('aborted aborted')
    const late = new AbortController()
    const held = world.cluster.faults.holdRequest({ api: 'endTxn' })
    const committing = messaging.transaction('id', everywhere('b'), { signal: late.signal })
    await world.clock.runUntil(() => held.state === 'held')
    late.abort()
    held.release()
    expect(await world.run(committing)).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('b'))
    await world.close()
  })

  it('are given up by their signal while they begin, and the next one begins all the same', async () => {
    const world = new World({ transactionVersion })
    const messaging = world.messaging()
    const control = new AbortController()
    const held = world.cluster.faults.holdRequest({ api: 'initProducerId' })
    const given = messaging.transaction('id', everywhere('a'), { signal: control.signal })
    await world.clock.runUntil(() => held.state === 'held')
    const abortedAt = world.clock.now()
    control.abort(new Error('enough'))
    expect(await world.run(given)).toBe('aborted aborted')
    expect(world.clock.now() - abortedAt).toBeLessThan(100)
    held.release()
    expect(await world.run(messaging.transaction('id', everywhere('b')))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('b'))
    await world.close()
  })

  it('end with the close of their messaging when their handler does not', async () => {
    const world = new World({ transactionVersion })
    const messaging = world.messaging()
    const endless = messaging.transaction(
      'id',
      async (transaction) => {
        await everywhere('a')(transaction)
        await new Promise(() => undefined)
      },
      { timeoutMs: 600_000 },
    )
    endless.catch(() => undefined) // looked at below
    const startedAt = world.clock.now()
    await world.clock.advance(100)
    await world.clock.runUntil(messaging.close({ timeoutMs: 1_000 }))
    expect(await world.run(endless)).toBe('aborted closed')
    expect(world.clock.now() - startedAt).toBeLessThan(2_000)
    expect(visible(world.cluster)).toEqual([])
    await world.close()
  })

  it('of two owners of one id: the later one has it, the earlier one says so and does not take it back', async () => {
    const world = new World({ transactionVersion })
    const [earlier, later] = [world.messaging(), world.messaging()]
    expect(await world.run(earlier.transaction('id', everywhere('a')))).toBe('committed')
    const within = earlier.transaction('id', async (transaction) => {
      await everywhere('b')(transaction)
      await later.transaction('id', everywhere('c')).catch(() => undefined)
    })
    expect(await world.run(within)).toBe('aborted transactional-id-taken')
    expect(await world.run(later.transaction('id', everywhere('d')))).toBe('committed')
    expect(await world.run(earlier.transaction('id', everywhere('e')))).toBe('aborted transactional-id-taken')
    expect(await world.run(later.transaction('id', everywhere('f')))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('a', 'c', 'd', 'f'))
    await world.close()
  })

  const asks = ['the owner renews its epoch', 'the owner ends its transaction', 'another one comes too'] as const
  const meetings = asks.flatMap((ask) => (['before', 'after'] as const).map((order) => [ask, order] as const))

  it.each(meetings)('share no epoch when %s %s a newcomer takes the id over', async (ask, order) => {
    const world = new World({ transactionVersion })
    const { faults } = world.cluster
    const [earlier, later] = [world.messaging({ clientId: 'earlier' }), world.messaging({ clientId: 'later' })]
    const timeoutMs = ask === 'the owner renews its epoch' ? 20_000 : 30_000
    if (ask !== 'another one comes too') {
      expect(await world.run(earlier.transaction('id', everywhere('a'), { timeoutMs: 30_000 }))).toBe('committed')
    }
    const api = ask === 'the owner ends its transaction' ? 'endTxn' : 'initProducerId'
    // Neither arrives before both have been asked for.
    const ofEarlier = faults.holdRequest({ api, client: 'earlier-producer-1' })
    const ofLater = faults.holdRequest({ api: 'initProducerId', client: 'later-producer-1' })
    const first = claimOf(earlier.transaction('id', everywhere('b'), { timeoutMs }))
    await world.clock.runUntil(() => ofEarlier.state === 'held')
    const second = claimOf(later.transaction('id', everywhere('c')))
    await world.clock.runUntil(() => ofLater.state === 'held')
    const inOrder = order === 'before' ? [ofEarlier, ofLater] : [ofLater, ofEarlier]
    for (const held of inOrder) {
      held.release()
      await world.clock.advance(1)
    }
    const claims: [value: string, claim: string][] = [
      ['b', await world.clock.runUntil(first)],
      ['c', await world.clock.runUntil(second)],
    ]
    // Both go on at once, each with as many records as the other, which could be taken for repeats of those.
    for (const value of ['d', 'e']) {
      const ends = [earlier, later].map((each, nth) => claimOf(each.transaction('id', everywhere(`${value}${nth}`))))
      const told = await world.clock.runUntil(Promise.all(ends))
      for (const [nth, claim] of told.entries()) claims.push([`${value}${nth}`, claim])
    }
    await world.clock.advance(1_000)
    const committed = claims.filter(([, claim]) => claim === 'committed').map(([value]) => value)
    const before = ask === 'another one comes too' ? [] : ['a']
    expect(visible(world.cluster)).toEqual(all(...before, ...committed))
    // One of them has it for good, and the other knows.
    expect(
      claims
        .slice(-2)
        .map(([, claim]) => claim)
        .sort(),
    ).toEqual(['aborted transactional-id-taken', 'committed'])
    await world.close()
  })

  it('go on after a late attempt of their own took the id from them, unless that would be too late to be theirs', async () => {
    for (const isLater of [false, true]) {
      const world = new World({ transactionVersion })
      const messaging = world.messaging()
      const held = world.cluster.faults.holdRequest({ api: 'initProducerId' })
      expect(await world.run(messaging.transaction('id', everywhere('a')))).toBe('committed')
      // No broker carries out a request so late; it would be another owner's.
      if (isLater) await world.clock.advance(130_000)
      held.release()
      await world.clock.advance(20)
      expect(await world.run(messaging.transaction('id', everywhere('b')))).toMatch(/^aborted /)
      const claim = await world.run(messaging.transaction('id', everywhere('c')))
      expect(claim).toBe(isLater ? 'aborted transactional-id-taken' : 'committed')
      await world.clock.advance(1_000)
      expect(visible(world.cluster)).toEqual(isLater ? all('a') : all('a', 'c'))
      await world.close()
    }
  })

  it('abort when a send fails that nobody awaits', async () => {
    const world = new World({ transactionVersion })
    const messaging = world.messaging()
    const failing = messaging.transaction('id', async (transaction) => {
      await everywhere('a')(transaction)
      world.cluster.faults.failNext({ api: 'produce' }, brokerCode.INVALID_RECORD)
      void transaction.send(one, 'bad')
    })
    expect(await world.run(failing)).toBe('aborted invalid-record')
    expect(await world.run(messaging.transaction('id', everywhere('b')))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('b'))
    await world.close()
  })

  it('that their coordinator aborted are aborted and no more, though it calls their producer fenced', async () => {
    const world = new World({ transactionVersion, transactionCheckMs: 500 })
    const messaging = world.messaging()
    const late = messaging.transaction(
      'id',
      async (transaction) => {
        await everywhere('a')(transaction)
        // What is asked for meanwhile is lost; the first answer afterwards is that of newer coordinators.
        for (let nth = 1; nth <= 10; nth += 1) world.cluster.faults.loseNextRequest({ api: 'endTxn', nth })
        world.cluster.faults.failNext({ api: 'endTxn', nth: 11 }, brokerCode.PRODUCER_FENCED)
      },
      { timeoutMs: 1_000 },
    )
    expect(await world.run(late)).toBe('aborted transaction-timed-out')
    expect(world.cluster.faults.injected()).toMatchObject({ 'lose-request': 10, refuse: 1 })
    expect(await world.run(messaging.transaction('id', everywhere('b')))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('b'))
    await world.close()
  })

  it('stay unknown when a lost answer is followed by one that says nothing', async () => {
    const world = new World({ transactionVersion })
    const messaging = world.messaging()
    const { faults } = world.cluster
    let caught: TransactionError | null = null
    const committing = messaging.transaction('id', async (transaction) => {
      await everywhere('a')(transaction)
      faults.loseNextAnswer({ api: 'endTxn' })
      for (let nth = 2; nth < 400; nth += 1)
        faults.failNext({ api: 'endTxn', nth }, brokerCode.COORDINATOR_LOAD_IN_PROGRESS)
    })
    expect(
      await world.run(committing.catch((error: unknown) => Promise.reject((caught = error as TransactionError)))),
    ).toBe('unknown commit-unknown')
    faults.clear()
    expect(await world.clock.runUntil(caught!.resolution)).toBe('committed')
    expect(visible(world.cluster)).toEqual(all('a'))
    await world.close()
  })

  it('begin soon after each other, while the end of the one before is still being written', async () => {
    const world = new World({ transactionVersion, markerDelayMs: 400 })
    const messaging = world.messaging()
    for (const value of ['a', 'b', 'c', 'd'])
      expect(await world.run(messaging.transaction('id', everywhere(value)))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('a', 'b', 'c', 'd'))
    await world.close()
  })

  it('are committed though every broker was restarted while they were open', async () => {
    const world = new World({ transactionVersion })
    const messaging = world.messaging()
    const resting = messaging.transaction(
      'id',
      async (transaction) => {
        await everywhere('a')(transaction)
        for (const nodeId of [0, 1, 2]) {
          world.cluster.faults.stopBroker(nodeId)
          await world.clock.sleep(3_000)
          world.cluster.faults.startBroker(nodeId)
          await world.clock.sleep(1_000)
        }
      },
      { timeoutMs: 60_000 },
    )
    expect(await world.run(resting)).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('a'))
    await world.close()
  })

  it('of one id wait for each other, and cannot be nested', async () => {
    const world = new World({ transactionVersion })
    const messaging = world.messaging()
    const both = Promise.all(['a', 'b'].map((value) => messaging.transaction('id', everywhere(value))))
    expect(await world.run(both)).toBe('committed')
    const nested = messaging.transaction('id', async () => messaging.transaction('other', everywhere('c')))
    expect(await world.run(nested)).toBe('aborted nested-transaction')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('a', 'b'))
    await world.close()
  })

  it('go on when the id is expired, or its last epoch used', async () => {
    const world = new World({ transactionVersion, firstProducerEpoch: 32_760 })
    const messaging = world.messaging()
    const values = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
    for (const value of values)
      expect(await world.run(messaging.transaction('id', everywhere(value)))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all(...values))
    await world.close()
  })
})

it('what is late of one transaction takes back no offsets of the next, nor does it open one', async () => {
  const world = new World({ transactionVersion: 1 })
  const settings = { ...producerSettings, idempotent: true, transactionalId: 'id', requestTimeoutMs: 1_000 }
  const driver = memory({ cluster: world.cluster, runtime: { clock: world.clock, random: seededRandom(1) } })
  const producer = driver.createProducer(settings)
  const transactions = producer.transactions as NonNullable<DriverProducer['transactions']>
  const member = { groupId: 'g', generationId: -1, memberId: '', groupInstanceId: null }
  const upTo = (offset: number) => [{ topic: 'one', partition: 0, offset, leaderEpoch: -1, metadata: '' }]
  const deadline = world.clock.now() + 60_000
  const work = async () => {
    await producer.connect(deadline)
    for (const api of ['addOffsetsToTxn', 'txnOffsetCommit'] as const) {
      const held = world.cluster.faults.holdRequest({ api })
      await transactions.begin(10_000, deadline)
      await transactions.commitOffsets(member, upTo(10), deadline)
      expect((await transactions.commit(deadline)).outcome).toBe('committed')
      expect(held.state).toBe('held')
      await transactions.begin(10_000, deadline)
      await transactions.commitOffsets(member, upTo(20), deadline)
      held.release()
      await world.clock.sleep(20)
      expect((await transactions.commit(deadline)).outcome).toBe('committed')
      await world.clock.sleep(100)
      expect(world.cluster.committed('g').map(({ offset }) => offset)).toEqual([20])
    }
    await producer.close()
  }
  await world.clock.runUntil(work())
  await world.close()
})

describe('whose a transactional id is, by what its coordinator says', () => {
  const owner = { producerId: 7, producerEpoch: 3 }
  const described = (producerId: number, producerEpoch: number, state: string) => ({
    ...{ errorCode: 0, transactionalId: 'id', producerId, producerEpoch, state },
    ...{ timeoutMs: 1, startTimeMs: 1, partitions: [] },
  })

  it.each([
    [7, 3, 'Ongoing', 1, 'open', owner],
    [7, 3, 'CompleteCommit', 1, 'not-open', owner],
    [7, 3, 'PrepareAbort', 1, 'not-told', 'being-ended'],
    [7, 4, 'PrepareAbort', 2, 'open', 'being-ended'],
    [7, 4, 'CompleteAbort', 1, 'open', { producerId: 7, producerEpoch: 4 }],
    [7, 4, 'CompleteAbort', 1, 'not-open', 'taken'],
    // Another owner may have come after our end, and aborted one of its own.
    [7, 4, 'CompleteAbort', 1, 'not-told', 'cannot-be-told'],
    [7, 4, 'CompleteAbort', 2, 'open', { producerId: 7, producerEpoch: 4 }],
    [7, 4, 'CompleteCommit', 2, 'open', { producerId: 7, producerEpoch: 4 }],
    // Of another owner, which ends its transactions under version 1.
    [7, 4, 'CompleteAbort', 2, 'not-open', 'taken'],
    [7, 4, 'CompleteAbort', 2, 'not-told', 'cannot-be-told'],
    [7, 4, 'CompleteCommit', 2, 'not-told', 'taken'],
    [7, 4, 'CompleteCommit', 1, 'not-told', 'taken'],
    [7, 4, 'Empty', 2, 'open', 'taken'],
    [7, 4, 'Ongoing', 2, 'open', 'taken'],
    [7, 5, 'CompleteAbort', 2, 'open', 'taken'],
    [7, 2, 'CompleteAbort', 2, 'open', 'taken'],
    [8, 3, 'Empty', 2, 'open', 'taken'],
  ] as const)('producer %d at epoch %d, %s, version %d, as told %s', (id, epoch, state, version, open, whose) => {
    expect(whereWeStand(described(id, epoch, state), owner, version, { open, lateAttempts: 0 })).toEqual(whose)
  })

  it.each([
    [4, 'Empty', 1, 1, 'cannot-be-told'],
    [5, 'Empty', 2, 2, 'cannot-be-told'],
    [5, 'Empty', 2, 1, 'taken'],
    // A late attempt opens nothing.
    [4, 'Ongoing', 2, 1, 'taken'],
    [5, 'CompleteAbort', 1, 2, 'taken'],
  ] as const)('epoch %d, %s, version %d, %d late attempts', (epoch, state, version, lateAttempts, whose) => {
    expect(whereWeStand(described(7, epoch, state), owner, version, { open: 'open', lateAttempts })).toEqual(whose)
  })

  it.each([
    [7, 3, 'CompleteCommit', 1, 'committed'],
    [7, 3, 'PrepareCommit', 1, 'committed'],
    [7, 4, 'CompleteCommit', 2, 'committed'],
    [7, 4, 'CompleteAbort', 2, 'aborted'],
    // It may be a rival's, after our commit.
    [7, 4, 'CompleteAbort', 1, 'cannot-tell'],
    [7, 4, 'CompleteCommit', 1, 'cannot-tell'],
    [7, 3, 'CompleteCommit', 2, 'cannot-tell'],
    [7, 3, 'Ongoing', 2, 'later'],
    [7, 5, 'CompleteCommit', 2, 'cannot-tell'],
    [8, 0, 'CompleteCommit', 2, 'cannot-tell'],
  ] as const)('producer %d at epoch %d, %s, version %d says of our commit: %s', (id, epoch, state, version, says) => {
    expect(readDescription(described(id, epoch, state), { owner, version, stored: null })).toBe(says)
    expect(readDescription(null, { owner, version, stored: null })).toBe('cannot-tell')
  })
})

describe('transactions', () => {
  it('follow what the cluster has agreed on, from one to the next', async () => {
    const world = new World({ transactionVersion: 1 })
    const messaging = world.messaging()
    for (const [value, version] of [
      ['a', 2],
      ['b', 1],
      ['c', 2],
      ['d', 2],
    ] as const) {
      expect(await world.run(messaging.transaction('id', everywhere(value)))).toBe('committed')
      world.cluster.agreeOnTransactionVersion(version)
      await world.clock.advance(40_000)
    }
    expect(await world.run(messaging.transaction('id', everywhere('e')))).toBe('committed')
    await world.clock.advance(1_000)
    expect(visible(world.cluster)).toEqual(all('a', 'b', 'c', 'd', 'e'))
    const stored = world.cluster.records('one', 0).filter(({ value }) => value !== null)
    const epochOf = (name: string) => stored.find(({ value }) => String(value) === `${name} 0`)?.producerEpoch ?? NaN
    // Under version 2 each has an epoch of its own.
    expect(epochOf('e')).toBeGreaterThan(epochOf('d'))
    await world.close()
  })

  const endsOfOther = ['commits', 'aborts'] as const
  const paces = ['both at once', 'one after the other'] as const
  it.each(endsOfOther.flatMap((end) => paces.map((pace) => [end, pace] as const)))(
    'share no epoch when one of two owners of an id %s one before it is told that the version is raised, %s',
    async (end, pace) => {
      const world = new World({ transactionVersion: 2 })
      const [told, untold] = [world.messaging(), world.messaging()]
      expect(await world.run(told.transaction('id', everywhere('a')))).toBe('committed')
      // The broker that the other one asks has not heard of it yet.
      world.cluster.agreeOnTransactionVersion(1)
      const claims: [value: string, claim: string][] = []
      const run = async (messaging: Messaging, value: string, timeoutMs = 10_000) => {
        claims.push([value, await claimOf(messaging.transaction('id', everywhere(value), { timeoutMs }))])
      }
      const ofOther = untold.transaction('id', async (transaction) => {
        await everywhere('b')(transaction)
        if (end === 'aborts') throw new Error('no')
      })
      claims.push(['b', await world.run(ofOther)])
      world.cluster.agreeOnTransactionVersion(2)
      await world.clock.runUntil(run(told, 'c'))
      // Both renew their epoch now: one for the version, the other for its timeout.
      await world.clock.advance(31_000)
      for (const value of ['d', 'e', 'f']) {
        const [first, second] = [() => run(untold, `${value}0`), () => run(told, `${value}1`, 20_000)]
        await world.clock.runUntil<unknown>(
          pace === 'both at once' ? Promise.all([first(), second()]) : first().then(second),
        )
      }
      await world.clock.advance(1_000)
      const committed = claims.filter(([, claim]) => claim === 'committed').map(([value]) => value)
      expect(visible(world.cluster)).toEqual(all('a', ...committed))
      // One of them has it for good, and the other knows.
      const last = claims.slice(-2).map(([, claim]) => claim)
      expect(last.sort()).toEqual(['aborted transactional-id-taken', 'committed'])
      await world.close()
    },
  )

  it('are refused with every problem: no id, no handler, options that are none, too long a timeout', async () => {
    const world = new World()
    const messaging = world.messaging()
    await expect(messaging.transaction('', null as never, { timeoutMs: 0, x: 1 } as never)).rejects.toThrow(
      /handle: .*\n.*id: is empty.*\n.*timeoutMs: .*\n.*x: is not an option/,
    )
    const long = messaging.transaction('id', everywhere('a'), { timeoutMs: 1_000_000 })
    expect(await world.run(long)).toBe('aborted invalid-transaction-timeout')
    const again = messaging.transaction('id', everywhere('a'), { timeoutMs: 1_000_000 })
    await expect(world.clock.runUntil(again)).rejects.toThrow(
      /lower the transaction's timeoutMs, or raise transaction.max.timeout.ms/,
    )
    await world.close()
  })

  it('that hold up readers of committed records are told, with whose they are, and their end too', async () => {
    const world = new World()
    const messaging = world.messaging()
    const events: ClientEvent[] = []
    const reading = world.messaging({
      profile: defineProfile('cp', { isolation: 'read-committed' }),
      onEvent: (event) => events.push(event),
    })
    const seen: string[] = []
    const consumer = reading.consumer({
      group: null,
      topics: [one],
      from: 'earliest',
      handle: ({ value }) => void seen.push(value),
    })
    await world.clock.runUntil(consumer.start())
    const slow = messaging.transaction(
      'slow',
      async (transaction) => {
        await transaction.send(one, 'a', { partition: 0 })
        await world.clock.sleep(45_000)
      },
      { timeoutMs: 60_000 },
    )
    await world.clock.advance(40_000)
    const place = { topic: 'one', partition: 0 }
    expect(events.filter(({ kind }) => kind === 'readers-held-up')).toMatchObject([
      { ...place, offset: 0, transactionalId: 'slow', heldUpMs: expect.any(Number) as number },
    ])
    expect(await world.run(slow)).toBe('committed')
    await world.clock.advance(2_000)
    expect(events.filter(({ kind }) => kind === 'readers-go-on')).toMatchObject([{ ...place, offset: 2 }])
    expect(seen).toEqual(['a'])
    await world.close()
  })

  it('are refused clearly over a driver that has none', async () => {
    const driver = memory()
    const without = { ...driver, createProducer: (settings: ProducerSettings) => withoutTransactions(driver, settings) }
    const messaging = createMessaging({ driver: without, profile: 'transactional', logger: 'silent' })
    await expect(messaging.transaction('id', () => undefined)).rejects.toThrow(
      /needs transactions, which the driver memory/,
    )
    await messaging.close()
  })

  it('that are open are seen by an admin, with where they hold up readers and whose they are', async () => {
    const world = new World()
    const messaging = world.messaging()
    const { admin } = messaging
    expect(await world.run(messaging.transaction('done', everywhere('a')))).toBe('committed')
    let seen: readonly unknown[] = []
    const looking = messaging.transaction('id', async (transaction) => {
      await transaction.send(one, 'open', { partition: 1 })
      seen = [
        await admin.listTransactions({ states: ['Ongoing'] }),
        await admin.describeTransactions(['id', 'unknown']),
        await admin.openTransactions([0, 1].map((partition) => ({ topic: 'one', partition }))),
      ]
    })
    expect(await world.run(looking)).toBe('committed')
    expect(seen).toMatchObject([
      [{ transactionalId: 'id', state: 'Ongoing' }],
      [{ transactionalId: 'id', state: 'Ongoing', timeoutMs: 10_000, partitions: [{ topic: 'one', partition: 1 }] }],
      [{ topic: 'one', partition: 1, transactionalId: 'id', firstOffset: 2 }],
    ])
    await expect(admin.listTransactions({ states: 'Ongoing' } as never)).rejects.toThrow(/states: .* a list of states/)
    await expect(admin.describeTransactions('id' as never)).rejects.toThrow(/ids: .* a list of transactional ids/)
    await world.close()
  })

  it('of any faults never claim what is not so', async () => {
    const runs = Number(process.env['TIDEMARK_TRANSACTION_SEEDS'] ?? 3)
    for (let seed = 1; seed <= runs; seed += 1) {
      const transactionVersion = seed % 2 === 0 ? 1 : 2
      const world = new World({ transactionVersion, transactionCheckMs: 1_000, markerDelayMs: 20 }, seed)
      const messaging = world.messaging()
      const claims = new Map<string, string>()
      const random = seededRandom(seed)
      world.cluster.faults.random({ random, loseRequest: 0.05, loseAnswer: 0.05, hold: 0.02, maxHoldMs: 20_000 })
      for (let count = 0; count < 12; count += 1) {
        const value = `v${count}`
        const fails = random.next() < 0.3
        let resolution: Promise<string> | null = null
        const claim = await world.run(
          messaging
            .transaction('id', async (transaction) => {
              await everywhere(value)(transaction)
              if (fails) throw new Error('no')
            })
            .catch((error: unknown) => {
              if (error instanceof TransactionError) resolution = error.resolution
              throw error
            }),
        )
        claims.set(value, resolution === null ? claim : await world.clock.runUntil(resolution))
      }
      world.cluster.faults.random(null)
      await world.clock.advance(60_000)
      const seen = new Set(visible(world.cluster))
      for (const [value, claim] of claims) {
        const parts = all(value).filter((part) => seen.has(part)).length
        const told = `${seed} ${value} ${claim.split(' ')[0]}`
        if (claim.startsWith('committed')) expect(`${told} ${parts}`).toBe(`${told} 3`)
        else if (claim.startsWith('aborted')) expect(`${told} ${parts}`).toBe(`${told} 0`)
        else expect([0, 3]).toContain(parts)
      }
      await world.close()
    }
  })
})

it('what a transaction did not send it says was not stored, at once', async () => {
  const world = new World()
  const messaging = world.messaging()
  let error: SendError | null = null
  const failing = messaging.transaction('id', async (transaction) => {
    const missing = defineTopic({ name: 'missing', value: string() })
    transaction.send(missing, 'waits').catch((caught: SendError) => (error = caught))
    await transaction.send(one, 'sent', { partition: 0 })
    throw new Error('no')
  })
  expect(await world.run(failing)).toBe('aborted handler-failed')
  expect(error).toMatchObject({ outcome: 'not-stored', code: 'transaction-aborted' })
  await world.close()
})

/** What Kafka 2.4 offers of what transactions need. */
const kafka24 = {
  ...{ produce: 8, initProducerId: 2, addPartitionsToTxn: 1, addOffsetsToTxn: 1, txnOffsetCommit: 2, endTxn: 1 },
  ...{ findCoordinator: 3, offsetFetch: 6 },
}

it('over a broker older than Kafka 2.5 are refused with what to do, and nothing of them is sent', async () => {
  const broker = await ScriptedBroker.start((request, self) => {
    const here = { nodeId: 1, host: '127.0.0.1', port: self.port }
    if (request.api === 'apiVersions') self.answerVersions(request, 3, kafka24)
    if (request.api === 'metadata') {
      const partitions = [{ errorCode: 0, partition: 0, leader: 1, leaderEpoch: 1, replicas: [1], isr: [1] }]
      self.answer<'metadata'>(request, {
        ...{ throttleTimeMs: 0, brokers: [{ ...here, rack: null }], clusterId: 'c', controllerId: 1 },
        topics: [{ errorCode: 0, name: 'one', topicId: null, isInternal: false, partitions }],
      })
    }
    if (request.api === 'findCoordinator') {
      self.answer<'findCoordinator'>(request, { throttleTimeMs: 0, errorCode: 0, ...here })
    }
  })
  const driver = kafkajs({ brokers: [broker.address] })
  const messaging = createMessaging({ driver, profile: 'transactional', durability: 'off', logger: 'silent' })
  let handled = 0
  const handle = async (_: unknown, context: HandlerContext) => {
    handled += 1
    await context.send(two, 'b')
  }
  try {
    const error: unknown = await messaging.transaction('id', everywhere('a')).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ outcome: 'aborted', code: 'unsupported', retriable: false })
    expect(String(error)).toMatch(/offers initProducerId in versions 1 to 2; .*too old, take Kafka 2\.5 or newer/)
    const consumer = messaging.consumer({ group: 'g', topics: [one], handle })
    await expect(consumer.start()).rejects.toThrow(/too old, take Kafka 2\.5 or newer/)
    expect(handled).toBe(0)
    const harmless = new Set(['apiVersions', 'metadata', 'findCoordinator'])
    expect(broker.seen.map(({ api }) => api).filter((api) => !harmless.has(api))).toEqual([])
  } finally {
    await messaging.close({ force: true })
    await broker.stop()
  }
})
