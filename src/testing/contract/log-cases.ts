import assert from 'node:assert/strict'
import type { ContractCase } from './contract-case.js'
import { record } from './contract-world.js'

const group = 'transactions and holes'

/** Written in batches of four, so there are holes at the end of a batch, in its midst, and at its beginning. */
const kept = [0, 2, 5, 10, 11]

export const logCases: readonly ContractCase[] = [
  {
    group,
    name: 'offsets may have holes: every record that is left is read, and positions go past the holes',
    needs: ['topicWithHoles'],
    async run(world) {
      const topic = world.name('topic')
      await world.use('topicWithHoles')(topic, 12, kept)
      const reader = await world.reader(topic)
      await world.until('what is left is read', () => reader.count() >= kept.length)
      assert.deepEqual(reader.offsets(), kept)
      assert.equal(reader.fetched.at(-1)?.nextOffset, 12)
    },
  },
  {
    group,
    name: 'a committed offset in a hole resumes at the next record that is left',
    needs: ['topicWithHoles'],
    async run(world) {
      const topic = world.name('topic')
      await world.use('topicWithHoles')(topic, 12, kept)
      const groupId = world.name('group')
      const first = world.consumer(topic, { groupId })
      await first.start()
      assert.equal(await first.commit(topic, 0, 4), 'committed')
      await first.stop()
      const second = world.consumer(topic, { groupId })
      await second.start()
      await world.until('the rest is read', () => second.count() >= 3)
      assert.deepEqual(second.offsets(), [5, 10, 11])
    },
  },
  {
    group,
    name: 'control records are never handed over, and the position goes past them',
    needs: ['appendTransaction'],
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, ['before'])
      await world.use('appendTransaction')(topic, 0, [record('in', { timestamp: world.wallTime() })], 'commit')
      for (const isolation of ['read-committed', 'read-uncommitted'] as const) {
        const reader = await world.reader(topic, { isolation })
        await world.until('the marker is passed', () => reader.fetched.at(-1)?.nextOffset === 3)
        assert.deepEqual(reader.values(), ['before', 'in'])
      }
      assert.equal(await world.write(topic, 0, ['after']), 3)
    },
  },
  {
    group,
    name: 'records of an aborted transaction are hidden from read-committed and shown to read-uncommitted',
    needs: ['appendTransaction'],
    async run(world) {
      const topic = await world.topic()
      const append = world.use('appendTransaction')
      const at = world.wallTime()
      await world.write(topic, 0, ['before'])
      await append(topic, 0, [record('gone', { timestamp: at }), record('gone too', { timestamp: at })], 'abort')
      await append(topic, 0, [record('kept', { timestamp: at })], 'commit')
      await world.write(topic, 0, ['after'])
      const committed = await world.reader(topic, { isolation: 'read-committed' })
      await world.until('the rest is read', () => committed.values().includes('after'))
      assert.deepEqual(committed.values(), ['before', 'kept', 'after'])
      const everything = await world.reader(topic, { isolation: 'read-uncommitted' })
      await world.until('all is read', () => everything.values().includes('after'))
      assert.deepEqual(everything.values(), ['before', 'gone', 'gone too', 'kept', 'after'])
    },
  },
  {
    group,
    name: 'a log that ends with an aborted transaction is read to its very end',
    needs: ['appendTransaction'],
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, ['before'])
      await world.use('appendTransaction')(topic, 0, [record('gone', { timestamp: world.wallTime() })], 'abort')
      const reader = await world.reader(topic, { isolation: 'read-committed' })
      await world.until('the position is at the end', () => reader.fetched.at(-1)?.nextOffset === 3)
      assert.deepEqual(reader.values(), ['before'])
      const [end] = await world
        .admin()
        .listOffsets([{ topic, partition: 0 }], 'latest', 'read-committed', world.deadline())
      assert.equal(end, 3)
    },
  },
  {
    group,
    name: 'read-committed waits before an open transaction and tells the last stable offset',
    needs: ['openTransaction'],
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, ['before'])
      const end = await world.use('openTransaction')(topic, 0, [record('open', { timestamp: world.wallTime() })])
      await world.write(topic, 0, ['behind it'])
      const committed = await world.reader(topic, { isolation: 'read-committed' })
      const everything = await world.reader(topic, { isolation: 'read-uncommitted' })
      await world.until('all is read uncommitted', () => everything.count() >= 3)
      await world.until('what is stable is read', () => committed.count() >= 1)
      await world.sleep(600)
      assert.deepEqual(committed.values(), ['before'])
      const seen = committed.fetched.at(-1)
      assert.deepEqual([seen?.lastStableOffset, seen?.highWatermark], [1, 3])
      const partitions = [{ topic, partition: 0 }]
      const admin = world.admin()
      assert.deepEqual(await admin.listOffsets(partitions, 'latest', 'read-committed', world.deadline()), [1])
      assert.deepEqual(await admin.listOffsets(partitions, 'latest', 'read-uncommitted', world.deadline()), [3])
      await end('commit')
      await world.until('the rest is read', () => committed.count() >= 3)
      assert.deepEqual(committed.values(), ['before', 'open', 'behind it'])
    },
  },
  {
    group,
    name: 'a transaction that is aborted after a reader waited for it is passed over',
    needs: ['openTransaction'],
    async run(world) {
      const topic = await world.topic()
      const end = await world.use('openTransaction')(topic, 0, [record('open', { timestamp: world.wallTime() })])
      await world.write(topic, 0, ['behind it'])
      const reader = await world.reader(topic, { isolation: 'read-committed' })
      await world.sleep(400)
      assert.equal(reader.count(), 0)
      await end('abort')
      await world.until('the rest is read', () => reader.count() >= 1)
      assert.deepEqual(reader.values(), ['behind it'])
    },
  },
]
