import assert from 'node:assert/strict'
import type { BatchOutcome } from '../../driver/producer.js'
import { DriverError } from '../../errors.js'
import { noMetrics, type Metrics } from '../../telemetry/metrics.js'
import type { ContractCase } from './contract-case.js'
import { record } from './contract-world.js'

const group = 'producing'

function numbers(count: number, prefix = ''): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}

function notStored(fate: BatchOutcome): DriverError {
  assert.equal(fate.outcome, 'not-stored')
  assert.ok(fate.outcome === 'not-stored' && fate.error instanceof DriverError, 'the error is a DriverError')
  return fate.error
}

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
    name: 'an idempotent batch whose answer was lost is stored once, in its place',
    needs: ['loseNextProduceAnswer'],
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer()
      await world.store(producer, topic, 0, ['first'])
      const wasLost = world.use('loseNextProduceAnswer')()
      await world.store(producer, topic, 0, ['second'])
      assert.ok(wasLost(), 'the answer was lost')
      assert.equal(await world.store(producer, topic, 0, ['third']), 2)
      const reader = await world.reader(topic)
      await world.until('all records are read', () => reader.count() >= 3)
      assert.deepEqual(reader.values(), ['first', 'second', 'third'])
    },
  },
  {
    group,
    name: 'without retryInDoubt a batch whose answer was lost is unknown, neither stored nor not stored',
    needs: ['loseNextProduceAnswer'],
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer({ acks: 1, idempotent: false, retryInDoubt: false })
      await world.store(producer, topic, 0, ['first'])
      world.use('loseNextProduceAnswer')()
      assert.equal((await world.produce(producer, topic, 0, ['second'])).outcome, 'unknown')
      await world.store(producer, topic, 0, ['third'])
    },
  },
  {
    group,
    name: 'a batch whose answer was lost is sent again when doubt may be retried',
    needs: ['loseNextProduceAnswer'],
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer({ acks: 1, idempotent: false, retryInDoubt: true })
      await world.store(producer, topic, 0, ['first'])
      world.use('loseNextProduceAnswer')()
      assert.equal(await world.store(producer, topic, 0, ['second']), 2)
    },
  },
  {
    group,
    name: 'while nothing goes wrong no batch is sent a second time, whatever the sizes of those before it',
    async run(world) {
      const topic = await world.topic(2)
      const counted: string[] = []
      const metrics: Metrics = { ...noMetrics, count: (name) => counted.push(name) }
      const producer = await world.producer({ metrics })
      for (const partition of [0, 1]) await world.store(producer, topic, partition, ['found its leader'])
      counted.length = 0
      for (const size of [3, 1, 7, 2]) {
        await Promise.all([0, 1].map((partition) => world.store(producer, topic, partition, numbers(size))))
      }
      assert.deepEqual(counted, [])
    },
  },
  {
    group,
    name: 'a batch that was sent again because its first attempt was late is stored once, in its place',
    needs: ['holdNextProduceRequest'],
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer({ requestTimeoutMs: 500 })
      await world.store(producer, topic, 0, ['first'])
      const late = world.use('holdNextProduceRequest')()
      await world.store(producer, topic, 0, ['second'])
      assert.ok(late.isHeld(), 'the first attempt was held')
      late.release()
      await world.sleep(300)
      await world.store(producer, topic, 0, ['third'])
      const reader = await world.reader(topic)
      await world.until('all records are read', () => reader.count() >= 3)
      assert.deepEqual(reader.values(), ['first', 'second', 'third'])
    },
  },
  {
    group,
    name: 'a batch that died in doubt is unknown, and never lands behind newer records',
    needs: ['holdNextProduceRequest'],
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer()
      await world.store(producer, topic, 0, ['first'])
      const straggler = world.use('holdNextProduceRequest')()
      const began = world.now()
      assert.equal((await world.produce(producer, topic, 0, ['straggler'], 1_000)).outcome, 'unknown')
      assert.ok(world.now() - began <= 1_000 + world.slackMs, 'within its deadline')
      assert.ok(straggler.isHeld(), 'it was held')
      await world.store(producer, topic, 0, ['second'])
      straggler.release()
      await world.sleep(500)
      await world.store(producer, topic, 0, ['third'])
      const reader = await world.reader(topic)
      await world.until('all records are read', () => reader.values().includes('third'))
      assert.deepEqual(reader.values(), ['first', 'second', 'third'])
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
