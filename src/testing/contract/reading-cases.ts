import assert from 'node:assert/strict'
import type { ContractCase } from './contract-case.js'
import { numbers, record, type ContractWorld } from './contract-world.js'
import type { RecordingConsumer } from './recording-consumer.js'

const group = 'reading'

const hour = 3_600_000

/** A started consumer whose group had committed `committed`, in a log of twenty that now starts at 10. */
async function consumerOfShortenedLog(
  world: ContractWorld,
  onOutOfRange: 'stop' | 'earliest' | 'latest',
): Promise<{ topic: string; consumer: RecordingConsumer }> {
  const topic = await world.topic()
  await world.write(topic, 0, numbers(20))
  const groupId = world.name('group')
  const first = world.consumer(topic, { groupId })
  await first.start()
  assert.equal(await first.commit(topic, 0, 4), 'committed')
  await first.stop()
  await world.use('deleteRecordsBefore')(topic, 0, 10)
  const consumer = world.consumer(topic, { groupId, onOutOfRange })
  await consumer.start()
  return { topic, consumer }
}

export const readingCases: readonly ContractCase[] = [
  {
    group,
    name: "'earliest' begins with the first record there is",
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(3))
      const consumer = world.consumer(topic, { from: 'earliest' })
      await consumer.start()
      const { position, committed } = consumer.assignmentOf(topic, 0)
      assert.deepEqual({ position, committed }, { position: 0, committed: null })
      await world.until('the records are read', () => consumer.count() >= 3)
      assert.deepEqual(consumer.values(), numbers(3))
    },
  },
  {
    group,
    name: "'latest' begins with the first record after the start",
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(3))
      const consumer = world.consumer(topic, { from: 'latest' })
      await consumer.start()
      assert.equal(consumer.assignmentOf(topic, 0).position, 3)
      await world.write(topic, 0, ['new'])
      await world.until('the new record is read', () => consumer.count() >= 1)
      assert.deepEqual(consumer.values(), ['new'])
    },
  },
  {
    group,
    name: 'a time begins with the first record at or after it, each partition for itself',
    async run(world) {
      const topic = await world.topic(2)
      const start = world.wallTime() - 10 * hour
      const at = (hours: number) => record(`${hours}`, { timestamp: start + hours * hour })
      for (const hours of [0, 1, 2, 3]) await world.write(topic, 0, [at(hours)])
      for (const hours of [1, 5]) await world.write(topic, 1, [at(hours)])
      const consumer = world.consumer(topic, { from: { timestamp: start + 2 * hour } })
      await consumer.start()
      await world.until('the records are read', () => consumer.count() >= 3)
      assert.deepEqual(consumer.values(topic, 0), ['2', '3'])
      assert.deepEqual(consumer.values(topic, 1), ['5'])
    },
  },
  {
    group,
    name: 'a time after the last record begins at the end',
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, [record('old', { timestamp: world.wallTime() - hour })])
      const consumer = world.consumer(topic, { from: { timestamp: world.wallTime() - 1_000 } })
      await consumer.start()
      assert.equal(consumer.assignmentOf(topic, 0).position, 1)
      await world.write(topic, 0, ['new'])
      await world.until('the new record is read', () => consumer.count() >= 1)
      assert.deepEqual(consumer.values(), ['new'])
    },
  },
  {
    group,
    name: 'records tell where the next fetch starts and where the log ends',
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(4))
      const reader = await world.reader(topic)
      await world.until('the records are read', () => reader.count() >= 4)
      const last = reader.fetched.at(-1)
      assert.equal(last?.nextOffset, 4)
      assert.equal(last.highWatermark, 4)
      assert.equal(last.lastStableOffset, 4)
      assert.equal(last.epoch, reader.assignmentOf(topic, 0).epoch)
      assert.ok(last.sizeBytes > 0, 'the size is told')
    },
  },
  {
    group,
    name: 'without a group every partition of every topic is read by each reader',
    async run(world) {
      const topics = [await world.topic(3), await world.topic(2)]
      const readers = [await world.reader(topics), await world.reader(topics)]
      for (const [index, topic] of topics.entries()) {
        for (let partition = 0; partition < 3 - index; partition += 1) await world.write(topic, partition, ['x'])
      }
      for (const reader of readers) {
        await world.until('all five are read', () => reader.count() >= 5)
        assert.equal(reader.held().length, 5)
        assert.equal(reader.count(), 5)
      }
    },
  },
  {
    group,
    name: 'without a group partitions that are added are read from their first record',
    async run(world) {
      const topic = await world.topic(1)
      const reader = await world.reader(topic, { from: 'latest', metadataMaxAgeMs: 300 })
      await world.admin().createPartitions(topic, 3, world.deadline())
      await world.write(topic, 2, ['in a new partition'])
      await world.until('it is read', () => reader.count() >= 1)
      assert.deepEqual(reader.values(topic, 2), ['in a new partition'])
      assert.equal(new Set(reader.driver.assignment().map(({ epoch }) => epoch)).size >= 2, true)
    },
  },
  {
    group,
    name: "under 'stop' a position before the log's start stops the partition with an error that names it",
    needs: ['deleteRecordsBefore'],
    async run(world) {
      const { topic, consumer } = await consumerOfShortenedLog(world, 'stop')
      await world.until('the partition fails', () => consumer.newsOf('partition-failed').length > 0)
      const [news] = consumer.newsOf('partition-failed')
      assert.ok(news?.kind === 'partition-failed')
      assert.equal(news.error.code, 'offset-out-of-range')
      assert.equal(news.error.topic, topic)
      assert.equal(news.error.offset, 4)
      assert.deepEqual(consumer.held(), [`${topic}-0`], 'it stays assigned')
      assert.equal(consumer.count(), 0)
      consumer.driver.seek({ topic, partition: 0 }, 18)
      await world.until('a seek goes on', () => consumer.count() >= 2)
      assert.deepEqual(consumer.values(), ['18', '19'])
    },
  },
  {
    group,
    name: "under 'earliest' a position before the log's start goes on at its start",
    needs: ['deleteRecordsBefore'],
    async run(world) {
      const { consumer } = await consumerOfShortenedLog(world, 'earliest')
      await world.until('the rest is read', () => consumer.count() >= 10)
      assert.deepEqual(consumer.values(), numbers(20).slice(10))
      assert.equal(consumer.newsOf('partition-failed').length, 0)
    },
  },
  {
    group,
    name: "under 'latest' a position before the log's start goes on at its end",
    needs: ['deleteRecordsBefore'],
    async run(world) {
      const { topic, consumer } = await consumerOfShortenedLog(world, 'latest')
      await world.until('the position has jumped', () => consumer.fetched.some(({ nextOffset }) => nextOffset === 20))
      await world.write(topic, 0, ['new'])
      await world.until('the new record is read', () => consumer.count() >= 1)
      assert.deepEqual(consumer.values(), ['new'])
    },
  },
  {
    group,
    name: "under 'stop' a position after the log's end stops the partition, and only that one",
    async run(world) {
      const topic = await world.topic(2)
      await world.write(topic, 0, numbers(2))
      const reader = await world.reader(topic)
      reader.driver.seek({ topic, partition: 0 }, 1_000)
      await world.until('the partition fails', () => reader.newsOf('partition-failed').length > 0)
      const [news] = reader.newsOf('partition-failed')
      assert.ok(news?.kind === 'partition-failed')
      assert.equal(news.error.code, 'offset-out-of-range')
      assert.equal(news.partition.partition, 0)
      await world.write(topic, 1, ['unhindered'])
      await world.until('the other goes on', () => reader.values(topic, 1).length > 0)
    },
  },
  {
    group,
    name: "under 'earliest' a position after the log's end begins again under a new epoch",
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(3))
      const reader = await world.reader(topic, { onOutOfRange: 'earliest' })
      await world.until('the records are read', () => reader.count() >= 3)
      const old = reader.assignmentOf(topic, 0).epoch
      reader.driver.seek({ topic, partition: 0 }, 1_000)
      await world.until('they are read again', () => reader.count() >= 6)
      assert.deepEqual(reader.values(), [...numbers(3), ...numbers(3)])
      assert.ok(reader.assignmentOf(topic, 0).epoch > old, 'offsets that come again count under another epoch')
    },
  },
  {
    group,
    name: "under 'latest' a position after the log's end goes on at the end",
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(3))
      const reader = await world.reader(topic, { onOutOfRange: 'latest' })
      await world.until('the records are read', () => reader.count() >= 3)
      reader.driver.seek({ topic, partition: 0 }, 1_000)
      await world.until('the partition is reset', () => reader.newsOf('reset').length === 1)
      await world.write(topic, 0, ['new'])
      await world.until('the new record is read', () => reader.count() >= 4)
      assert.deepEqual(reader.values(), [...numbers(3), 'new'])
    },
  },
  {
    group,
    name: 'reading many partitions hands each record over once and in order',
    async run(world) {
      const topic = await world.topic(12)
      const producer = await world.producer()
      const reader = await world.reader(topic)
      const partitions = numbers(12).map(Number)
      await Promise.all(
        partitions.map(async (partition) => {
          for (let batch = 0; batch < 20; batch += 1) await world.store(producer, topic, partition, [`${batch}`])
        }),
      )
      await world.until('all records are read', () => reader.count() >= 240)
      for (const partition of partitions) assert.deepEqual(reader.values(topic, partition), numbers(20))
    },
  },
  {
    group,
    name: 'a reader that says where it is reads everything where no replica is near',
    async run(world) {
      const topic = await world.topic(2)
      const reader = await world.reader(topic, { rackId: 'elsewhere' })
      for (const value of numbers(5)) {
        await world.write(topic, 0, [value])
        await world.write(topic, 1, [value])
      }
      await world.until('all records are read', () => reader.count() >= 10)
      for (const partition of [0, 1]) assert.deepEqual(reader.values(topic, partition), numbers(5))
    },
  },
  {
    group,
    name: 'a topic that does not exist yet is read when it appears, and delays no other',
    async run(world) {
      const present = await world.topic()
      const absent = world.name('later')
      await world.write(present, 0, ['now'])
      const consumer = world.consumer([present, absent], { metadataMaxAgeMs: 300 })
      await consumer.start()
      await world.until('the present topic is read', () => consumer.count() >= 1)
      const topic = { name: absent, partitions: 1, replicationFactor: -1, configs: {} }
      await world.admin().createTopics([topic], world.deadline())
      await world.write(absent, 0, ['later'])
      await world.until('the new topic is read', () => consumer.values(absent).length > 0)
      assert.deepEqual(consumer.values(absent), ['later'])
    },
  },
]
