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
  const empty = createMemoryCluster()
  expect((await tidemark(empty, 'group list')).out).toBe('There is no group.\n')
  expect((await tidemark(empty, 'transactions list')).out).toBe('There is no transactional id.\n')
  expect((await tidemark(empty, 'dlq list')).out).toMatch(/^No topic is called as dead-letter topics are: orders.dlq, /)
  await empty.close()
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

it('resets and describes what can be, and tells partitions without a leader, which stay as they are', async () => {
  const cluster = createMemoryCluster({ brokers: 3 })
  cluster.createTopic('orders', { partitions: 3, replicationFactor: 1 })
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  const { admin } = messaging
  await admin.setOffsets(
    'billing',
    [0, 1, 2].map((partition) => ({ topic: 'orders', partition, offset: 0 })),
  )
  const [orders] = await admin.describeTopics(['orders'])
  const [billing] = await admin.describeGroups(['billing'])
  const lost = orders?.partitions.find(({ leader }) => leader !== billing?.coordinator)
  await messaging.close()
  const partition = lost?.partition as number
  cluster.faults.stopBroker(lost?.leader as number)
  const { exit, value } = await tidemark(cluster, 'group reset billing --to latest --yes --json')
  const others = [0, 1, 2].filter((each) => each !== partition).map((each) => ({ topic: 'orders', partition: each }))
  const unseen = [{ topic: 'orders', partition, reason: 'no-leader' }]
  expect([exit, value]).toMatchObject([1, { done: true, resets: others, unseen }])
  const { out } = await tidemark(cluster, 'group reset billing --to earliest --dry-run')
  expect(out).toMatch(/STAYS AS IT IS +PARTITION +WHY\norders +\d +no-leader\n$/)
  const described = await tidemark(cluster, 'group describe billing --json')
  expect([described.exit, described.value]).toMatchObject([1, { groups: [{ partitions: others, unseen }] }])
  expect((await tidemark(cluster, 'group describe billing')).out).toMatch(
    /NOT SEEN +PARTITION +WHY\norders +\d +no-leader\n$/,
  )
  await cluster.close()
})

it('forgets what a group has committed of a topic, after it has shown it, and nothing else', async () => {
  const cluster = await billing()
  const shown = await tidemark(cluster, 'group forget billing --topic orders --dry-run')
  expect(shown.out).toBe('TOPIC   PARTITION  COMMITTED\norders          0          5\norders          1          2\n')
  expect((await tidemark(cluster, 'group forget billing --topic orders')).exit).toBe(2)
  expect(committed(cluster)).toEqual(['0@5', '1@2'])
  expect((await tidemark(cluster, 'group forget billing --partition orders:1 --yes')).exit).toBe(0)
  expect(committed(cluster)).toEqual(['0@5'])
  expect(await tidemark(cluster, 'group forget billing --topic payments --yes')).toMatchObject({
    exit: 1,
    out: 'The group has committed nothing there.\n',
  })
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
  ['group forget billing', '--topic orders'],
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

it('shows what would become of the settings of a group, changes none without a yes, and then exactly these', async () => {
  const cluster = await billing()
  const session = 'consumer.session.timeout.ms'
  const shown = await tidemark(cluster, 'group config billing')
  expect(shown.out.replace(/ {2,}/g, ' ')).toBe(`SETTING IS\nconsumer.heartbeat.interval.ms 5000\n${session} 45000\n`)
  expect((await tidemark(cluster, `group config billing --set ${session}=60000`)).exit).toBe(2)
  const dry = await tidemark(cluster, `group config billing --set ${session}=60000 --dry-run --json`)
  expect(dry.value).toEqual({
    group: 'billing',
    done: false,
    settings: [{ name: session, is: '45000', becomes: '60000' }],
  })
  const twice = await tidemark(cluster, `group config billing --set ${session}=1 --unset ${session} --yes`)
  expect([twice.exit, twice.err]).toEqual([2, expect.stringContaining('once')])
  const is = async (group: string) =>
    (await tidemark(cluster, `group config ${group}`)).out.match(/timeout\.ms +(\d+)/)?.[1]
  expect(await is('billing')).toBe('45000')
  const set = await tidemark(cluster, `group config billing --set ${session}=60000 --yes`)
  expect([set.exit, set.out]).toEqual([0, expect.stringMatching(/They are set\.\n$/)])
  expect([await is('billing'), await is('another')]).toEqual(['60000', '45000'])
  for (const wrong of [
    `${session}=1`,
    `${session}=soon`,
    'consumer.sesion=60000',
    'consumer.heartbeat.interval.ms=99999',
  ]) {
    const refused = await tidemark(cluster, `group config billing --set ${wrong} --yes`)
    expect([refused.exit, refused.err], wrong).toEqual([4, expect.stringContaining('billing')])
  }
  expect((await tidemark(cluster, `group config billing --unset ${session} --yes`)).exit).toBe(0)
  expect(await is('billing')).toBe('45000')
  await cluster.close()
})
