import assert from 'node:assert/strict'
import type { AssignorName, ConsumerSettings } from '../../driver/consumer.js'
import { FencedError } from '../../errors.js'
import { partitionKey } from '../../message/topic-partition.js'
import type { ContractCase } from './contract-case.js'
import type { ContractWorld } from './contract-world.js'
import type { RecordingConsumer } from './recording-consumer.js'

const group = 'rebalancing'
const heartbeatIntervalMs = 300

function partitionsOf(topic: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, partition) => partitionKey(topic, partition)).sort()
}

function heldTogether(members: readonly RecordingConsumer[]): readonly string[] {
  return members.flatMap((member) => member.held()).sort()
}

/** Waits until the members hold everything exactly once, each between `floor` and `ceiling` of it (shares as even as they can be). */
async function share(
  world: ContractWorld,
  members: readonly RecordingConsumer[],
  expected: readonly string[],
  withinMs?: number,
): Promise<void> {
  const floor = Math.floor(expected.length / members.length)
  const isShared = () =>
    members.every((member) => member.held().length >= floor) &&
    JSON.stringify(heldTogether(members)) === JSON.stringify(expected)
  await world.until(`${members.length} members share ${expected.length} partitions`, isShared, withinMs)
}

/** Started members of one group. */
async function membersOf(
  world: ContractWorld,
  topics: string | readonly string[],
  count: number,
  settings: Partial<ConsumerSettings> = {},
): Promise<readonly RecordingConsumer[]> {
  const groupId = world.name('group')
  const members = Array.from({ length: count }, () =>
    world.consumer(topics, { groupId, heartbeatIntervalMs, ...settings }),
  )
  for (const member of members) await member.start()
  return members
}

