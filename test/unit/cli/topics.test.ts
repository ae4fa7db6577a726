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

it('takes no partition away and alters no setting, and says what stays otherwise than defined', async () => {
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
