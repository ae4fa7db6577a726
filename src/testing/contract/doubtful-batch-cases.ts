import assert from 'node:assert/strict'
import { noMetrics, type Metrics } from '../../telemetry/metrics.js'
import type { ContractCase } from './contract-case.js'
import { numbers } from './contract-world.js'

const group = 'producing'

export const doubtfulBatchCases: readonly ContractCase[] = [
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
]
