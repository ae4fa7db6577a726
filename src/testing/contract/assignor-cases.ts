import assert from 'node:assert/strict'
import type { AssignorName } from '../../driver/consumer.js'
import type { ContractCase } from './contract-case.js'
import { heartbeatIntervalMs, heldTogether, membersOf, partitionsOf, share } from './group-of-members.js'

const group = 'rebalancing'

function sharedBy(assignor: AssignorName): ContractCase {
  return {
    group,
    name: `members with the assignor ${assignor} share the partitions evenly, each exactly once`,
    async run(world) {
      const topics = [await world.topic(4), await world.topic(2)] as const
      const members = await membersOf(world, topics, 3, { assignors: [assignor] })
      const all = [...partitionsOf(topics[0], 4), ...partitionsOf(topics[1], 2)].sort()
      if (assignor === 'range') {
        // Range deals each topic out by itself, so a third member may go without the second topic.
        await world.until('all is held once', () => JSON.stringify(heldTogether(members)) === JSON.stringify(all))
        assert.ok(members.every((member) => member.held().length >= 1))
      } else {
        await share(world, members, all)
      }
    },
  }
}

export const assignorCases: readonly ContractCase[] = [
  ...(['range', 'roundrobin', 'kafkajs-roundrobin', 'sticky'] as const).map(sharedBy),
  {
    group,
    name: 'members agree on an assignor that all of them know',
    async run(world) {
      const topic = await world.topic(4)
      const groupId = world.name('group')
      const first = world.consumer(topic, {
        groupId,
        heartbeatIntervalMs,
        assignors: ['sticky', 'range', 'roundrobin'],
      })
      await first.start()
      const second = world.consumer(topic, { groupId, heartbeatIntervalMs, assignors: ['roundrobin'] })
      await second.start()
      await share(world, [first, second], partitionsOf(topic, 4))
    },
  },
  {
    group,
    name: 'a member with no assignor in common is refused with a clear error, and the group goes on',
    async run(world) {
      const topic = await world.topic(2)
      const groupId = world.name('group')
      const first = world.consumer(topic, { groupId, heartbeatIntervalMs, assignors: ['range'] })
      await first.start()
      const second = world.consumer(topic, { groupId, heartbeatIntervalMs, assignors: ['kafkajs-roundrobin'] })
      await assert.rejects(second.start(), { code: 'inconsistent-group-protocol' })
      await world.write(topic, 0, ['x'])
      await world.until('the first reads', () => first.count() >= 1)
    },
  },
  {
    group,
    name: 'the sticky assignor leaves partitions where they are when a third member joins',
    async run(world) {
      const topic = await world.topic(6)
      const groupId = world.name('group')
      const settings = { groupId, heartbeatIntervalMs, assignors: ['sticky'] as const }
      const [first, second, third] = [0, 1, 2].map(() => world.consumer(topic, settings))
      assert.ok(first && second && third)
      await first.start()
      await second.start()
      await share(world, [first, second], partitionsOf(topic, 6))
      const before = [first.held(), second.held()]
      await third.start()
      await share(world, [first, second, third], partitionsOf(topic, 6))
      for (const [index, member] of [first, second].entries()) {
        assert.ok(
          member.held().every((partition) => before[index]?.includes(partition)),
          'it keeps what it had',
        )
        assert.equal(member.held().length, 2)
      }
    },
  },
  {
    group,
    name: 'members of one group with different topics get only topics they subscribed to',
    async run(world) {
      const [shared, own] = [await world.topic(2), await world.topic(2)]
      const groupId = world.name('group')
      const both = world.consumer([shared, own], { groupId, heartbeatIntervalMs })
      await both.start()
      const one = world.consumer([shared], { groupId, heartbeatIntervalMs })
      await one.start()
      const all = [...partitionsOf(shared, 2), ...partitionsOf(own, 2)].sort()
      await world.until(
        'all is held once',
        () => one.held().length === 1 && JSON.stringify(heldTogether([both, one])) === JSON.stringify(all),
      )
      assert.ok(one.held().every((partition) => partition.startsWith(shared)))
    },
  },
]
