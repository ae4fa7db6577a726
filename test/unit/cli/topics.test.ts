import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMemoryCluster } from 'tidemark/memory'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { tidemark } from './command-line.js'

function definedAs(topics: readonly object[]): string {
  const directory = temporaryFolder('cli-topics')
  writeFileSync(join(directory, 'tidemark.config.json'), JSON.stringify({ topics }))
  return directory
}

it('plans what apply then does, and finds nothing more to do', async () => {
  const cluster = createMemoryCluster()
  cluster.createTopic('grown', { partitions: 2, configs: { 'min.insync.replicas': '2' } })
  const directory = definedAs([
    { name: 'orders', partitions: 6, configs: { 'retention.ms': 1000 } },
    { name: 'orders.dlq', deadLettersOf: 'orders' },
    { name: 'grown', partitions: 3 },
    { name: 'grown.dlq', deadLettersOf: 'grown' },
  ])
  const planned = await tidemark(cluster, 'topics plan', { directory })
  expect(planned.exit).toBe(1)
  expect(planned.out).toContain(
    [
      'TOPIC       PLAN            WHAT',
      'orders      create          partitions 6, replicas 3, retention.ms=1000, min.insync.replicas=2',
      'orders.dlq  create          partitions 6, replicas 3, min.insync.replicas=2',
      'grown       add partitions  from 2 to 3',
      'grown.dlq   create          partitions 3, replicas 3, min.insync.replicas=2',
    ].join('\n'),
  )
  expect(planned.out).toContain('order begins anew')
  expect((await tidemark(cluster, 'topics apply', { directory })).exit).toBe(2)
  expect(cluster.topicNames()).toEqual(['grown'])

  const applied = await tidemark(cluster, 'topics apply', { directory, answers: ['yes'] })
  expect([applied.exit, applied.asked]).toEqual([0, ['change 4 topic(s)? (yes/no) ']])
  expect(['orders', 'orders.dlq', 'grown', 'grown.dlq'].map((name) => cluster.partitionCount(name))).toEqual([
    6, 6, 3, 3,
  ])
  expect(await tidemark(cluster, 'topics plan --json', { directory })).toMatchObject({ exit: 0 })
  expect((await tidemark(cluster, 'topics apply', { directory })).out).toContain('Nothing to do.')
  await cluster.close()
})

it('raises settings, lowers none, and leaves to others what may delete records or stop writers', async () => {
  const cluster = createMemoryCluster()
  const configs = { 'retention.ms': '1000', 'max.message.bytes': '2000', 'min.insync.replicas': '1' }
  cluster.createTopic('orders', {
    replicationFactor: 3,
    configs: { ...configs, 'unclean.leader.election.enable': 'true' },
  })
  cluster.createTopic('refunds', { replicationFactor: 3, configs: { ...configs, 'retention.ms': '-1' } })
  const wanted = { 'retention.ms': -1, 'max.message.bytes': 3000, 'min.insync.replicas': 2 }
  const lower = {
    'retention.ms': 1000,
    'max.message.bytes': 1000,
    'min.insync.replicas': 3,
    'cleanup.policy': 'compact',
  }
  const directory = definedAs([
    { name: 'orders', configs: { ...wanted, 'unclean.leader.election.enable': false } },
    { name: 'refunds', configs: lower },
  ])
  expect((await tidemark(cluster, 'topics plan', { directory })).out).toMatch(
    /orders +alter +retention.ms from 1000 to -1\n/,
  )
  const { exit, err, out } = await tidemark(cluster, 'topics apply --yes', { directory })
  expect([exit, err]).toEqual([
    1,
    'orders has retention.ms=-1, max.message.bytes=3000, min.insync.replicas=2, unclean.leader.election.enable=false\n',
  ])
  expect(out.match(/left as it is/g)).toHaveLength(4)
  const again = await tidemark(cluster, 'topics apply --yes --json', { directory })
  expect(again.value).toMatchObject({ applied: false, topics: [{ alter: [], differences: [] }, { alter: [] }] })
  await cluster.close()
})

it('takes no partition away, and says what stays otherwise than defined', async () => {
  const cluster = createMemoryCluster()
  cluster.createTopic('orders', { partitions: 6 })
  const directory = definedAs([{ name: 'orders', partitions: 3, configs: { 'cleanup.policy': 'compact' } }])
  const { exit, value } = await tidemark(cluster, 'topics apply --yes --json', { directory })
  expect(exit).toBe(1)
  expect(value).toEqual({
    applied: false,
    topics: [
      {
        topic: 'orders',
        create: null,
        addPartitions: null,
        alter: [],
        differences: ['partitions is 6, defined 3', 'cleanup.policy is delete, defined compact'],
      },
    ],
  })
  expect(cluster.partitionCount('orders')).toBe(6)
  await cluster.close()
})

it('makes topics as the broker is set where the profile asks nothing of them', async () => {
  const cluster = createMemoryCluster()
  const directory = definedAs([{ name: 'logs' }])
  const { out } = await tidemark(cluster, 'topics plan --profile ap', { directory })
  expect(out).toMatch(/logs +create +partitions as the broker is set, replicas as the broker is set\n/)
  const none = await tidemark(cluster, 'topics plan', { directory: temporaryFolder('cli-no-topics') })
  expect([none.exit, none.err]).toEqual([2, expect.stringContaining('there are no topics')])
  await cluster.close()
})

it('lets the first replica lead again where it is in sync, once somebody says yes, and names where it is not', async () => {
  const cluster = createMemoryCluster({ brokers: 3 })
  cluster.createTopic('orders', { partitions: 3, replicationFactor: 3 })
  const none = await tidemark(cluster, 'topics elect')
  expect([none.exit, none.out]).toEqual([0, 'Each partition is led by its first replica.\n'])
  cluster.faults.moveLeader('orders', 0, 2)
  cluster.faults.moveLeader('orders', 1, 2)
  const { value } = await tidemark(cluster, 'topics elect orders --dry-run --json')
  const strayed = [0, 1].map((partition) => ({ topic: 'orders', partition, isInSync: true, outcome: null }))
  expect(value).toMatchObject({ done: false, partitions: strayed })
  expect((await tidemark(cluster, 'topics elect')).exit).toBe(2)
  const elected = await tidemark(cluster, 'topics elect --yes --json')
  expect(elected).toMatchObject({ exit: 0, value: { done: true, partitions: [{ outcome: 'elected' }, {}] } })
  expect((await tidemark(cluster, 'topics elect order')).exit).toBe(2)
  cluster.faults.moveLeader('orders', 0, 2)
  cluster.faults.stopBroker(
    (value as { readonly partitions: readonly { readonly first: number }[] }).partitions[0]?.first as number,
  )
  const away = await tidemark(cluster, 'topics elect orders --yes')
  expect([away.exit, away.out]).toEqual([1, expect.stringMatching(/^orders +0 .* not in sync$/m)])
  await cluster.close()
})
