import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMessaging, defineTopic, string, type Messaging, type Topic } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { TransactionError, type Transaction } from '../../src/transactions.js'
import type { FaultProxy } from '../support/fault-proxy.js'
import { readTopic } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import type { ApiName } from '../support/kafka-frames.js'
import { dieWithUs } from '../support/reaper.js'
import { until } from '../support/waiting.js'

/** 4.2 has agreed on `transaction.version` 2, 3.9 knows the first version alone. */
const kinds = [
  { version: '4.2.0', apis: ['FindCoordinator', 'InitProducerId', 'Produce', 'EndTxn'] },
  { version: '3.9.1', apis: ['FindCoordinator', 'InitProducerId', 'AddPartitionsToTxn', 'Produce', 'EndTxn'] },
] as const satisfies readonly { readonly version: string; readonly apis: readonly ApiName[] }[]

describe.each(kinds)('transactions on Kafka $version', ({ version, apis }) => {
  let cluster: KafkaCluster
  let proxy: FaultProxy
  const opened: Messaging[] = []

  beforeAll(async () => {
    const properties = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 200 }
    cluster = await startCluster({ version, nodes: 1, proxies: true, properties })
    proxy = cluster.proxy(1)
  })

  afterAll(async () => {
    await Promise.all(opened.map((messaging) => messaging.close({ force: true })))
    await cluster.stop()
  })

  function messagingOver(brokers = cluster.brokers): Messaging {
    const messaging = createMessaging({
      driver: kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING }),
      profile: 'transactional',
      durability: 'off',
      logger: 'silent',
    })
    opened.push(messaging)
    return messaging
  }

  async function topicsOf(name: string): Promise<readonly [Topic<string>, Topic<string>]> {
    const topics = ['a', 'b'].map((part) => defineTopic({ name: `${name}-${part}`, value: string(), partitions: 2 }))
    for (const topic of topics) await cluster.createTopic(topic.name, { partitions: 2 })
    return topics as unknown as readonly [Topic<string>, Topic<string>]
  }

  const visible = async (topic: { readonly name: string }) =>
    (await readTopic(cluster, topic.name)).map(({ value }) => value?.toString()).sort()

  const told = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'committed',
      (error: unknown) => (error instanceof TransactionError ? `${error.outcome} ${error.code}` : String(error)),
    )

  it('are visible as a whole when they are committed, and not at all when their handler fails', async () => {
    const [one, two] = await topicsOf('whole')
    const messaging = messagingOver()
    const result = await messaging.transaction('whole', async (transaction) => {
      await transaction.send(one, 'committed')
      await transaction.sendMany(two, ['also', 'committed'])
      return 'done'
    })
    expect(result).toBe('done')
    const failing = messaging.transaction('whole', async (transaction) => {
      await transaction.send(one, 'aborted')
      await transaction.send(two, 'aborted')
      throw new Error('no')
    })
    expect(await told(failing)).toBe('aborted handler-failed')
    for (let count = 0; count < 3; count += 1) {
      await messaging.transaction('whole', (transaction) => transaction.send(one, `after ${count}`))
    }
    expect(await visible(one)).toEqual(['after 0', 'after 1', 'after 2', 'committed'])
    expect(await visible(two)).toEqual(['also', 'committed'])
    await messaging.close()
  })

  it('claim what is so, whatever request or answer is lost', async () => {
    const [one, two] = await topicsOf('lost')
    const wanted: string[] = []
    const struck: Partial<Record<ApiName, number>> = {}
    for (const api of apis) {
      for (const fault of ['answer lost', 'request held'] as const) {
        for (const end of ['commit', 'abort'] as const) {
          const value = `${api}, ${fault}, ${end}`
          const messaging = messagingOver()
          const both = async (transaction: Transaction, what: string) => {
            await Promise.all([transaction.send(one, what), transaction.send(two, what)])
          }
          const held = fault === 'request held' ? proxy.hold({ api }) : null
          const trap = held ?? proxy.loseAnswer({ api })
          void held?.struck.then(() => proxy.cut())
          const claim = await told(
            messaging.transaction(value, async (transaction) => {
              await both(transaction, value)
              if (end === 'abort') throw new Error('no')
            }),
          )
          expect(`${value}: ${claim}`).toBe(`${value}: ${end === 'commit' ? 'committed' : 'aborted handler-failed'}`)
          if (end === 'commit') wanted.push(value)
          expect([value, trap.hasStruck]).toEqual([value, true])
          struck[api] = (struck[api] ?? 0) + 1
          // What was held arrives when its transaction is over, and must not get into the next.
          held?.release()
          expect(await told(messaging.transaction(value, (next) => both(next, `${value}, next`)))).toBe('committed')
          wanted.push(`${value}, next`)
          await messaging.close()
        }
      }
    }
    expect(struck).toEqual(Object.fromEntries(apis.map((api) => [api, 4])))
    expect(await visible(one)).toEqual(wanted.sort())
    expect(await visible(two)).toEqual(wanted.sort())
  })

  it('of two owners of one id: the later one has it, the earlier one says so and does not take it back', async () => {
    const [one] = await topicsOf('owners')
    const [earlier, later] = [messagingOver(), messagingOver()]
    const sending = (value: string) => (transaction: Transaction) => transaction.send(one, value)
    expect(await told(earlier.transaction('owned', sending('a')))).toBe('committed')
    expect(await told(later.transaction('owned', sending('b')))).toBe('committed')
    expect(await told(earlier.transaction('owned', sending('c')))).toBe('aborted transactional-id-taken')
    expect(await told(earlier.transaction('owned', sending('d')))).toBe('aborted transactional-id-taken')
    expect(await told(later.transaction('owned', sending('e')))).toBe('committed')
    expect(await visible(one)).toEqual(['a', 'b', 'e'])
    await Promise.all([earlier.close(), later.close()])
  })

  it('of a process that stood still past its timeout are not visible, and its next one is', async () => {
    const [one] = await topicsOf('still')
    const messaging = messagingOver()
    const standing = messaging.transaction(
      'still',
      async (transaction) => {
        await transaction.send(one, 'before')
        // Nothing of this process runs, as after a SIGSTOP.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000)
        void transaction.send(one, 'after')
      },
      { timeoutMs: 1_000 },
    )
    expect(await told(standing)).toMatch(/^aborted transaction-time/)
    expect(await told(messaging.transaction('still', (next) => next.send(one, 'next')))).toBe('committed')
    expect(await visible(one)).toEqual(['next'])
    await messaging.close()
  })

  it('of a process that was stopped, and whose id another one took over, never become visible when it goes on', async () => {
    const [one] = await topicsOf('zombie')
    const zombie = startTransaction(cluster.brokers, one.name, 'zombie')
    await until('the first record', () => zombie.said().includes('sent'))
    zombie.signal('SIGSTOP')
    const messaging = messagingOver()
    expect(await told(messaging.transaction('zombie', (transaction) => transaction.send(one, 'taken over')))).toBe(
      'committed',
    )
    zombie.signal('SIGCONT')
    zombie.goOn()
    await until('its end', () => zombie.said().length > 1)
    expect(zombie.said()).toEqual(['sent', 'aborted transactional-id-taken'])
    expect(await told(messaging.transaction('zombie', (transaction) => transaction.send(one, 'and again')))).toBe(
      'committed',
    )
    expect(await visible(one)).toEqual(['and again', 'taken over'])
    await messaging.close()
  })

  it('that are open are seen by an admin, with where they hold up readers and whose they are', async () => {
    const [one] = await topicsOf('seen')
    const messaging = messagingOver()
    await messaging.transaction('seen', async (transaction) => {
      const { partition, offset } = await transaction.send(one, 'open')
      const place = { topic: one.name, partition }
      const listed = await messaging.admin.listTransactions({ states: ['Ongoing'] })
      expect(listed).toMatchObject([{ transactionalId: 'seen', state: 'Ongoing' }])
      const described = await messaging.admin.describeTransactions(['seen', 'nobody'])
      expect(described).toMatchObject([{ transactionalId: 'seen', state: 'Ongoing', partitions: [place] }])
      const open = await messaging.admin.openTransactions([place])
      expect(open).toMatchObject([{ ...place, transactionalId: 'seen', firstOffset: offset }])
    })
    await messaging.close()
  })

  it('are refused clearly when they may not be that long', async () => {
    const messaging = messagingOver()
    const long = messaging.transaction('long', () => undefined, { timeoutMs: 1_000_000 })
    await expect(long).rejects.toThrow(/INVALID_TRANSACTION_TIMEOUT .* lower the transaction's timeoutMs/)
    await messaging.close()
  })
})

/** The process of a transaction, which waits in the middle of it. */
function startTransaction(brokers: readonly string[], topic: string, id: string) {
  const path = fileURLToPath(new URL('../support/transaction-process.ts', import.meta.url))
  const args = ['--import', 'tsx', path, brokers.join(','), topic, id]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  dieWithUs(child)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return {
    said: () => output.split('\n').slice(0, -1),
    signal: (signal: 'SIGSTOP' | 'SIGCONT') => child.kill(signal),
    goOn: () => child.stdin.write('go on\n'),
  }
}
