import assert from 'node:assert/strict'
import type { AssignedPartition } from '../../driver/consumer.js'
import type { ContractCase } from './contract-case.js'
import { firstAndSecond, heartbeatIntervalMs, partitionsOf, share } from './group-of-members.js'

const group = 'rebalancing'

export const releasingCases: readonly ContractCase[] = [
  {
    group,
    name: 'a partition is given to the next member only after the first has released it',
    async run(world) {
      const { topic, first, second } = await firstAndSecond(world, 2)
      first.whenRevoked = () => world.sleep(900)
      await second.start()
      await share(world, [first, second], partitionsOf(topic, 2))
      const released = first.newsOf('released')[0]
      const assigned = second.news.find((news) => news.kind === 'assigned' && news.partitions.length > 0)
      assert.ok(released && assigned)
      assert.ok(released.at <= assigned.at, `released at ${released.at}, assigned at ${assigned.at}`)
      assert.ok(released.at - (first.newsOf('revoked')[0]?.at ?? Infinity) >= 890, 'the release was awaited')
    },
  },
  {
    group,
    name: 'a member stays in the group while its release takes longer than the session timeout',
    async run(world) {
      const { topic, first, second } = await firstAndSecond(world, 2, { sessionTimeoutMs: 3_000 })
      first.whenRevoked = () => world.sleep(4_000)
      await second.start()
      await share(world, [first, second], partitionsOf(topic, 2))
      assert.deepEqual(first.newsOf('lost', 'failed'), [])
      assert.deepEqual(first.newsOf('revoked').length, 1)
    },
  },
  {
    group,
    name: 'a release that never comes does not hold up the group beyond the rebalance timeout',
    async run(world) {
      const { topic, first, second } = await firstAndSecond(world, 2, { rebalanceTimeoutMs: 3_000 })
      first.whenRevoked = () => new Promise(() => undefined)
      await second.start(3_000 + 2_000 + world.slackMs)
      await share(world, [first, second], partitionsOf(topic, 2))
    },
  },
  {
    group,
    name: 'nothing of a partition is handed over after its revoke began',
    async run(world) {
      const { topic, first, second } = await firstAndSecond(world, 2)
      const producer = await world.producer()
      let revoking: readonly AssignedPartition[] = []
      let strays = 0
      first.whenRecords = ({ partition }) => {
        if (revoking.some((each) => each.partition === partition)) strays += 1
      }
      first.whenRevoked = async (partitions) => {
        revoking = partitions
        for (const partition of [0, 1]) await world.store(producer, topic, partition, ['while revoking'])
        await world.sleep(600)
      }
      first.whenAssigned = async () => {
        revoking = []
      }
      await second.start()
      await share(world, [first, second], partitionsOf(topic, 2))
      assert.ok(first.newsOf('revoked').length >= 1)
      assert.equal(strays, 0)
    },
  },
  {
    group,
    name: 'members that commit what they have when revoked hand every record over exactly once between them',
    async run(world) {
      const topic = await world.topic(4)
      const groupId = world.name('group')
      const producer = await world.producer()
      const seen = new Map<string, number>()
      const member = async () => {
        const consumer = world.consumer(topic, { groupId, heartbeatIntervalMs })
        const next = new Map<number, number>()
        consumer.whenRecords = ({ partition, batches, nextOffset }) => {
          next.set(partition, nextOffset)
          for (const { offset } of batches.flatMap((batch) => batch.decode())) {
            const place = `${partition}@${offset}`
            seen.set(place, (seen.get(place) ?? 0) + 1)
          }
        }
        consumer.whenAssigned = async (partitions) => {
          for (const { partition } of partitions) next.delete(partition)
        }
        consumer.whenRevoked = async (partitions) => {
          for (const held of partitions) {
            const nextOffset = next.get(held.partition)
            if (nextOffset !== undefined) assert.equal(await consumer.commitAs(held, nextOffset), 'committed')
          }
        }
        await consumer.start()
        return consumer
      }
      let writing = true
      let written = 0
      const write = (async () => {
        while (writing) {
          await Promise.all([0, 1, 2, 3].map((at) => world.store(producer, topic, at, [`${written}`])))
          written += 1
          await world.sleep(10)
        }
      })()
      const first = await member()
      const second = await member()
      await world.until('both have partitions', () => first.held().length === 2 && second.held().length === 2)
      await first.stop()
      const third = await member()
      await world.until('both have partitions', () => third.held().length === 2 && second.held().length === 2)
      writing = false
      await write
      await world.until('all records are seen', () => seen.size >= written * 4)
      assert.equal(seen.size, written * 4)
      assert.deepEqual(
        [...seen].filter(([, times]) => times !== 1),
        [],
      )
    },
  },
]
