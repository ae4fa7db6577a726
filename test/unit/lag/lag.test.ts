import { ConfigError, createMessaging, type MetricsAdapter } from 'tidemark'
import { lagMonitor, type LagMonitorOptions } from 'tidemark/lag'
import { createMemoryCluster, memory, type MemoryCluster } from 'tidemark/memory'
import { expect, it } from 'vitest'
import type { ConnectionFactory, Node } from '../../../src/connection/connection.js'
import type { AnswerTo, Request } from '../../../src/connection/requests/apis.js'
import { EndHistory } from '../../../src/lag/end-history.js'
import { trendOf, type LagSample } from '../../../src/lag/trend.js'
import { createProtocolDriver } from '../../../src/protocol/driver.js'
import { numbered, open, put, reading, simulated } from '../consumer/simulated.js'

function windowOf(...looks: readonly (readonly [committed: number | null, lag: number])[]): LagSample[] {
  return looks.map(([committed, lag], index) => ({ at: index * 1_000, committed, lag }))
}

it.each([
  ['ok', 'nothing is behind', windowOf([1, 5], [6, 0])],
  ['never-committed', 'nothing was ever committed', windowOf([null, 5])],
  ['past-the-end', 'it has committed what the log does not hold', windowOf([101, 0])],
  ['rewound', 'the offset went back', windowOf([9, 1], [4, 6])],
  ['ok', 'it went back and has recovered', windowOf([9, 1], [4, 6], [10, 1])],
  ['ok', 'too little was seen', windowOf([1, 1], [1, 2], [1, 3])],
  ['ok', 'it was at the end once', windowOf([1, 0], [1, 1], [1, 2], [1, 3])],
  ['stalled', 'the offset stands', windowOf([1, 1], [1, 2], [1, 3], [1, 3])],
  ['falling-behind', 'the lag never falls', windowOf([1, 1], [2, 2], [3, 2], [4, 3])],
  ['ok', 'the lag stays', windowOf([1, 2], [2, 2], [3, 2], [4, 2])],
  ['ok', 'the lag falls now and then', windowOf([1, 1], [2, 3], [3, 2], [4, 3])],
] as const)('is %s when %s', (trend, _, window) => {
  expect(trendOf(window, 100, 4)).toBe(trend)
})

it('tells the age of a record by when the end of the log was there, and none of what is older than it was watched', () => {
  const history = new EndHistory()
  for (const [at, end] of [
    [0, 100],
    [1_000, 200],
    [2_000, 200],
    [3_000, 200],
    [4_000, 300],
  ] as const) {
    history.note(at, end)
  }
  expect([99, 100, 150, 200, 250, 300].map((offset) => history.ageOf(offset, 4_000))).toEqual([
    null,
    4_000,
    3_500,
    1_000,
    500,
    0,
  ])
  history.note(5_000, 7)
  expect([3, 7].map((offset) => history.ageOf(offset, 5_000))).toEqual([null, 0])
})

it('takes what comes after hours of silence for no older than the look before it', () => {
  const history = new EndHistory()
  for (let minute = 0; minute <= 600; minute += 1) history.note(minute * 60_000, 100)
  const now = 600 * 60_000 + 10_000
  history.note(now, 90_100)
  expect([100, 45_100, 90_099, 90_100].map((offset) => history.ageOf(offset, now))).toEqual([10_000, 5_000, 0, 0])
})

it('knows the age of what was written long ago, within a tenth, after however many looks', () => {
  const history = new EndHistory()
  const looks = 10_000
  // More in every second look, so that straight lines are not exact.
  const endAt = (look: number): number => look * 10 + (look % 2) * 8
  for (let look = 0; look <= looks; look += 1) history.note(look, endAt(look))
  for (const ago of [1, 10, 100, 1_000, 5_000, 9_999]) {
    const age = history.ageOf(endAt(looks - ago), looks)
    expect(Math.abs((age ?? -1) - ago), `${ago} looks ago`).toBeLessThanOrEqual(Math.max(1, ago / 10))
  }
  expect(history.size).toBeLessThanOrEqual(64)
})

