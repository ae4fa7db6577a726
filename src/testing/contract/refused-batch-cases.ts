import assert from 'node:assert/strict'
import { notStored } from './batch-fate.js'
import type { ContractCase } from './contract-case.js'
import { record } from './contract-world.js'

const group = 'producing'

export const refusedBatchCases: readonly ContractCase[] = [
  {
    group,
    name: 'a partition that the topic does not have is refused as not stored by the deadline',
    async run(world) {
      const topic = await world.topic(2)
      const producer = await world.producer()
      await producer.loadTopic(topic, world.deadline())
      const began = world.now()
      const error = notStored(await world.produce(producer, topic, 7, ['x'], 3_000))
      assert.ok(world.now() - began <= 3_000 + world.slackMs, 'within its deadline')
      assert.equal(error.topic, topic)
      assert.equal(error.partition, 7)
      assert.equal(await world.store(producer, topic, 1, ['y']), 0)
    },
  },
  {
    group,
    name: 'asking for a topic that does not exist ends with unknown-topic by the deadline and does not create it',
    async run(world) {
      const producer = await world.producer()
      const missing = world.name('missing')
      const began = world.now()
      await assert.rejects(producer.loadTopic(missing, world.deadline(3_000)), {
        code: 'unknown-topic',
        topic: missing,
      })
      assert.ok(world.now() - began <= 3_000 + world.slackMs, 'within its deadline')
      assert.equal(producer.partitionCount(missing), undefined)
      assert.deepEqual(await world.admin().describeTopics([missing], world.deadline()), [])
    },
  },
  {
    group,
    name: 'a batch for a topic that does not exist is not stored by its deadline, and never unknown',
    async run(world) {
      const producer = await world.producer()
      const began = world.now()
      const error = notStored(await world.produce(producer, world.name('missing'), 0, ['x'], 2_500))
      assert.ok(world.now() - began <= 2_500 + world.slackMs, 'within its deadline')
      assert.match(error.message, /missing/)
    },
  },
  {
    group,
    name: 'a topic that does not exist delays and fails no batch of those that do',
    async run(world) {
      const topics = [await world.topic(), await world.topic(), await world.topic()]
      const producer = await world.producer()
      const missing = world.name('missing')
      const lost = world.produce(producer, missing, 0, ['x'], 3_000)
      const began = world.now()
      for (let round = 0; round < 3; round += 1) {
        const bases = await Promise.all(topics.map((topic) => world.store(producer, topic, 0, ['good'])))
        assert.deepEqual(bases, [round, round, round])
      }
      assert.ok(world.now() - began < 2_000 + world.slackMs, 'the good ones did not wait for the missing one')
      notStored(await lost)
    },
  },
  {
    group,
    name: 'a batch larger than the topic allows is not stored, and the next one is',
    async run(world) {
      const topic = await world.topic(2, { 'max.message.bytes': '2000' })
      const producer = await world.producer()
      assert.equal(await world.store(producer, topic, 0, ['fits']), 0)
      const tooLarge = record(Buffer.alloc(4_000, 7))
      const [large, good] = await Promise.all([
        world.produce(producer, topic, 0, [tooLarge]),
        world.produce(producer, topic, 1, ['in the same request']),
      ])
      assert.equal(notStored(large).code, 'message-too-large')
      assert.equal(good.outcome, 'stored')
      assert.equal(await world.store(producer, topic, 0, ['fits too']), 1)
      const reader = await world.reader(topic)
      await world.until('what was stored is read', () => reader.count() >= 3)
      assert.deepEqual(reader.values(topic, 0), ['fits', 'fits too'])
    },
  },
  {
    group,
    name: 'after close a batch is not stored, at once',
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer()
      await world.store(producer, topic, 0, ['x'])
      await producer.close()
      const began = world.now()
      notStored(await world.produce(producer, topic, 0, ['y']))
      assert.ok(world.now() - began <= world.slackMs, 'without waiting for its deadline')
    },
  },
  {
    group,
    name: 'closing a producer ends batches that are out, is bounded, and may be done twice',
    async run(world) {
      const topic = await world.topic(3)
      const producer = await world.producer()
      await world.store(producer, topic, 0, ['x'])
      const out = [
        world.produce(producer, topic, 0, ['a']),
        world.produce(producer, topic, 1, ['b']),
        world.produce(producer, world.name('missing'), 0, ['c']),
      ]
      const began = world.now()
      await Promise.all([producer.close(), producer.close()])
      const fates = await Promise.all(out)
      await producer.close()
      assert.ok(world.now() - began <= world.slackMs, 'at once')
      assert.equal(fates[2]?.outcome, 'not-stored')
    },
  },
]
