import assert from 'node:assert/strict'
import type { ContractCase } from './contract-case.js'
import { numbers } from './contract-world.js'

const group = 'flow'

/** Long enough for several fetches to come back. */
const severalFetchesMs = 600
const slowFetch = { maxWaitMs: 2_000, minBytes: 1, maxBytes: 1_000_000, partitionMaxBytes: 1_000_000 }
/** About one record in each fetch. */
const smallFetch = { maxWaitMs: 100, minBytes: 1, maxBytes: 100, partitionMaxBytes: 100 }

export const flowCases: readonly ContractCase[] = [
  {
    group,
    name: 'a paused partition hands over nothing while the others go on, and resumes without a gap',
    async run(world) {
      const topic = await world.topic(2)
      const reader = await world.reader(topic)
      await world.write(topic, 0, ['0'])
      await world.until('reading goes', () => reader.values(topic, 0).length === 1)
      reader.driver.pause({ topic, partition: 0 })
      await world.write(topic, 0, ['1', '2'])
      await world.write(topic, 1, ['other'])
      await world.until('the other goes on', () => reader.values(topic, 1).length === 1)
      await world.sleep(severalFetchesMs)
      assert.deepEqual(reader.values(topic, 0), ['0'])
      reader.driver.resume({ topic, partition: 0 })
      await world.until('it resumes', () => reader.values(topic, 0).length >= 3)
      assert.deepEqual(reader.values(topic, 0), ['0', '1', '2'])
    },
  },
  {
    group,
    name: 'a pause takes effect at once, also for what a fetch that is out brings back',
    async run(world) {
      const topic = await world.topic()
      const reader = await world.reader(topic, { fetch: slowFetch })
      await world.sleep(severalFetchesMs)
      reader.driver.pause({ topic, partition: 0 })
      await world.write(topic, 0, numbers(3))
      await world.sleep(slowFetch.maxWaitMs + severalFetchesMs)
      assert.equal(reader.count(), 0)
      reader.driver.resume({ topic, partition: 0 })
      await world.until('what was dropped is fetched again', () => reader.count() >= 3)
      assert.deepEqual(reader.values(), numbers(3))
    },
  },
  {
    group,
    name: 'a pause from within the records callback lets no more records through',
    async run(world) {
      const topic = await world.topic()
      for (const value of numbers(6)) await world.write(topic, 0, [value])
      const reader = world.consumer(topic, { groupId: null, fetch: smallFetch })
      reader.whenRecords = () => reader.driver.pause({ topic, partition: 0 })
      await reader.start()
      await world.until('the first records come', () => reader.fetched.length > 0)
      await world.sleep(severalFetchesMs)
      assert.equal(reader.fetched.length, 1)
      reader.whenRecords = () => undefined
      reader.driver.resume({ topic, partition: 0 })
      await world.until('the rest comes', () => reader.count() >= 6)
      assert.deepEqual(reader.values(), numbers(6))
    },
  },
  {
    group,
    name: 'pausing and resuming again and again loses and repeats nothing',
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer()
      const reader = await world.reader(topic, { fetch: { ...smallFetch, maxWaitMs: 20 } })
      for (const value of numbers(30)) {
        reader.driver.pause({ topic, partition: 0 })
        await world.store(producer, topic, 0, [value])
        reader.driver.resume({ topic, partition: 0 })
      }
      await world.until('all records are read', () => reader.count() >= 30)
      await world.sleep(200)
      assert.deepEqual(reader.values(), numbers(30))
    },
  },
  {
    group,
    name: 'a seek forward skips what lies between',
    async run(world) {
      const topic = await world.topic()
      const reader = world.consumer(topic, { groupId: null })
      await world.write(topic, 0, numbers(10))
      reader.whenAssigned = async () => reader.driver.seek({ topic, partition: 0 }, 7)
      await reader.start()
      await world.until('the rest is read', () => reader.count() >= 3)
      assert.deepEqual(reader.values(), numbers(10).slice(7))
    },
  },
  {
    group,
    name: 'a seek back reads again from there, once',
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(6))
      const reader = await world.reader(topic)
      await world.until('all are read', () => reader.count() >= 6)
      reader.driver.seek({ topic, partition: 0 }, 4)
      await world.until('two are read again', () => reader.count() >= 8)
      await world.sleep(severalFetchesMs)
      assert.deepEqual(reader.values(), [...numbers(6), '4', '5'])
    },
  },
  {
    group,
    name: 'after a seek no record of a fetch that was out is handed over',
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(4))
      const reader = await world.reader(topic, { fetch: slowFetch })
      await world.until('all are read', () => reader.count() >= 4)
      await world.sleep(100)
      reader.driver.seek({ topic, partition: 0 }, 1)
      await world.write(topic, 0, ['4'])
      await world.until('all from the new position are read', () => reader.count() >= 8)
      assert.deepEqual(reader.values(), [...numbers(4), '1', '2', '3', '4'])
    },
  },
  {
    group,
    name: 'a seek from within the records callback has the last word',
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(3))
      const reader = world.consumer(topic, { groupId: null })
      let sought = false
      reader.whenRecords = () => {
        if (sought) return
        sought = true
        reader.driver.seek({ topic, partition: 0 }, 1)
      }
      await reader.start()
      await world.until('it was read again', () => reader.count() >= 5)
      await world.sleep(severalFetchesMs)
      assert.deepEqual(reader.values(), ['0', '1', '2', '1', '2'])
    },
  },
  {
    group,
    name: 'a seek of a paused partition counts when it resumes',
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(5))
      const reader = await world.reader(topic)
      await world.until('all are read', () => reader.count() >= 5)
      reader.driver.pause({ topic, partition: 0 })
      reader.driver.seek({ topic, partition: 0 }, 3)
      await world.sleep(severalFetchesMs)
      assert.equal(reader.count(), 5)
      reader.driver.resume({ topic, partition: 0 })
      await world.until('the rest is read again', () => reader.count() >= 7)
      assert.deepEqual(reader.values().slice(5), ['3', '4'])
    },
  },
  {
    group,
    name: 'stopping while records are being delivered is bounded, and nothing comes after it',
    async run(world) {
      const topic = await world.topic()
      for (const value of numbers(30)) await world.write(topic, 0, [value])
      const consumer = world.consumer(topic, { fetch: smallFetch })
      let stopped: Promise<void> | null = null
      consumer.whenRecords = () => {
        stopped ??= consumer.stop()
      }
      await consumer.start()
      await world.until('stop was called', () => stopped !== null)
      const began = world.now()
      await stopped
      assert.ok(world.now() - began <= 5_000 + world.slackMs, 'within its deadline')
      const seen = { calls: consumer.fetched.length, news: consumer.news.length }
      await world.sleep(severalFetchesMs)
      assert.deepEqual({ calls: consumer.fetched.length, news: consumer.news.length }, seen)
      assert.ok(seen.calls < 30, 'it did not read on')
    },
  },
  {
    group,
    name: 'a stop revokes what is held, waits for the release, and nothing is called afterwards',
    async run(world) {
      const topic = await world.topic(2)
      const consumer = world.consumer(topic)
      await world.startHolding(consumer, 2)
      const assigned = consumer.news.length
      consumer.whenRevoked = () => world.sleep(300)
      await consumer.stop()
      assert.deepEqual(
        consumer.news.slice(assigned).map(({ kind }) => kind),
        ['revoked', 'released'],
      )
      assert.deepEqual(consumer.held(), [])
      await world.write(topic, 0, ['after the stop'])
      await world.sleep(severalFetchesMs)
      assert.equal(consumer.count(), 0)
      assert.equal(consumer.news.length, assigned + 2)
    },
  },
  {
    group,
    name: 'a stop does not wait longer than its deadline for a release that never comes',
    async run(world) {
      const topic = await world.topic()
      const consumer = world.consumer(topic)
      await consumer.start()
      consumer.whenRevoked = () => new Promise(() => undefined)
      const began = world.now()
      await consumer.stop(1_000)
      assert.ok(world.now() - began <= 1_000 + world.slackMs, 'within its deadline')
    },
  },
  {
    group,
    name: 'stopping twice, before a start, and during one is allowed',
    async run(world) {
      const topic = await world.topic()
      const never = world.consumer(topic)
      await never.stop()
      await never.stop()
      assert.equal(never.news.length, 0)
      const starting = world.consumer(topic)
      const start = starting.start()
      const refused = assert.rejects(start)
      await starting.stop()
      await refused
      const started = world.consumer(topic)
      await started.start()
      await Promise.all([started.stop(), started.stop()])
      await started.stop()
      assert.equal(started.newsOf('revoked').length, 1)
    },
  },
  {
    group,
    name: 'facts tell the member, its generation and when it last heard from the cluster',
    async run(world) {
      const topic = await world.topic()
      const consumer = world.consumer(topic)
      assert.equal(consumer.driver.facts().memberId, null)
      assert.equal(consumer.driver.facts().lastFetchAt, null)
      const began = world.now()
      await consumer.start()
      await world.until('a fetch and a heartbeat were answered', () => {
        const { lastFetchAt, lastHeartbeatAt } = consumer.driver.facts()
        return (lastFetchAt ?? 0) >= began && (lastHeartbeatAt ?? 0) >= began
      })
      const facts = consumer.driver.facts()
      assert.ok(facts.memberId !== null && facts.memberId !== '', 'it has a member id')
      assert.ok(facts.generationId >= 1, 'it has a generation')
    },
  },
]