it('sees a group that falls behind, tells it once, how long it takes to drain, and that it has caught up', () =>
  simulated(async (simulation) => {
    const { cluster, clock } = simulation
    cluster.createTopic('t', { partitions: 2 })
    put(cluster, numbered('x', 199))
    const messaging = open(simulation.process('watcher'))
    const told: string[] = []
    const onLag: LagMonitorOptions['onLag'] = ({ lag }, state) => void told.push(`${state} ${lag}`)
    const groups = [{ group: 'g', topics: ['t'] }, { group: 'nobody' }]
    const monitor = lagMonitor(messaging, { groups, threshold: 100, onLag })
    const [never, nobody] = await monitor.look()
    expect(never).toMatchObject({ lag: 200, trend: 'never-committed', lagMs: null, instancesThatHelp: 1 })
    expect(never?.partitions.map(({ committed }) => committed)).toEqual([null, null])
    expect(nobody).toMatchObject({ lag: 0, trend: 'never-committed', partitions: [] })
    const { close } = await reading(simulation, 'slow', { handle: () => clock.sleep(100) })
    const seen: number[] = []
    for (let look = 0; look < 12; look += 1) {
      await clock.sleep(2_000)
      const [g] = await monitor.look()
      seen.push(g?.lag ?? -1)
      if (look === 4) expect(g?.drainMs).toBeGreaterThan(5_000)
      if (look === 4) expect(g?.drainMs).toBeLessThan(15_000)
    }
    expect(seen.at(-1)).toBe(0)
    expect(told.map((line) => line.split(' ')[0])).toEqual(['behind', 'caught-up'])
    await close()
    await messaging.close()
  }))

it('never says that a group has caught up while it does not see all of it', () =>
  simulated(async (simulation) => {
    const { cluster } = simulation
    cluster.createTopic('t', { partitions: 2, replicationFactor: 1 })
    put(cluster, numbered('x', 149))
    commit(cluster, 0)
    const messaging = open(simulation.process('watcher'))
    const told: string[] = []
    const onLag: LagMonitorOptions['onLag'] = ({ lag }, state) => void told.push(`${state} ${lag}`)
    const groups = [{ group: 'g', topics: ['t', 'mistyped'] }]
    const monitor = lagMonitor(messaging, { groups, threshold: 100, onLag })
    const notThere = { topic: 'mistyped', partition: null, reason: 'not-there' }
    expect(await monitor.look()).toMatchObject([{ lag: 150, unseen: [notThere] }])
    cluster.createTopic('mistyped')
    const { leader } = cluster.partitionFacts('t', 0)
    cluster.faults.stopBroker(leader)
    const noLeader = { topic: 't', partition: 0, reason: 'no-leader' }
    const [blind] = await monitor.look()
    expect(blind?.unseen).toEqual(expect.arrayContaining([noLeader]))
    expect(blind?.lag).toBe(0)
    expect(told).toEqual(['behind 150'])
    cluster.faults.startBroker(leader)
    commit(cluster, 140)
    expect(await monitor.look()).toMatchObject([{ lag: 10, unseen: [] }])
    expect(told).toEqual(['behind 150', 'caught-up 10'])
    await messaging.close()
  }))

it('counts all of the log as lag of a group whose offset lies beyond its end', () =>
  simulated(async (simulation) => {
    const { cluster } = simulation
    cluster.createTopic('t')
    put(cluster, numbered('x', 9))
    commit(cluster, 500)
    const messaging = open(simulation.process('watcher'))
    const [seen] = await lagMonitor(messaging, { groups: [{ group: 'g' }] }).look()
    expect(seen).toMatchObject({ lag: 10, lagMs: null, trend: 'past-the-end', drainMs: null })
    await messaging.close()
  }))

it('does not wait for a transaction that is open, and tells what was committed before it', () =>
  simulated(async (simulation) => {
    const { cluster, clock } = simulation
    cluster.createTopic('t')
    put(cluster, numbered('x', 9))
    commit(cluster, 4)
    const connection = cluster.connectionFactory().open('copier')
    const ask = <R extends Request>(node: Node, request: R): Promise<AnswerTo<R>> =>
      connection.request(node, 'main', request, clock.now() + 5_000)
    const coordinator = { api: 'findCoordinator', key: 'copier', keyType: 'transaction' } as const
    const { nodeId } = await ask('bootstrap', coordinator)
    const own = { transactionalId: 'copier', producerId: -1, producerEpoch: -1 }
    const init = { api: 'initProducerId', ...own, transactionTimeoutMs: 600_000 } as const
    const { producerId, producerEpoch } = await ask(nodeId, init)
    const ours = { transactionalId: 'copier', producerId, producerEpoch, groupId: 'g' }
    await ask(nodeId, { api: 'addOffsetsToTxn', ...ours })
    const partitions = [{ topic: 't', partition: 0, offset: 9, leaderEpoch: -1, metadata: '' }]
    const nobody = { generationId: -1, memberId: '', groupInstanceId: null, transactionVersion: 1 } as const
    const answer = await ask(cluster.coordinatorOf('g'), { api: 'txnOffsetCommit', ...ours, ...nobody, partitions })
    expect(answer.partitions).toMatchObject([{ errorCode: 0 }])
    const messaging = open(simulation.process('watcher'))
    await expect(messaging.admin.committedOffsets('g', null, { timeoutMs: 2_000 })).rejects.toThrow('UNSTABLE')
    expect(await lagMonitor(messaging, { groups: [{ group: 'g' }] }).look()).toMatchObject([{ lag: 6 }])
    await connection.close()
    await messaging.close()
  }))

