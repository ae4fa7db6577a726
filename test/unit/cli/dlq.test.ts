import { createMessaging } from 'tidemark'
import { createMemoryCluster, memory, type MemoryCluster } from 'tidemark/memory'
import { expect, it } from 'vitest'
import { dlq, failedAt, headers, put, stored, values } from '../redrive/dead-letters.js'
import { progressOn } from '../../../src/cli/progress.js'
import type { Terminal } from '../../../src/cli/terminal.js'
import type { Clock } from '../../../src/runtime/clock.js'
import { tidemark } from './command-line.js'

/** Two letters of `orders` that this library wrote, one of them undecodable, and one of Spring's. */
function withLetters(): MemoryCluster {
  const cluster = createMemoryCluster()
  cluster.createTopic('orders', { partitions: 2 })
  cluster.createTopic(dlq, { partitions: 2 })
  put(cluster, [{ key: 'a', value: 'one\u001b[2J', headers: failedAt(0) }])
  put(cluster, [
    {
      key: 'b',
      value: 'two',
      headers: failedAt(1, { 'td-reason': 'undecodable', 'td-last-failed-at': '2026-01-03T00:00:00.000Z' }),
    },
  ])
  put(
    cluster,
    [{ headers: headers({ 'kafka_dlt-original-topic': 'payments', 'kafka_dlt-exception-fqcn': 'java.lang.Error' }) }],
    { partition: 1 },
  )
  return cluster
}

it('lists dead-letter topics by their usual names, or by an expression', async () => {
  const cluster = withLetters()
  cluster.createTopic('payments-DLT')
  cluster.createTopic('handling')
  expect((await tidemark(cluster, 'dlq list')).out).toBe(
    [
      'TOPIC         PARTITIONS  LETTERS AT MOST',
      'orders.dlq             2                6',
      'payments-DLT           1                0\n',
    ].join('\n'),
  )
  expect((await tidemark(cluster, 'dlq list --match ^hand --json')).value).toMatchObject([{ topic: 'handling' }])
  expect((await tidemark(cluster, 'dlq list --match (')).exit).toBe(2)
  await cluster.close()
})

it('counts letters by what their headers tell, and finds some or none', async () => {
  const cluster = withLetters()
  const { exit, value } = await tidemark(cluster, 'dlq stats orders.dlq --json')
  expect(exit).toBe(1)
  expect(value).toEqual({
    topic: 'orders.dlq',
    letters: 3,
    cameBack: 0,
    oldestAt: 0,
    newestAt: Date.parse('2026-01-03'),
    byReason: { exhausted: 1, undecodable: 1, none: 1 },
    byError: { TypeError: 2, 'java.lang.Error': 1 },
    byOrigin: { orders: 2, payments: 1 },
    byGroup: { billing: 2, none: 1 },
    byWriter: { tidemark: 2, spring: 1 },
    unseen: [],
  })
  expect((await tidemark(cluster, 'dlq stats orders.dlq --reason timeout')).exit).toBe(0)
  const one = await tidemark(cluster, 'dlq stats orders.dlq --partition 1 --json')
  expect(one.value).toMatchObject({ letters: 1, byOrigin: { payments: 1 } })
  expect((await tidemark(cluster, 'dlq stats orders.dlq --partition 9')).exit).toBe(2)
  expect((await tidemark(cluster, 'dlq stats order.dlq')).err).toContain('does not exist')
  await cluster.close()
})

