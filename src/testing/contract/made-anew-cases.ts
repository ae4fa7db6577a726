import assert from 'node:assert/strict'
import type { ContractCase } from './contract-case.js'
import { numbers, type ContractWorld } from './contract-world.js'
import type { RecordingConsumer } from './recording-consumer.js'

const group = 'reading'

/** A started consumer that has read twenty records of a topic which is another one since, with thirty records. */
async function readerOfFormerTopic(
  world: ContractWorld,
  onOutOfRange: 'stop' | 'earliest' | 'latest',
): Promise<{ topic: string; consumer: RecordingConsumer }> {
  const topic = await world.topic()
  await world.write(topic, 0, numbers(20))
  const consumer = world.consumer(topic, { onOutOfRange, metadataMaxAgeMs: 1_000 })
  await consumer.start()
  await world.until('the records are read', () => consumer.count() >= 20)
  await world.admin().deleteTopics([topic], world.deadline())
  const again = { name: topic, partitions: 1, replicationFactor: -1, configs: {} }
  await world.until('the topic is made anew', async () => {
    return (await world.admin().createTopics([again], world.deadline())).includes(topic)
  })
  await world.write(topic, 0, numbers(30))
  return { topic, consumer }
}

export const madeAnewCases: readonly ContractCase[] = [
  {
    group,
    name: 'a topic made anew is read from its beginning under a new epoch, though it has the position that was read to',
    async run(world) {
      const { topic, consumer } = await readerOfFormerTopic(world, 'latest')
      await world.until('the new records are read', () => consumer.count() >= 50)
      assert.deepEqual(consumer.values(), [...numbers(20), ...numbers(30)])
      const { epoch, log } = consumer.assignmentOf(topic, 0)
      const [before] = consumer.news
      assert.ok(before?.kind === 'assigned' && before.partitions[0] !== undefined)
      assert.ok(epoch > before.partitions[0].epoch, 'offsets that come again count under another epoch')
      assert.notEqual(log, null)
    },
  },
  {
    group,
    name: "under 'stop' a topic made anew fails its partition, and a seek goes on in it",
    async run(world) {
      const { topic, consumer } = await readerOfFormerTopic(world, 'stop')
      await world.until('it is told', () => consumer.news.some(({ kind }) => kind === 'partition-failed'))
      const failure = consumer.news.find((news) => news.kind === 'partition-failed')
      assert.ok(failure?.kind === 'partition-failed')
      assert.equal(failure.error.code, 'topic-recreated')
      assert.equal(failure.error.offset, 20)
      assert.equal(consumer.count(), 20)
      assert.notEqual(await consumer.commit(topic, 0, 20), 'committed', 'an offset of the former log')
      consumer.driver.seek({ topic, partition: 0 }, 0)
      await world.until('the new records are read', () => consumer.count() >= 50)
      assert.deepEqual(consumer.values(), [...numbers(20), ...numbers(30)])
      assert.equal(await consumer.commit(topic, 0, 30), 'committed')
    },
  },
]