it('asks each group, and each broker twice, however many partitions there are; calls at the same time share a look', async () => {
  const cluster = createMemoryCluster({ brokers: 3 })
  const asked: string[] = []
  const driver = createProtocolDriver(counted(cluster.connectionFactory(), asked), cluster.runtime)
  const messaging = createMessaging({ driver, durability: 'off', logger: 'silent' })
  cluster.createTopic('t', { partitions: 1_000 })
  const groups = Array.from({ length: 20 }, (_, index) => ({ group: `g-${index}`, topics: ['t'] }))
  const monitor = lagMonitor(messaging, { groups })
  const [reports, others] = await Promise.all([monitor.look(), monitor.look()])
  expect(others).toBe(reports)
  expect(reports.map(({ partitions }) => partitions.length)).toEqual(groups.map(() => 1_000))
  expect(asked.filter((api) => api === 'offsetFetch')).toHaveLength(20)
  expect(asked.filter((api) => api === 'listOffsets')).toHaveLength(6)
  expect(asked.length).toBeLessThanOrEqual(20 + 20 + 6 + 6)
  await messaging.close()
  await cluster.close()
})

it('says what is wrong with its options', () => {
  const cluster = createMemoryCluster()
  const messaging = createMessaging({ driver: memory({ cluster }) })
  for (const wrong of [
    {},
    { groups: [{}] },
    { groups: [], clearAt: 200_000 },
    { groups: [], windowSize: 3 },
    { groups: [{ group: 'g' }, { group: 'g' }] },
  ]) {
    expect(() => lagMonitor(messaging, wrong as never)).toThrow(ConfigError)
  }
  expect(() => lagMonitor({} as never, { groups: [] })).toThrow(ConfigError)
})

it('names the group whose coordinator fails, with the reason, and sees all others', () =>
  simulated(async ({ cluster, clock }) => {
    cluster.createTopic('t')
    put(cluster, numbered('x', 9))
    commit(cluster, 4)
    commit(cluster, 4, 'refused')
    const gauges = new Map<string, number>()
    const driver = createProtocolDriver(failing(cluster.connectionFactory(), { groups: ['refused'] }), cluster.runtime)
    const messaging = createMessaging({ driver, metrics: gaugesInto(gauges), durability: 'off', logger: 'silent' })
    const told: string[] = []
    const groups = [{ group: 'refused', topics: ['t'] }, { group: 'g' }]
    const monitor = lagMonitor(messaging, { groups, threshold: 5, onLag: ({ group }) => void told.push(group) })
    const [refused, seen] = await monitor.look({ timeoutMs: 4_000 })
    expect(seen).toMatchObject({ group: 'g', lag: 6, unseen: [] })
    expect(refused).toMatchObject({ group: 'refused', partitions: [], trend: 'unseen', lagMs: null, drainMs: null })
    const [unseen] = refused?.unseen ?? []
    expect(unseen).toMatchObject({ topic: null, partition: null, reason: 'failed' })
    expect(unseen).toHaveProperty('why', expect.stringContaining('refused'))
    expect(told).toEqual(['g'])
    expect(gauges.get('tidemark_group_seen_timestamp_seconds g')).toBe(clock.wallTime() / 1_000)
    expect(gauges.get('tidemark_group_seen_timestamp_seconds refused')).toBe(0)
    expect([...gauges.keys()].filter((name) => name.endsWith(' refused'))).toHaveLength(1)
    await messaging.close()
  }))

it('names the partitions whose leader does not answer, with the reason, and sees all others', () =>
  simulated(async ({ cluster }) => {
    cluster.createTopic('t', { partitions: 6 })
    const silent = cluster.partitionFacts('t', 0).leader
    const led = Array.from({ length: 6 }, (_, partition) => partition).filter(
      (partition) => cluster.partitionFacts('t', partition).leader === silent,
    )
    const driver = createProtocolDriver(failing(cluster.connectionFactory(), { leader: silent }), cluster.runtime)
    const gauges = new Map<string, number>()
    const messaging = createMessaging({ driver, metrics: gaugesInto(gauges), durability: 'off', logger: 'silent' })
    const monitor = lagMonitor(messaging, { groups: [{ group: 'g', topics: ['t'] }] })
    const [seen] = await monitor.look({ timeoutMs: 8_000 })
    expect(seen?.partitions).toHaveLength(6 - led.length)
    expect(seen?.unseen.map(({ partition }) => partition)).toEqual(led)
    expect(seen?.unseen[0]).toMatchObject({ topic: 't', reason: 'failed' })
    expect(gauges.get('tidemark_group_seen_timestamp_seconds g')).toBe(0)
    await messaging.close()
  }))