/** A first member that holds everything, and a second that is not started. */
async function firstAndSecond(world: ContractWorld, partitions: number, settings: Partial<ConsumerSettings> = {}) {
  const topic = await world.topic(partitions)
  const groupId = world.name('group')
  const first = world.consumer(topic, { groupId, heartbeatIntervalMs, ...settings })
  await world.startHolding(first, partitions)
  const second = world.consumer(topic, { groupId, heartbeatIntervalMs, ...settings })
  return { topic, groupId, first, second }
}

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
  {
    group,
    name: 'two members hold every partition exactly once',
    async run(world) {
      const topic = await world.topic(6)
      const members = await membersOf(world, topic, 2)
      await share(world, members, partitionsOf(topic, 6), 4_000 + world.slackMs)
    },
  },
  {
    group,
    name: 'three members hold every partition exactly once',
    async run(world) {
      const topic = await world.topic(6)
      const members = await membersOf(world, topic, 3)
      await share(world, members, partitionsOf(topic, 6), 4_000 + world.slackMs)
    },
  },
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
    name: 'more members than partitions: all start, and who gets nothing holds nothing',
    async run(world) {
      const topic = await world.topic(2)
      const members = await membersOf(world, topic, 3)
      await share(world, members, partitionsOf(topic, 2))
      assert.deepEqual(members.map((member) => member.held().length).sort(), [0, 1, 1])
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
      const { topic, first, second } = await firstAndSecond(world, 2, { sessionTimeoutMs: 1_500 })
      first.whenRevoked = () => world.sleep(2_500)
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
      let state: 'ours' | 'revoking' = 'ours'
      let strays = 0
      first.whenRecords = () => {
        if (state === 'revoking') strays += 1
      }
      first.whenRevoked = async () => {
        state = 'revoking'
        for (const partition of [0, 1]) await world.store(producer, topic, partition, ['while revoking'])
        await world.sleep(600)
      }
      first.whenAssigned = async () => {
        state = 'ours'
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
  {
    group,
    name: 'a member that dies without a word is expelled after its session timeout, and not before',
    needs: ['killClient'],
    async run(world) {
      const sessionTimeoutMs = 1_500
      const { topic, first, second } = await firstAndSecond(world, 4, { sessionTimeoutMs })
      await second.start()
      await share(world, [first, second], partitionsOf(topic, 4))
      const diedAt = world.now()
      world.use('killClient')(second.clientId)
      await share(world, [first], partitionsOf(topic, 4))
      const tookMs = world.now() - diedAt
      assert.ok(tookMs >= sessionTimeoutMs - heartbeatIntervalMs - 200, `only ${tookMs} ms`)
      assert.ok(tookMs <= sessionTimeoutMs + heartbeatIntervalMs + 500 + world.slackMs, `${tookMs} ms`)
    },
  },
  {
    group,
    name: 'a member whose connections are cut tells what it lost, and its commits are not taken',
    needs: ['killClient'],
    async run(world) {
      const { topic, first } = await firstAndSecond(world, 2, { sessionTimeoutMs: 1_500 })
      const held = first.assignmentOf(topic, 0)
      world.use('killClient')(first.clientId)
      await world.until('it says so', () => first.newsOf('lost', 'failed').length > 0)
      assert.equal(first.newsOf('revoked').length, 0)
      assert.notEqual(await first.commitAs(held, 0), 'committed')
    },
  },
  {
    group,
    name: 'a member that was expelled is told what it lost, cannot commit it, and joins again',
    needs: ['expelMember'],
    async run(world) {
      const { topic, groupId, first } = await firstAndSecond(world, 2)
      const held = first.assignmentOf(topic, 0)
      await world.use('expelMember')(groupId, first.driver.facts().memberId ?? '')
      await world.until('it is told', () => first.newsOf('lost').length > 0)
      assert.equal(await first.commitAs(held, 0), 'lost')
      await world.until('it has joined again', () => first.held().length === 2)
      assert.ok(first.assignmentOf(topic, 0).epoch > held.epoch, 'under another epoch')
      assert.equal(await first.commit(topic, 0, 0), 'committed')
    },
  },
  ...(['follower', 'leader'] as const).map((role): ContractCase => ({
    group,
    name: `a static member that restarts keeps its partitions, and nobody else notices (it was the ${role})`,
    async run(world) {
      const topic = await world.topic(4)
      const settings = { groupId: world.name('group'), heartbeatIntervalMs, sessionTimeoutMs: 10_000 }
      const leader = world.consumer(topic, { ...settings, groupInstanceId: 'a' })
      await leader.start()
      const follower = world.consumer(topic, { ...settings, groupInstanceId: 'b' })
      await follower.start()
      await share(world, [leader, follower], partitionsOf(topic, 4))
      const [restarted, other] = role === 'leader' ? [leader, follower] : [follower, leader]
      const before = restarted.held()
      const unchanged = other.news.length
      await restarted.stop()
      const again = world.consumer(topic, { ...settings, groupInstanceId: restarted.settings.groupInstanceId })
      await again.start()
      assert.deepEqual(again.held(), before)
      await world.sleep(3 * heartbeatIntervalMs)
      assert.deepEqual(other.news.slice(unchanged), [])
      await world.write(topic, Number(before[0]?.split('-').at(-1)), ['x'])
      await world.until('it reads on', () => again.count() >= 1)
    },
  })),
  {
    group,
    name: 'a static id in use twice fences the first member, visibly',
    async run(world) {
      const topic = await world.topic(2)
      const settings = { groupId: world.name('group'), heartbeatIntervalMs, groupInstanceId: 'same' }
      const first = world.consumer(topic, settings)
      await first.start()
      const second = world.consumer(topic, settings)
      await second.start()
      await world.until('the first fails', () => first.newsOf('failed').length > 0)
      const [news] = first.newsOf('failed')
      assert.ok(news?.kind === 'failed' && news.error instanceof FencedError, 'the error is a FencedError')
      assert.equal(news.error.code, 'fenced-instance-id')
      assert.equal(first.newsOf('lost').length, 1, 'it was told that its partitions are gone')
      assert.deepEqual(first.held(), [])
      await world.write(topic, 0, ['x'])
      await world.until('the second reads', () => second.count() >= 1)
      assert.equal(first.count(), 0)
    },
  },
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
