import { createMessaging, defineTopic, string } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { healthServer } from 'tidemark/health'
import { expect, it, vi } from 'vitest'
import { billing, tidemark } from './command-line.js'

const committed = (cluster: Awaited<ReturnType<typeof billing>>, group = 'billing') =>
  cluster
    .committed(group)
    .map(({ partition, offset }) => `${partition}@${offset}`)
    .sort()

it('lists groups as a table, and as data', async () => {
  const cluster = await billing()
  const { exit, out, err } = await tidemark(cluster, 'group list')
  expect(out).toBe('GROUP    STATE  TYPE     PROTOCOL\nbilling  Empty  classic  -\n')
  expect([exit, err]).toEqual([0, ''])
  expect((await tidemark(cluster, 'group list --json')).value).toEqual([
    { groupId: 'billing', state: 'Empty', type: 'classic', protocolType: '' },
  ])
  expect((await tidemark(cluster, 'group list --state Stable')).out).toBe('There is no such group.\n')
  await cluster.close()
})

it('tells who reads what, how far behind it is, and which groups nobody knows', async () => {
  const cluster = await billing()
  const messaging = createMessaging({
    driver: memory({ cluster }),
    clientId: 'pod-1',
    durability: 'off',
    logger: 'silent',
  })
  const topic = defineTopic({ name: 'orders', value: string() })
  const consumer = messaging.consumer({ group: 'billing', topics: [topic], handle: () => new Promise(() => {}) })
  await consumer.start()
  const { exit, value } = await tidemark(cluster, 'group describe billing bilking --json')
  expect(exit).toBe(1)
  expect(value).toMatchObject({
    groups: [
      {
        groupId: 'billing',
        state: 'Stable',
        members: [{ clientId: 'pod-1-consumer-1', lag: 5 }],
        partitions: [
          { topic: 'orders', partition: 0, committed: 5, end: 8, lag: 3, memberId: expect.stringContaining('pod-1') },
          { topic: 'orders', partition: 1, committed: 2, end: 4, lag: 2 },
        ],
      },
    ],
    unknown: ['bilking'],
  })
  const { out } = await tidemark(cluster, 'group describe billing bilking')
  expect(out).toMatch(/orders +0 +5 +8 +3 +pod-1-consumer-1\n/)
  expect(out).toContain('No coordinator knows group bilking.\n')

  const reset = await tidemark(cluster, 'group reset billing --to latest --yes')
  expect(reset.exit).toBe(4)
  expect(reset.err).toMatch(/^tidemark: .*pod-1/)
  await messaging.close({ timeoutMs: 0, force: true }).catch(() => undefined)
  await cluster.close()
})

it('tells what members wait for, and since when, from their health servers, and who did not answer', async () => {
  const cluster = await billing()
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  const topic = defineTopic({ name: 'orders', value: string() })
  const consumer = messaging.consumer({ group: 'billing', topics: [topic], handle: () => new Promise(() => {}) })
  await consumer.start()
  const token = 'a token of the members'
  await using health = await healthServer({ messaging, port: 0, token })
  const words = `group describe billing --members http://127.0.0.1:${health.port} http://127.0.0.1:2`
  const environment = { KAFKA_BROKERS: 'memory:9092', TIDEMARK_FACTS_TOKEN: token }
  await vi.waitFor(() => expect(consumer.facts().running).toBe(2), { timeout: 5_000 })
  const { value, exit } = await tidemark(cluster, `${words} --json`, { environment })
  expect(exit).toBe(0)
  expect(value).toMatchObject({
    groups: [{ partitions: [{ partition: 0, told: { waitsFor: 'handler', running: 1 } }, { partition: 1 }] }],
    processes: [
      { address: `127.0.0.1:${health.port}`, failure: null, status: expect.any(String) },
      { address: '127.0.0.1:2', failure: expect.stringContaining('ECONNREFUSED'), status: null },
    ],
  })
  const shown = await tidemark(cluster, words, { environment })
  expect(shown.out).toMatch(/IN FLIGHT +WAITS FOR +STANDS STILL FOR\n[^]*orders +0 .* handler /)
  expect(shown.out).not.toContain('only its members know')
  const unasked = await tidemark(cluster, 'group describe billing')
  expect(unasked.out).toContain('only its members know: --members')
  const withoutToken = await tidemark(cluster, words)
  expect(withoutToken.out).toContain('it wants another token')
  for (const wrong of ['pod-1:8081', 'file:///etc/passwd', 'http://user:secret@pod-1:8081']) {
    const refused = await tidemark(cluster, `group describe billing --members ${wrong}`)
    expect([refused.exit, refused.err]).toEqual([2, expect.stringContaining('http://pod-1:8081')])
  }
  await messaging.close({ timeoutMs: 0, force: true }).catch(() => undefined)
  await cluster.close()
})

it('shows where a group would go on, and sets exactly that when somebody says yes', async () => {
  const cluster = await billing()
  const shown = await tidemark(cluster, 'group reset billing --to earliest --dry-run')
  expect(shown.out).toBe(
    [
      'TOPIC   PARTITION  NOW  THEN  CHANGE  EARLIEST  LATEST',
      'orders          0    5     0      -5         0       8',
      'orders          1    2     0      -2         0       4\n',
    ].join('\n'),
  )
  expect(shown.exit).toBe(0)
  const unasked = await tidemark(cluster, 'group reset billing --to earliest')
  expect([unasked.exit, unasked.err]).toEqual([2, expect.stringContaining('say so with --yes')])
  const declined = await tidemark(cluster, 'group reset billing --to earliest', { answers: ['n'] })
  expect([declined.exit, declined.asked]).toEqual([2, ['set 2 offset(s) of group billing? (yes/no) ']])
  expect(committed(cluster)).toEqual(['0@5', '1@2'])

  expect((await tidemark(cluster, 'group reset billing --to -1 --partition orders:0 --yes')).exit).toBe(0)
  expect(committed(cluster)).toEqual(['0@4', '1@2'])
  const asked = await tidemark(cluster, 'group reset billing --to latest --json', { answers: ['yes'] })
  expect(asked.value).toMatchObject({ done: true, resets: [{ offset: 8 }, { offset: 4 }] })
  expect(committed(cluster)).toEqual(['0@8', '1@4'])
  await cluster.close()
})

it('deletes groups when somebody says yes, and names those that nobody knows', async () => {
  const cluster = await billing()
  expect((await tidemark(cluster, 'group delete billing')).exit).toBe(2)
  expect(committed(cluster)).toEqual(['0@5', '1@2'])
  const { exit, out } = await tidemark(cluster, 'group delete billing bilking -y')
  expect([exit, out]).toEqual([1, 'Deleted billing.\nNo coordinator knows group bilking.\n'])
  expect(committed(cluster)).toEqual([])
  await cluster.close()
})

it.each([
  ['group reset billing', '--to'],
  ['group reset billing --to yesterday', '2026-01-02T15:04:05Z'],
  ['group reset billing --to 2026-02-31T00:00', 'with its zone'],
  ['group reset billing --to latest --partition orders', 'orders:3'],
  ['group reset billing --to latest --topic orders --partition orders:0', 'either'],
  ['group lst', 'list'],
  ['group list --timeout 10', '500ms'],
  ['group list --brokers kafka', 'host:port'],
])('ends %s with 2 and says what to write', async (words, hint) => {
  const cluster = createMemoryCluster()
  const { exit, out, err } = await tidemark(cluster, words)
  expect([exit, out]).toEqual([2, ''])
  expect(err).toContain(hint)
  await cluster.close()
})