it('tells when a group was last seen, so that figures that stay while looks fail are known to be old', () =>
  simulated(async ({ cluster, clock }) => {
    cluster.createTopic('t')
    put(cluster, numbered('x', 9))
    const failures = { groups: [] as string[] }
    const driver = createProtocolDriver(failing(cluster.connectionFactory(), failures), cluster.runtime)
    const gauges = new Map<string, number>()
    const messaging = createMessaging({ driver, metrics: gaugesInto(gauges), durability: 'off', logger: 'silent' })
    const monitor = lagMonitor(messaging, { groups: [{ group: 'g', topics: ['t'] }] })
    await monitor.look()
    const seenAt = clock.wallTime() / 1_000
    failures.groups.push('g')
    await clock.sleep(60_000)
    await expect(monitor.look({ timeoutMs: 4_000 })).rejects.toThrow()
    expect(gauges.get('tidemark_group_lag_records g')).toBe(10)
    expect(gauges.get('tidemark_group_seen_timestamp_seconds g')).toBe(seenAt)
    failures.groups.pop()
    await monitor.look()
    expect(gauges.get('tidemark_group_seen_timestamp_seconds g')).toBe(clock.wallTime() / 1_000)
    await messaging.close()
  }))

function gaugesInto(gauges: Map<string, number>): MetricsAdapter {
  return {
    count: () => undefined,
    observe: () => undefined,
    gauge: (name, labels, value) => void gauges.set(`${name} ${labels['watched_group'] ?? ''}`, value),
    forget: (name, labels) => void gauges.delete(`${name} ${labels['watched_group'] ?? ''}`),
  }
}

/** Connections on which coordinators say nothing of some groups, and one leader nothing of its logs. */
function failing(
  factory: ConnectionFactory,
  { groups = [], leader }: { readonly groups?: readonly string[]; readonly leader?: number },
): ConnectionFactory {
  return {
    ...factory,
    open: (...from) => {
      const connection = factory.open(...from)
      return {
        request: (node, lane, request, ...rest) => {
          const isLost =
            (request.api === 'offsetFetch' && groups.includes(request.groupId)) ||
            (request.api === 'listOffsets' && node === leader)
          const [deadline] = rest
          // To nobody: no answer comes before the deadline.
          return isLost
            ? connection.request(9_999, lane, request, deadline)
            : connection.request(node, lane, request, ...rest)
        },
        lastSign: (node, lane) => connection.lastSign(node, lane),
        close: () => connection.close(),
      }
    },
  }
}

function commit(cluster: MemoryCluster, offset: number, group = 'g'): void {
  cluster.restoreCommit(group, { topic: 't', partition: 0, offset, leaderEpoch: -1, metadata: '' })
}

/** The same connections, which note what is asked. */
function counted(factory: ConnectionFactory, asked: string[]): ConnectionFactory {
  return {
    ...factory,
    open: (...from) => {
      const connection = factory.open(...from)
      return {
        request: (node, lane, request, ...rest) => {
          asked.push(request.api)
          return connection.request(node, lane, request, ...rest)
        },
        lastSign: (node, lane) => connection.lastSign(node, lane),
        close: () => connection.close(),
      }
    },
  }
}

it('measures what it sees of each group, and no time of what is older than it', () =>
  simulated(async (simulation) => {
    const { cluster, clock, process } = simulation
    cluster.createTopic('t')
    put(cluster, numbered('n', 3))
    const told = new Map<string, unknown>()
    const metrics = {
      count: () => undefined,
      observe: () => undefined,
      gauge: (name: string, labels: object, value: number) => void told.set(name, [labels, value]),
      forget: (name: string) => void told.delete(name),
    }
    const messaging = open(process('watcher'), { metrics, clientId: 'watcher' })
    const monitor = lagMonitor(messaging, { groups: [{ group: 'g', topics: ['t'] }] })
    await monitor.look()
    const labels = { client: 'watcher', watched_group: 'g' }
    expect([...told]).toEqual([
      ['tidemark_group_seen_timestamp_seconds', [labels, clock.wallTime() / 1_000]],
      ['tidemark_group_lag_records', [labels, 4]],
      ['tidemark_group_stalled_partitions', [labels, 1]],
    ])
    const { close } = await reading(simulation, 'one')
    await clock.sleep(10_000)
    await monitor.look()
    expect(told.get('tidemark_group_lag_seconds')).toEqual([labels, 0])
    expect(told.get('tidemark_group_stalled_partitions')).toEqual([labels, 0])
    await close()
    await messaging.close()
  }))
