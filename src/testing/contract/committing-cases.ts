import assert from 'node:assert/strict'
import type { ContractCase } from './contract-case.js'
import { numbers, type ContractWorld } from './contract-world.js'

const group = 'committing'

async function committedOf(world: ContractWorld, groupId: string) {
  const committed = await world.admin().committedOffsets(groupId, null, world.deadline())
  return committed
    .map(({ topic, partition, offset, metadata }) => ({ topic, partition, offset, metadata }))
    .sort((a, b) => a.partition - b.partition)
}

/** A started consumer, the only member of its group, of a topic with one partition and so many records. */
async function onlyMember(world: ContractWorld, records: number) {
  const topic = await world.topic()
  if (records > 0) await world.write(topic, 0, numbers(records))
  const groupId = world.name('group')
  const consumer = world.consumer(topic, { groupId })
  await consumer.start()
  return { topic, groupId, consumer }
}

export const committingCases: readonly ContractCase[] = [
  {
    group,
    name: 'a group resumes at the offset it committed',
    async run(world) {
      const { topic, groupId, consumer: first } = await onlyMember(world, 10)
      await world.until('all are read', () => first.count() >= 10)
      assert.equal(await first.commit(topic, 0, 6), 'committed')
      await first.stop()
      const second = world.consumer(topic, { groupId, from: 'latest' })
      await second.start()
      assert.equal(second.assignmentOf(topic, 0).position, 6)
      assert.equal(second.assignmentOf(topic, 0).committed?.offset, 6)
      await world.until('the rest is read', () => second.count() >= 4)
      assert.deepEqual(second.values(), numbers(10).slice(6))
    },
  },
  {
    group,
    name: 'a group that committed nothing begins where its settings say, again and again',
    async run(world) {
      const topic = await world.topic()
      const groupId = world.name('group')
      await world.write(topic, 0, numbers(3))
      for (let round = 0; round < 2; round += 1) {
        const consumer = world.consumer(topic, { groupId })
        await consumer.start()
        await world.until('all are read', () => consumer.count() >= 3)
        await consumer.stop()
        assert.deepEqual(consumer.values(), numbers(3))
      }
    },
  },
  {
    group,
    name: 'the metadata text of a commit comes back with the assignment',
    async run(world) {
      const topic = await world.topic(2)
      const groupId = world.name('group')
      const text = '{"ranges":[[4,9]]} ✓ größer'
      const first = world.consumer(topic, { groupId })
      await world.startHolding(first, 2)
      assert.equal(await first.commit(topic, 0, 0, text), 'committed')
      assert.equal(await first.commit(topic, 1, 0, ''), 'committed')
      await first.stop()
      const second = world.consumer(topic, { groupId })
      await world.startHolding(second, 2)
      assert.deepEqual(second.assignmentOf(topic, 0).committed, { offset: 0, metadata: text })
      assert.equal(second.assignmentOf(topic, 1).committed?.metadata ?? '', '')
    },
  },
  {
    group,
    name: 'metadata that is too large is told apart, changes nothing, and less of it can be committed',
    async run(world) {
      const topic = await world.topic(2)
      const consumer = world.consumer(topic)
      await world.startHolding(consumer, 2)
      const groupId = consumer.settings.groupId ?? ''
      assert.equal(await consumer.commit(topic, 0, 0, 'short'), 'committed')
      const [large, small] = await consumer.driver.commit(
        [
          { ...consumer.assignmentOf(topic, 0), nextOffset: 0, metadata: 'x'.repeat(5_000) },
          { ...consumer.assignmentOf(topic, 1), nextOffset: 0, metadata: 'fits' },
        ],
        world.deadline(),
      )
      assert.deepEqual([large, small], ['metadata-too-large', 'committed'])
      const metadata = async () => (await committedOf(world, groupId)).map((each) => each.metadata)
      if (!world.holdsRefusedCommits) assert.deepEqual(await metadata(), ['short', 'fits'])
      const less = 'x'.repeat(4_000)
      assert.equal(await consumer.commit(topic, 0, 0, less), 'committed')
      assert.deepEqual(await metadata(), [less, 'fits'])
    },
  },
  {
    group,
    name: 'one commit of several partitions has an outcome for each, in order',
    async run(world) {
      const topic = await world.topic(3)
      const consumer = world.consumer(topic)
      await world.startHolding(consumer, 3)
      const [zero, one, two] = [0, 1, 2].map((partition) => consumer.assignmentOf(topic, partition))
      assert.ok(zero && one && two)
      const outcomes = await consumer.driver.commit(
        [
          { ...two, nextOffset: 0, metadata: '' },
          { ...one, epoch: one.epoch + 1_000, nextOffset: 0, metadata: '' },
          { ...zero, nextOffset: 0, metadata: '' },
        ],
        world.deadline(),
      )
      assert.deepEqual(outcomes, ['committed', 'lost', 'committed'])
      const committed = await committedOf(world, consumer.settings.groupId ?? '')
      assert.deepEqual(
        committed.map(({ partition }) => partition),
        [0, 2],
      )
    },
  },
  {
    group,
    name: 'a commit of nothing has no outcomes',
    async run(world) {
      const { consumer } = await onlyMember(world, 0)
      assert.deepEqual(await consumer.driver.commit([], world.deadline()), [])
    },
  },
  {
    group,
    name: 'a commit after the stop is lost and changes nothing',
    async run(world) {
      const { topic, groupId, consumer } = await onlyMember(world, 5)
      assert.equal(await consumer.commit(topic, 0, 2), 'committed')
      const held = consumer.assignmentOf(topic, 0)
      await consumer.stop()
      assert.equal(await consumer.commitAs(held, 5), 'lost')
      const [committed] = await committedOf(world, groupId)
      assert.equal(committed?.offset, 2)
    },
  },
  {
    group,
    name: 'a commit under an epoch that is gone is lost, also when the partition has come back',
    async run(world) {
      const { topic, groupId, consumer: first } = await onlyMember(world, 5)
      const old = first.assignmentOf(topic, 0)
      const second = world.consumer(topic, { groupId })
      await second.start()
      await second.stop()
      await world.until(
        'the partition is back',
        () => first.held().length === 1 && first.assignmentOf(topic, 0).epoch !== old.epoch,
      )
      assert.equal(await first.commitAs(old, 4), 'lost')
      assert.deepEqual(await committedOf(world, groupId), [])
      assert.equal(await first.commit(topic, 0, 3), 'committed')
    },
  },
  {
    group,
    name: 'a commit within the revoke is accepted, and the next owner begins there',
    async run(world) {
      const { topic, groupId, consumer: first } = await onlyMember(world, 5)
      await world.until('all are read', () => first.count() >= 5)
      const outcomes: string[] = []
      first.whenRevoked = async (partitions) => {
        for (const partition of partitions) outcomes.push(await first.commitAs(partition, 4))
      }
      const second = world.consumer(topic, { groupId })
      await second.start()
      await first.stop()
      await world.until('the rest is read', () => second.count() >= 1)
      assert.ok(outcomes.length >= 1, 'something was revoked')
      assert.deepEqual(new Set(outcomes), new Set(['committed']))
      assert.deepEqual(second.values(), ['4'])
    },
  },
  {
    group,
    name: 'a commit within the revoke of a stop is accepted',
    async run(world) {
      const { groupId, consumer } = await onlyMember(world, 3)
      let outcome = ''
      consumer.whenRevoked = async ([held]) => {
        if (held) outcome = await consumer.commitAs(held, 3)
      }
      await consumer.stop()
      assert.equal(outcome, 'committed')
      const [committed] = await committedOf(world, groupId)
      assert.equal(committed?.offset, 3)
    },
  },
  {
    group,
    name: 'two groups keep their offsets apart',
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(4))
      const groups = [world.name('group'), world.name('group')]
      const consumers = groups.map((groupId) => world.consumer(topic, { groupId }))
      for (const [index, consumer] of consumers.entries()) {
        await consumer.start()
        await world.until('all are read', () => consumer.count() >= 4)
        assert.equal(await consumer.commit(topic, 0, index + 1), 'committed')
      }
      for (const [index, groupId] of groups.entries()) {
        const [committed] = await committedOf(world, groupId)
        assert.equal(committed?.offset, index + 1)
      }
    },
  },
  {
    group,
    name: 'without a group every commit is lost',
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, ['x'])
      const reader = await world.reader(topic)
      assert.equal(await reader.commit(topic, 0, 1), 'lost')
    },
  },
  {
    group,
    name: 'commits one after another, not awaited, leave the last one standing',
    async run(world) {
      const { topic, groupId, consumer } = await onlyMember(world, 20)
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, index) => consumer.commit(topic, 0, index + 1, `${index}`)),
      )
      assert.deepEqual(new Set(outcomes), new Set(['committed']))
      const [committed] = await committedOf(world, groupId)
      assert.deepEqual(committed, { topic, partition: 0, offset: 20, metadata: '19' })
    },
  },
]
