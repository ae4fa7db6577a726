import assert from 'node:assert/strict'
import type { ContractCase } from './contract-case.js'
import {
  firstAndSecond,
  heartbeatIntervalMs,
  heldTogether,
  membersOf,
  partitionsOf,
  share,
} from './group-of-members.js'

const group = 'rebalancing'

export const rebalancingCases: readonly ContractCase[] = [
  {
    group,
    name: 'one member holds all partitions',
    async run(world) {
      const topic = await world.topic(5)
      const [member] = await membersOf(world, topic, 1)
      await share(world, member ? [member] : [], partitionsOf(topic, 5))
    },
  },
  ...[2, 3].map((count): ContractCase => ({
    group,
    name: `${count === 2 ? 'two' : 'three'} members hold every partition exactly once`,
    async run(world) {
      const topic = await world.topic(6)
      const members = await membersOf(world, topic, count)
      await share(world, members, partitionsOf(topic, 6), 4_000 + world.slackMs)
    },
  })),
  {
    group,
    name: 'three members that start at the same moment hold every partition exactly once',
    async run(world) {
      const topic = await world.topic(6)
      const groupId = world.name('group')
      const members = [0, 1, 2].map(() => world.consumer(topic, { groupId, heartbeatIntervalMs }))
      await Promise.all(members.map((member) => member.start()))
      await share(world, members, partitionsOf(topic, 6))
    },
  },
  {
    group,
    name: 'a second member of the same process has its share within about one heartbeat',
    async run(world) {
      const { topic, first, second } = await firstAndSecond(world, 4, { heartbeatIntervalMs: 500 })
      const began = world.now()
      await second.start()
      await share(world, [first, second], partitionsOf(topic, 4))
      assert.ok(world.now() - began <= 500 + 200 + world.slackMs, `it took ${world.now() - began} ms`)
    },
  },
  {
    group,
    name: 'a topic that is read along is held by whoever holds the partition of that number, also after a rebalance',
    async run(world) {
      const topic = await world.topic(4)
      const along = await world.topic(4)
      const groupId = world.name('group')
      const settings = { groupId, heartbeatIntervalMs, companions: new Map([[topic, [along]]]) }
      const members = [0, 1, 2].map(() => world.consumer([topic, along], settings))
      const expected = [...partitionsOf(topic, 4), ...partitionsOf(along, 4)].sort()
      const isTogether = (held: readonly string[]) =>
        held.every((name) => held.includes(name.startsWith(`${along}-`) ? name.replace(along, topic) : name))
      const areTogether = (some: typeof members) =>
        some.every((member) => isTogether(member.held()) && member.held().length >= 2) &&
        JSON.stringify(heldTogether(some)) === JSON.stringify(expected)
      for (const member of members) await member.start()
      await world.until('three members hold all, each what belongs together', () => areTogether(members))
      await members[0]?.stop()
      await world.until('two members do', () => areTogether(members.slice(1)))
    },
  },
  {
    group,
    name: 'a topic that is read along starts at its beginning, whatever from says',
    async run(world) {
      const topic = await world.topic(1)
      const along = await world.topic(1)
      await world.write(along, 0, ['1', '2', '3'])
      const groupId = world.name('group')
      const member = world.consumer([topic, along], {
        groupId,
        from: 'latest',
        companions: new Map([[topic, [along]]]),
      })
      await member.start()
      await world.until('its records are read', () => member.offsets(along, 0).length === 3)
    },
  },
  {
    group,
    name: 'more members than partitions: all start, and who gets nothing holds nothing',
    async run(world) {
      const topic = await world.topic(2)
      const members = await membersOf(world, topic, 3)
      await share(world, members, partitionsOf(topic, 2))
      await world.until('each has one of them at most', () => members.every((member) => member.held().length <= 1))
    },
  },
  {
    group,
    name: 'the partitions of a member that leaves move at once',
    async run(world) {
      const { topic, first, second } = await firstAndSecond(world, 4)
      await second.start()
      await share(world, [first, second], partitionsOf(topic, 4))
      await second.stop()
      await share(world, [first], partitionsOf(topic, 4), heartbeatIntervalMs + 500 + world.slackMs)
    },
  },
  {
    group,
    name: 'partitions added to a topic are handed out',
    async run(world) {
      const topic = await world.topic(2)
      const members = await membersOf(world, topic, 2, { metadataMaxAgeMs: 300 })
      await share(world, members, partitionsOf(topic, 2))
      await world.admin().createPartitions(topic, 6, world.deadline())
      await share(world, members, partitionsOf(topic, 6))
      await world.write(topic, 5, ['x'])
      await world.until('it is read', () => members.some((member) => member.count() >= 1))
    },
  },
  {
    group,
    name: 'a session timeout that the broker does not allow is refused with a clear error',
    async run(world) {
      const consumer = world.consumer(await world.topic(), { sessionTimeoutMs: 50, heartbeatIntervalMs: 10 })
      await assert.rejects(consumer.start(), { code: 'invalid-session-timeout' })
    },
  },
]
