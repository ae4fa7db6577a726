import assert from 'node:assert/strict'
import { recalledCode } from '../../driver/producer.js'
import type { ContractCase } from './contract-case.js'
import { batchOf, numbers } from './contract-world.js'

const group = 'producing'

export const producingCases: readonly ContractCase[] = [
  {
    group,
    name: 'each batch of a partition gets the offsets after the one before',
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer()
      const bases: number[] = []
      for (const size of [1, 3, 2, 1]) bases.push(await world.store(producer, topic, 0, numbers(size)))
      assert.deepEqual(bases, [0, 1, 4, 6])
    },
  },
  {
    group,
    name: 'records of a partition are read in the order in which their batches were handed over',
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer()
      for (let batch = 0; batch < 50; batch += 1) await world.store(producer, topic, 0, numbers(5, `${batch}.`))
      const reader = await world.reader(topic)
      await world.until('all records are read', () => reader.count() >= 250)
      assert.deepEqual(
        reader.values(),
        numbers(50).flatMap((batch) => numbers(5, `${batch}.`)),
      )
      assert.deepEqual(reader.offsets(), numbers(250).map(Number))
    },
  },
  {
    group,
    name: 'batches of several partitions that go out together each get an answer of their own',
    async run(world) {
      const topic = await world.topic(4)
      const producer = await world.producer()
      await world.store(producer, topic, 2, numbers(7))
      const bases = await Promise.all([0, 1, 2, 3].map((at) => world.store(producer, topic, at, [`of ${at}`])))
      assert.deepEqual(bases, [0, 0, 7, 0])
      const reader = await world.reader(topic)
      await world.until('all records are read', () => reader.count() >= 11)
      for (const at of [0, 1, 3]) assert.deepEqual(reader.values(topic, at), [`of ${at}`])
      assert.equal(reader.values(topic, 2).at(-1), 'of 2')
    },
  },
  {
    group,
    name: 'a batch that is recalled is stored nowhere when the driver says so, else as if nothing was asked; the next goes on',
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer()
      await world.store(producer, topic, 0, ['first'])
      const stored = ['first']
      for (const waitMs of [0, 1, 3, 10]) {
        const batch = batchOf(topic, 0, [`after ${waitMs} ms`], world.wallTime())
        const produced = producer.produce(batch, world.deadline())
        if (waitMs > 0) await world.sleep(waitMs)
        const isRecalled = producer.recall?.(batch) ?? false
        const fate = await produced
        if (isRecalled) {
          assert.equal(fate.outcome, 'not-stored')
          assert.equal(fate.error.code, recalledCode)
        } else {
          assert.equal(fate.outcome, 'stored')
          stored.push(`after ${waitMs} ms`)
        }
        await world.store(producer, topic, 0, [`behind ${waitMs} ms`])
        stored.push(`behind ${waitMs} ms`)
      }
      const reader = await world.reader(topic)
      await world.until('all records are read', () => reader.count() >= stored.length)
      assert.deepEqual(reader.values(), stored)
    },
  },
  {
    group,
    name: 'the partition count of a topic is known from memory once it was asked for',
    async run(world) {
      const topic = await world.topic(5)
      const producer = await world.producer()
      assert.equal(producer.partitionCount(topic), undefined)
      assert.equal(await producer.loadTopic(topic, world.deadline()), 5)
      assert.equal(producer.partitionCount(topic), 5)
    },
  },
  {
    group,
    name: 'acks all without idempotence stores and tells the offset',
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer({ acks: -1, idempotent: false })
      assert.equal(await world.store(producer, topic, 0, ['a', 'b']), 0)
      assert.equal(await world.store(producer, topic, 0, ['c']), 2)
    },
  },
  {
    group,
    name: 'acks 1 stores and tells the offset',
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer({ acks: 1, idempotent: false })
      assert.equal(await world.store(producer, topic, 0, ['a', 'b']), 0)
      assert.equal(await world.store(producer, topic, 0, ['c']), 2)
    },
  },
  {
    group,
    name: 'acks 0 ends without an offset, and the record arrives',
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer({ acks: 0, idempotent: false })
      for (const value of ['a', 'b', 'c']) {
        const fate = await world.produce(producer, topic, 0, [value])
        assert.deepEqual(fate, { outcome: 'stored', baseOffset: null, logAppendTime: null })
      }
      const reader = await world.reader(topic)
      await world.until('the records arrive', () => reader.count() >= 3)
      assert.deepEqual(reader.values(), ['a', 'b', 'c'])
    },
  },
  {
    group,
    name: 'twenty-four partitions at once each keep their own order',
    async run(world) {
      const topic = await world.topic(24)
      const producer = await world.producer()
      const partitions = numbers(24).map(Number)
      await Promise.all(
        partitions.map(async (partition) => {
          for (let batch = 0; batch < 10; batch += 1) {
            const base = await world.store(producer, topic, partition, numbers(3, `${partition}/${batch}.`))
            assert.equal(base, batch * 3)
          }
        }),
      )
      const reader = await world.reader(topic)
      await world.until('all records are read', () => reader.count() >= 720)
      for (const partition of partitions) {
        const expected = numbers(10).flatMap((batch) => numbers(3, `${partition}/${batch}.`))
        assert.deepEqual(reader.values(topic, partition), expected)
      }
    },
  },
  {
    group,
    name: 'partitions added while sending can be sent to, and the old ones go on',
    async run(world) {
      const topic = await world.topic(1)
      const producer = await world.producer()
      await producer.loadTopic(topic, world.deadline())
      const going = (async () => {
        for (let index = 0; index < 20; index += 1) await world.store(producer, topic, 0, [`${index}`])
      })()
      await world.admin().createPartitions(topic, 3, world.deadline())
      await world.until(
        'the producer knows them',
        async () => (await producer.loadTopic(topic, world.deadline())) === 3,
      )
      assert.equal(await world.store(producer, topic, 2, ['new']), 0)
      await going
      assert.equal(producer.partitionCount(topic), 3)
      assert.equal(await world.store(producer, topic, 0, ['last']), 20)
    },
  },
  {
    group,
    name: 'two producers write to one partition without hindering each other',
    async run(world) {
      const topic = await world.topic()
      const producers = [await world.producer(), await world.producer()]
      await Promise.all(
        producers.map(async (producer, index) => {
          for (let batch = 0; batch < 10; batch += 1) await world.store(producer, topic, 0, [`${index}.${batch}`])
        }),
      )
      const reader = await world.reader(topic)
      await world.until('all records are read', () => reader.count() >= 20)
      for (const index of [0, 1]) {
        const own = reader.values().filter((value) => value.startsWith(`${index}.`))
        assert.deepEqual(own, numbers(10, `${index}.`))
      }
    },
  },
]
