import assert from 'node:assert/strict'
import type { OutgoingRecord } from '../../message/record.js'
import type { ContractCase } from './contract-case.js'
import { numbers, record, type ContractWorld } from './contract-world.js'

const group = 'producing'

/** Stores one batch in a topic of its own and reads it back. */
async function roundTrip(world: ContractWorld, records: readonly OutgoingRecord[], configs = {}) {
  const topic = await world.topic(1, configs)
  await world.write(topic, 0, records)
  const reader = await world.reader(topic)
  await world.until('all records are read', () => reader.count() >= records.length)
  return reader.received(topic, 0)
}

/** What is stored is what was handed over. */
export const contentCases: readonly ContractCase[] = [
  {
    group,
    name: 'keys and values come back byte for byte',
    async run(world) {
      const allBytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
      const notText = Buffer.from([0xc3, 0x28, 0x00, 0xff, 0xfe])
      const [first, second] = await roundTrip(world, [
        record(notText, { key: allBytes }),
        record(allBytes, { key: notText }),
      ])
      assert.deepEqual(first?.key, allBytes)
      assert.deepEqual(first.value, notText)
      assert.deepEqual(second?.key, notText)
      assert.deepEqual(second.value, allBytes)
    },
  },
  {
    group,
    name: 'an empty key is not the same as no key',
    async run(world) {
      const [empty, none] = await roundTrip(world, [record('a', { key: Buffer.alloc(0) }), record('b', { key: null })])
      assert.deepEqual(empty?.key, Buffer.alloc(0))
      assert.equal(none?.key, null)
    },
  },
  {
    group,
    name: 'a null value is not the same as an empty one',
    async run(world) {
      const [none, empty] = await roundTrip(world, [record(null, { key: Buffer.from('k') }), record('')])
      assert.equal(none?.value, null)
      assert.deepEqual(none.key, Buffer.from('k'))
      assert.deepEqual(empty?.value, Buffer.alloc(0))
    },
  },
  {
    group,
    name: 'a value of 900,000 bytes comes back whole, also past smaller fetch limits',
    async run(world) {
      const topic = await world.topic()
      const large = Buffer.alloc(900_000)
      for (let at = 0; at < large.length; at += 1) large[at] = (at * 31) % 251
      await world.write(topic, 0, ['before'])
      await world.write(topic, 0, [record(large)])
      await world.write(topic, 0, ['after'])
      const fetch = { maxWaitMs: 250, minBytes: 1, maxBytes: 20_000, partitionMaxBytes: 10_000 }
      const reader = await world.reader(topic, { fetch })
      await world.until('all records are read', () => reader.count() >= 3)
      const [before, whole, after] = reader.received()
      assert.equal(String(before?.value), 'before')
      assert.ok(whole?.value?.equals(large), 'the large value is unchanged')
      assert.equal(String(after?.value), 'after')
    },
  },
  {
    group,
    name: 'headers keep their order, equal names included',
    async run(world) {
      const headers = [
        ['b', Buffer.from('1')],
        ['a', Buffer.from('2')],
        ['b', Buffer.from('3')],
        ['Größe ✓', Buffer.from([0xff, 0x00])],
        ['', Buffer.from('no name')],
      ] as const
      const [stored] = await roundTrip(world, [record('x', { headers })])
      assert.deepEqual(stored?.headers, headers)
    },
  },
  {
    group,
    name: 'a header without a value is not the same as one with an empty value',
    async run(world) {
      const headers = [
        ['none', null],
        ['empty', Buffer.alloc(0)],
      ] as const
      const [stored] = await roundTrip(world, [record('x', { headers })])
      assert.deepEqual(stored?.headers, headers)
    },
  },
  {
    group,
    name: 'a record without headers comes back without headers',
    async run(world) {
      const [stored] = await roundTrip(world, [record('x')])
      assert.deepEqual(stored?.headers, [])
    },
  },
  {
    group,
    name: 'each record keeps its timestamp, whatever the order of the times',
    async run(world) {
      const times = [world.wallTime(), world.wallTime() - 86_400_000, world.wallTime() - 5, 0, world.wallTime() - 1]
      const stored = await roundTrip(
        world,
        times.map((timestamp) => record('x', { timestamp })),
        { 'retention.ms': '-1' },
      )
      assert.deepEqual(
        stored.map(({ timestamp }) => timestamp),
        times,
      )
    },
  },
  {
    group,
    name: "with LogAppendTime the broker's time is told to the sender and to the reader",
    async run(world) {
      const topic = await world.topic(1, { 'message.timestamp.type': 'LogAppendTime' })
      const before = world.wallTime()
      const fate = await world.produce(await world.producer(), topic, 0, [record('x', { timestamp: 1_000 })])
      assert.ok(fate.outcome === 'stored' && fate.logAppendTime !== null, 'the append time is told')
      assert.ok(
        fate.logAppendTime >= before - 1_000 && fate.logAppendTime <= world.wallTime() + 1_000,
        'it is about now',
      )
      const reader = await world.reader(topic)
      await world.until('the record is read', () => reader.count() >= 1)
      assert.equal(reader.received()[0]?.timestamp, fate.logAppendTime)
    },
  },
  {
    group,
    name: 'with CreateTime no append time is claimed',
    async run(world) {
      const topic = await world.topic()
      const fate = await world.produce(await world.producer(), topic, 0, ['x'])
      assert.deepEqual(fate, { outcome: 'stored', baseOffset: 0, logAppendTime: null })
    },
  },
  {
    group,
    name: 'gzip changes nothing of what is stored',
    async run(world) {
      const topic = await world.topic()
      const producer = await world.producer({ compression: 'gzip' })
      const values = numbers(500, 'the same text again and again ')
      assert.equal(await world.store(producer, topic, 0, values), 0)
      assert.equal(await world.store(producer, topic, 0, ['next']), 500)
      const reader = await world.reader(topic)
      await world.until('all records are read', () => reader.count() >= 501)
      assert.deepEqual(reader.values(), [...values, 'next'])
    },
  },
]
