import assert from 'node:assert/strict'
import { TidemarkError } from '../../errors.js'
import type { ContractCase } from './contract-case.js'
import { numbers, record } from './contract-world.js'

const group = 'brokers'
/** A restart may take this long, so nobody's session may end meanwhile. */
const patient = { sessionTimeoutMs: 25_000, rebalanceTimeoutMs: 30_000 }
const restartMs = 45_000

export const brokerCases: readonly ContractCase[] = [
  {
    group,
    name: 'after a restart of the brokers idle clients go on where they were',
    needs: ['bounceBrokers'],
    async run(world) {
      const topic = await world.topic(2)
      const producer = await world.producer()
      const consumer = world.consumer(topic, patient)
      await world.startHolding(consumer, 2)
      await world.store(producer, topic, 0, ['before'])
      await world.until('it is read', () => consumer.count() >= 1)
      await world.use('bounceBrokers')()
      const fates = await Promise.all([0, 1].map((at) => world.produce(producer, topic, at, ['after'], restartMs)))
      assert.deepEqual(
        fates.map(({ outcome }) => outcome),
        ['stored', 'stored'],
      )
      await world.until(
        'all is read',
        () => consumer.values(topic, 0).includes('after') && consumer.values(topic, 1).length > 0,
        restartMs,
      )
      let outcome = ''
      await world.until(
        'a commit is taken',
        async () => {
          if (consumer.held().length === 2) outcome = await consumer.commit(topic, 0, 2)
          return outcome === 'committed'
        },
        restartMs,
      )
      assert.ok((await world.admin().describeTopics([topic], world.deadline(restartMs))).length === 1)
    },
  },
  {
    group,
    name: 'a restart of busy brokers loses and doubles nothing of an idempotent producer, and a group reads it all',
    needs: ['bounceBrokers'],
    async run(world) {
      const topic = await world.topic(3)
      const producer = await world.producer()
      const consumer = world.consumer(topic, patient)
      await consumer.start()
      let state: 'before' | 'after' = 'before'
      const write = async (partition: number) => {
        let batches = 0
        for (let left = 20; left > 0; left -= state === 'after' ? 1 : 0) {
          const fate = await world.produce(producer, topic, partition, numbers(5, `${batches}.`), restartMs)
          assert.equal(fate.outcome, 'stored')
          batches += 1
          await world.sleep(5)
        }
        return batches
      }
      const writing = Promise.all([0, 1, 2].map(write))
      await world.sleep(200)
      await world.use('bounceBrokers')()
      state = 'after'
      const counts = await writing
      const reader = await world.reader(topic)
      for (const [partition, batches] of counts.entries()) {
        const expected = numbers(batches).flatMap((batch) => numbers(5, `${batch}.`))
        await world.until('the log is read', () => reader.values(topic, partition).length >= expected.length)
        assert.deepEqual(reader.values(topic, partition), expected)
        await world.until(
          'the group has read it',
          () => new Set(consumer.offsets(topic, partition)).size >= expected.length,
          restartMs,
        )
      }
    },
  },
  {
    group,
    name: 'while brokers are silent every call ends by its deadline and claims nothing; afterwards all goes on',
    needs: ['silenceBrokers'],
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer()
      const consumer = world.consumer(topic)
      await world.startHolding(consumer, 1)
      await world.store(producer, topic, 0, ['before'])
      const late = world.driver.createProducer(world.producerSettings())
      const admin = world.admin()
      await admin.describeTopics([topic], world.deadline())
      const limitMs = 1_500
      const endSilence = await world.use('silenceBrokers')()
      try {
        const began = world.now()
        const bounded = async <T>(what: string, call: Promise<T>) => {
          const result = await call
          assert.ok(world.now() - began <= limitMs + world.slackMs, `${what} took ${world.now() - began} ms`)
          return result
        }
        const [fate, commit] = await Promise.all([
          bounded('a batch', world.produce(producer, topic, 0, ['in silence'], limitMs)),
          bounded('a commit', consumer.commit(topic, 0, 0, '', limitMs)),
          bounded(
            'a description',
            assert.rejects(admin.describeTopics([topic], world.deadline(limitMs)), TidemarkError),
          ),
          bounded('connecting', assert.rejects(late.connect(world.deadline(limitMs)), TidemarkError)),
        ])
        assert.equal(fate.outcome, 'unknown')
        assert.ok(commit === 'in-doubt' || commit === 'pending', `the commit is ${commit}`)
        const stopping = world.now()
        await Promise.all([consumer.stop(limitMs), late.close()])
        assert.ok(world.now() - stopping <= limitMs + world.slackMs, `a stop took ${world.now() - stopping} ms`)
      } finally {
        await endSilence()
      }
      const fate = await world.produce(producer, topic, 0, ['after'], restartMs)
      assert.equal(fate.outcome, 'stored')
      const reader = await world.reader(topic)
      await world.until('the last is read', () => reader.values().includes('after'))
      const silent = reader.values().filter((value) => value === 'in silence').length
      assert.ok(silent <= 1, 'what was unknown is absent or there once')
      assert.equal(reader.values().at(-1), 'after')
    },
  },
  {
    group,
    name: 'a producer that is throttled is slower, and everything it sent is stored once',
    needs: ['throttleProducing'],
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer()
      await world.store(producer, topic, 0, ['first'])
      const release = await world.use('throttleProducing')(topic)
      try {
        const began = world.now()
        for (const value of numbers(7)) {
          const padded = record(Buffer.alloc(4_000, value), { timestamp: world.wallTime() })
          assert.equal((await world.produce(producer, topic, 0, [padded], restartMs)).outcome, 'stored')
        }
        assert.ok(world.now() - began >= 900, `${world.now() - began} ms`)
      } finally {
        await release()
      }
      const reader = await world.reader(topic)
      await world.until('all is read', () => reader.count() >= 8)
      assert.deepEqual(
        reader.values().map((value) => value[0]),
        ['f', ...numbers(7)],
      )
    },
  },
]