it('shows the newest letters, and what is in them only when asked for, escaped', async () => {
  const cluster = withLetters()
  const words = 'dlq peek orders.dlq --error TypeError --show 2'
  const { out } = await tidemark(cluster, words)
  expect(out).toMatch(/orders\.dlq-0@2[\s\S]+orders\.dlq-0@0/)
  expect(out).toMatch(/from +orders-0@1\nreason +undecodable\nerror +TypeError: x is undefined\n/)
  expect(out).not.toMatch(/\btwo\b|td-attempt/)
  const all = await tidemark(cluster, `${words} --values --headers`)
  expect(all.out).toContain('  td-attempt: 4\n')
  expect(all.out).toMatch(/^value +one\\u001b\[2J$/m)
  const { value } = await tidemark(cluster, 'dlq peek orders.dlq --key b --values --json')
  expect(value).toMatchObject([{ offset: 2, reason: 'undecodable', key: 'b', value: 'two' }])
  expect((await tidemark(cluster, 'dlq peek orders.dlq --key nobody')).out).toBe('There is no such letter.\n')
  await cluster.close()
})

it('counts what would go back, asks, and sends to the allowed topics alone', async () => {
  const cluster = withLetters()
  const words = 'dlq redrive orders.dlq --allow orders --group redrive-1'
  const refused = await tidemark(cluster, words)
  expect([refused.exit, refused.err]).toEqual([4, expect.stringContaining("passOver: ['outside']")])
  expect([refused.out, refused.err]).toEqual(['', expect.stringMatching(/^would be sent +\d\n[\s\S]*^ended +failed$/m)])
  const passing = `${words} --pass-over outside`
  const dry = await tidemark(cluster, `${passing} --dry-run --json`)
  expect(dry.value).toMatchObject({ dryRun: true, redriven: 2, refused: { outside: 1 }, outside: { payments: 1 } })
  const unasked = await tidemark(cluster, passing)
  expect([unasked.exit, unasked.err]).toEqual([2, expect.stringContaining('say so with --yes')])
  expect(stored(cluster)).toEqual([])

  const { exit, asked, out } = await tidemark(cluster, passing, { answers: ['yes'] })
  expect(asked).toEqual(['send 2 letter(s) to orders, where all groups see them? (yes/no) '])
  expect(exit).toBe(1)
  expect(out).toMatch(/^sent +2\n/)
  expect(values(stored(cluster))).toEqual(['one\u001b[2J', 'two'])
  const again = await tidemark(cluster, `${words} --partition 0 --yes`)
  expect([again.exit, values(stored(cluster))]).toEqual([0, ['one\u001b[2J', 'two']])
  await cluster.close()
})

it('deletes for good what it has shown, when somebody says yes, and only of what is named as dead-letter topics are', async () => {
  const cluster = withLetters()
  const words = 'dlq purge orders.dlq'
  const shown = await tidemark(cluster, `${words} --dry-run`)
  expect(shown.out).toBe(
    [
      'TOPIC       PARTITION  FROM  BEFORE  LETTERS AT MOST',
      'orders.dlq          0     0       4                4',
      'orders.dlq          1     0       2                2\n',
    ].join('\n'),
  )
  const unasked = await tidemark(cluster, words)
  expect([unasked.exit, unasked.err]).toEqual([2, expect.stringContaining('say so with --yes')])
  const declined = await tidemark(cluster, words, { answers: ['no'] })
  expect([declined.exit, declined.asked]).toEqual([2, ['delete up to 6 letter(s) of orders.dlq for good? (yes/no) ']])
  expect((await tidemark(cluster, 'dlq stats orders.dlq --json')).value).toMatchObject({ letters: 3 })
  const wrong = await tidemark(cluster, 'dlq purge orders --yes')
  expect([wrong.exit, wrong.err]).toEqual([2, expect.stringContaining('--any-name')])

  const one = await tidemark(cluster, `${words} --partition 1 --yes --json`)
  expect([one.exit, one.value]).toMatchObject([
    0,
    { done: true, letters: 2, partitions: [{ partition: 1, before: 2 }] },
  ])
  expect((await tidemark(cluster, 'dlq stats orders.dlq --json')).value).toMatchObject({ letters: 2 })
  expect((await tidemark(cluster, words, { answers: ['yes'] })).out).toMatch(/They are deleted\.\n$/)
  const nothing = await tidemark(cluster, `${words} --yes`)
  expect([nothing.exit, nothing.out]).toEqual([0, 'There is nothing to delete.\n'])
  await cluster.close()
})

it('is told of long work by a bar on a screen, by lines elsewhere, and not beside data', () => {
  let now = 0
  const clock = { now: () => now } as Clock
  const written: string[] = []
  const terminal = (errorsOnScreen: boolean) =>
    ({ errorsOnScreen, writeError: (text: string) => void written.push(text) }) as unknown as Terminal
  const run = (errorsOnScreen: boolean) => {
    written.length = 0
    const { at, end } = progressOn(terminal(errorsOnScreen), clock, 'letters\u001b sent')
    for (let done = 0; done <= 1_000; done += 1, now += 10) at(done, 1_000)
    end()
    return written
  }
  const drawn = run(true)
  expect(drawn.length).toBeLessThan(110)
  expect(drawn[0]).toBe('\r\u001b[2K[#.......................] letters\\u001b sent: 50 of 1,000, about 10 s left')
  expect(drawn.at(-1)).toBe('\r\u001b[2K')
  expect(run(false)).toEqual([
    'letters\\u001b sent: 500 of 1,000, about 5 s left\n',
    'letters\\u001b sent: 1,000 of 1,000\n',
  ])
})

it('looks at what has a leader at once, and names partitions without one, which ends it with 1', async () => {
  const cluster = createMemoryCluster({ brokers: 3 })
  cluster.createTopic(dlq, { partitions: 3, replicationFactor: 1 })
  for (const partition of [0, 1, 2]) put(cluster, [{ value: 'one', headers: failedAt(0) }], { partition })
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  const [described] = await messaging.admin.describeTopics([dlq])
  await messaging.close()
  cluster.faults.stopBroker(described?.partitions[2]?.leader as number)
  const begunAt = performance.now()
  const unseen = [{ topic: dlq, partition: 2, reason: 'no-leader' }]
  const note = `not looked at, without a leader: ${dlq}-2`
  const told = `${JSON.stringify({ note })}\n`
  // With the marker of its transaction each letter has two offsets.
  const list = await tidemark(cluster, 'dlq list --json')
  expect(list).toMatchObject({ exit: 1, err: told, value: [{ letters: 4, unseen: [2] }] })
  const stats = await tidemark(cluster, `dlq stats ${dlq} --json`)
  expect(stats).toMatchObject({ exit: 1, err: told, value: { letters: 2, unseen } })
  const alone = await tidemark(cluster, `dlq stats ${dlq} --json --partition 2`)
  expect(alone).toMatchObject({ exit: 1, err: told, value: { letters: 0, unseen } })
  const peek = await tidemark(cluster, `dlq peek ${dlq}`)
  expect([peek.exit, peek.err, peek.out.match(/^letter /gm)?.length]).toEqual([1, `${note}\n`, 2])
  const tail = await tidemark(cluster, `tail ${dlq}`)
  expect([tail.exit, tail.err, tail.out.trim().split('\n').length]).toEqual([1, `${note}\n`, 2])
  const purge = await tidemark(cluster, `dlq purge ${dlq} --yes --json`)
  expect(purge).toMatchObject({ exit: 1, err: told, value: { done: true, letters: 4, unseen } })
  const open = await tidemark(cluster, `transactions open ${dlq}`)
  expect([open.exit, open.err]).toEqual([1, `${note}\n`])
  // Whoever asked for it would wait ten seconds each time.
  expect(performance.now() - begunAt).toBeLessThan(9_000)
  await cluster.close()
})

it('redrives what has a leader at once, names partitions without one, and takes these up when they have one again', async () => {
  const cluster = createMemoryCluster({ brokers: 3 })
  cluster.createTopic('orders', { partitions: 2, replicationFactor: 3 })
  cluster.createTopic(dlq, { partitions: 3, replicationFactor: 1 })
  for (const partition of [0, 1, 2]) {
    put(cluster, [{ value: `from ${partition}`, headers: failedAt(partition) }], { partition })
  }
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  const [described] = await messaging.admin.describeTopics([dlq])
  await messaging.close()
  const broker = described?.partitions[2]?.leader as number
  cluster.faults.stopBroker(broker)
  const begunAt = performance.now()
  const words = `dlq redrive ${dlq} --allow orders --group redrive-1 --yes`
  const first = await tidemark(cluster, `${words} --json`)
  const note = `not looked at, without a leader: ${dlq}-2`
  expect(first).toMatchObject({ exit: 1, value: { ended: 'done', redriven: 2, left: 0, unseen: [2] } })
  expect(first.err).toBe(`${JSON.stringify({ note })}\n`)
  expect(performance.now() - begunAt).toBeLessThan(9_000)
  cluster.faults.startBroker(broker)
  const second = await tidemark(cluster, `${words} --json`)
  expect(second).toMatchObject({ exit: 0, err: '', value: { ended: 'done', redriven: 1, passedBefore: 4, unseen: [] } })
  expect([...values(stored(cluster))].sort()).toEqual(['from 0', 'from 1', 'from 2'])
  await cluster.close()
})
