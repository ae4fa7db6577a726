import { logLevel } from 'kafkajs'
import { createMessaging, defineTopic, string, type Messaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { lagMonitor, type GroupLag } from 'tidemark/lag'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeRecords } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { runKafkaCommand } from '../support/kafka-shell.js'
import { until } from '../support/waiting.js'
import { typedClient, untilReady, type TypedClient } from './connection/typed-client.js'

let cluster: KafkaCluster
let client: TypedClient
let messaging: Messaging

beforeAll(async () => {
  cluster = await startCluster()
  client = await typedClient(cluster)
  const driver = kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  messaging = createMessaging({ driver, durability: 'off', logger: 'silent' })
})

afterAll(async () => {
  await messaging?.close()
  await client?.connection.close()
  await cluster?.stop()
})

/** Offsets of groups without members, as tools write them; below 0: none. */
async function commit(group: string, topic: string, offsets: readonly number[]): Promise<void> {
  const partitions = offsets.flatMap((offset, partition) =>
    offset < 0 ? [] : [{ topic, partition, offset, leaderEpoch: -1, metadata: '', topicId: null }],
  )
  const nobody = { groupId: group, generationId: -1, memberId: '', groupInstanceId: null }
  await untilReady(() => client.ask({ api: 'findCoordinator', key: group, keyType: 'group' }))
  let codes: readonly number[] = []
  const isCommitted = async (): Promise<boolean> => {
    const answer = await client.ask({ api: 'offsetCommit', ...nobody, partitions }, 'group')
    codes = [...new Set(answer.partitions.map(({ errorCode }) => errorCode))]
    return codes.every((code) => code === 0)
  }
  await until(`the commits of ${group}`, isCommitted, { seen: async () => `codes ${codes.join(', ')}` })
}

/** As Java prints it: `topic-partition committed end lag`, `-` for what it does not know. */
async function describedByJava(group: string): Promise<string[]> {
  const brokers = cluster.internalBrokers.join(',')
  const line = `kafka-consumer-groups.sh --bootstrap-server ${brokers} --describe --group ${group}`
  const rows = (await runKafkaCommand(cluster.installation, line)).split('\n').map((row) => row.trim().split(/\s+/))
  const head = rows.findIndex((row) => row[0] === 'GROUP')
  const column = (row: readonly string[], name: string): string => row[rows[head]?.indexOf(name) ?? -1] ?? '?'
  return rows
    .slice(head + 1)
    .filter((row) => row[0] === group)
    .map((row) =>
      [
        `${column(row, 'TOPIC')}-${column(row, 'PARTITION')}`,
        ...['CURRENT-OFFSET', 'LOG-END-OFFSET', 'LAG'].map((name) => column(row, name)),
      ].join(' '),
    )
    .sort()
}

/** The same of ours; Java knows no lag of what was never committed. */
function described(report: GroupLag | undefined): string[] {
  return (report?.partitions ?? [])
    .map(({ topic, partition, committed, end, lag }) =>
      [`${topic}-${partition}`, committed ?? '-', end, committed === null ? '-' : lag].join(' '),
    )
    .sort()
}

it('tells the figures of kafka-consumer-groups, of groups with members and without, transactions included', async () => {
  await cluster.createTopic('plain', { partitions: 3 })
  await cluster.createTopic('exact', { partitions: 2 })
  const plain = Array.from({ length: 60 }, (_, index) => ({
    topic: 'plain',
    partition: index % 2,
    value: `value-${index}`,
  }))
  await writeRecords(cluster, plain)
  const exact = Array.from({ length: 10 }, (_, index) => ({ topic: 'exact', partition: 0, value: `value-${index}` }))
  await writeRecords(cluster, ['begin', ...exact, 'commit', 'begin', ...exact, 'abort'], {
    'transactional.id': 'writer',
  })
  // The last marker may come after the client was told of its end.
  const ends = () => messaging.admin.listOffsets([{ topic: 'exact', partition: 0 }], 'latest')
  await until('both markers', async () => (await ends())[0] === 22, { seen: async () => `the end ${await ends()}` })
  await commit('stopped', 'plain', [7, 30, -1])
  await commit('stopped', 'exact', [4, 0])
  const topic = defineTopic({ name: 'plain', value: string() })
  let handled = 0
  const consumer = messaging.consumer({
    group: 'working',
    topics: [topic],
    commit: 'each',
    handle: () => void (handled += 1),
  })
  await consumer.start()
  await until('all is handled', () => handled === 60, { seen: async () => `${handled} handled` })
  await consumer.commit()
  const monitor = lagMonitor(messaging, { groups: [{ group: 'stopped' }, { group: 'working', topics: ['plain'] }] })
  const [stopped, working] = await monitor.look()
  // The ends are 30, 30 and 0; and 22 with two markers, and 0.
  expect(described(stopped)).toEqual(['exact-0 4 22 18', 'exact-1 0 0 0', 'plain-0 7 30 23', 'plain-1 30 30 0'])
  expect(stopped).toMatchObject({ lag: 41, instancesThatHelp: 2, unseen: [] })
  expect(described(stopped)).toEqual(await describedByJava('stopped'))
  expect(described(working).slice(0, 2)).toEqual(['plain-0 30 30 0', 'plain-1 30 30 0'])
  expect(described(working)).toEqual(await describedByJava('working'))
})

it('looks at 20 groups of 1,000 partitions, all committed, in less than two seconds', async () => {
  await cluster.createTopic('wide', { partitions: 1_000 })
  const groups = Array.from({ length: 20 }, (_, index) => ({ group: `wide-${index}`, topics: ['wide'] }))
  const offsets = Array.from({ length: 1_000 }, () => 0)
  for (const { group } of groups) await commit(group, 'wide', offsets)
  const monitor = lagMonitor(messaging, { groups })
  const tookMs: number[] = []
  for (let look = 0; look < 5; look += 1) {
    const begun = performance.now()
    const reports = await monitor.look()
    tookMs.push(Math.round(performance.now() - begun))
    const committed = reports.map(({ partitions }) => partitions.filter((one) => one.committed === 0).length)
    expect(committed).toEqual(groups.map(() => 1_000))
  }
  console.log(`20 groups of 1,000 partitions: ${tookMs.join(', ')} ms`)
  // The best of five: the machine may be busy with other things.
  expect(Math.min(...tookMs), `looks took ${tookMs.join(', ')} ms`).toBeLessThan(2_000)
})
