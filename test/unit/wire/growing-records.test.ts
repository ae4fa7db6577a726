import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OutgoingRecord } from '../../../src/message/record.js'
import { builtInCodecs } from '../../../src/wire/compression.js'
import { GrowingRecords, recordBound } from '../../../src/wire/growing-records.js'
import { encodeRecordBatch } from '../../../src/wire/record-batch-encoder.js'
import { anyRecord, batchOf, decode } from './batches.js'
import { tries } from '../../support/long-profile.js'

const require = createRequire(import.meta.url)
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => object
const decodeByKafkajs = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (decoder: object) => Promise<{
  readonly records: readonly {
    readonly key: Buffer | null
    readonly value: Buffer | null
    readonly timestamp: string
  }[]
}>

const headersOf = (count: number): OutgoingRecord['headers'] =>
  Array.from({ length: count }, (_, index) => [`h${index % 7}`, index % 3 === 0 ? null : Buffer.from(`${index}`)])

/** Lengths around those at which a number takes another byte, and beyond what a batch had room for. */
const edges = [0, 1, 23, 24, 63, 64, 8_191, 8_192, 70_000]
const edgy: fc.Arbitrary<OutgoingRecord> = fc.record({
  key: fc.constantFrom(null, ...edges.map((length) => Buffer.alloc(length, 1))),
  value: fc.constantFrom(null, ...edges.map((length) => Buffer.alloc(length, 2))),
  headers: fc.constantFrom(0, 1, 63, 64, 3_000).map(headersOf),
  timestamp: fc.constantFrom(-1, 0, 1_700_000_000_000, 2 ** 51),
})

function grownBy(records: readonly OutgoingRecord[], roomBytes: number): GrowingRecords {
  const grown = new GrowingRecords(roomBytes)
  for (const record of records) grown.add(record)
  return grown
}

async function batchBytes(records: GrowingRecords): Promise<Buffer> {
  return Buffer.concat(await encodeRecordBatch({ ...batchOf([{}]), records }, builtInCodecs))
}

describe('the records of a batch', () => {
  it('are read back as they were added, whatever room there was, and no record takes more than its bound', () => {
    const records = fc.array(fc.oneof(anyRecord, edgy), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(records, fc.constantFrom(0, 1, 40, 100_000), (added, roomBytes) => {
        const grown = new GrowingRecords(roomBytes)
        for (const record of added) {
          const before = grown.sizeBytes
          grown.add(record)
          expect(grown.sizeBytes - before).toBeLessThanOrEqual(recordBound(record))
        }
        expect(grown.decode()).toEqual(added.map((record, offset) => ({ ...record, offset })))
        expect(grown.maxTimestamp).toBe(Math.max(...added.map(({ timestamp }) => timestamp)))
      }),
      { numRuns: tries(12, 60) },
    )
  })

  it('are what kafkajs and our own decoder read, however they grew', async () => {
    // kafkajs keeps equal names of headers together, and loses digits of distant times.
    const records = fc
      .array(fc.oneof(anyRecord, edgy), { minLength: 1, maxLength: 8 })
      .map((added) =>
        added.map((record, index) => ({ ...record, headers: [], timestamp: 1_700_000_000_000 + ((index * 7) % 5) })),
      )
    await fc.assert(
      fc.asyncProperty(records, fc.constantFrom(0, 300), async (added, roomBytes) => {
        const bytes = await batchBytes(grownBy(added, roomBytes))
        const theirs = await decodeByKafkajs(new Decoder(bytes))
        const plain = (record: { key: Buffer | null; value: Buffer | null; timestamp: unknown }) => ({
          key: record.key,
          value: record.value,
          timestamp: Number(record.timestamp),
        })
        expect(theirs.records.map(plain)).toEqual(added.map(plain))
        const ours = await decode(bytes)
        expect(ours.corrupt).toBeNull()
        expect(ours.batches[0]?.records.map(plain)).toEqual(added.map(plain))
      }),
      { numRuns: tries(12, 60) },
    )
  })

  it('stay as they were when one cannot be written, and go on', () => {
    const good = { key: Buffer.from('k'), value: Buffer.from('v'), headers: [], timestamp: 5 }
    const liar = Buffer.from('abc')
    let asked = 0
    Object.defineProperty(liar, 'length', { get: () => ((asked += 1) % 2 === 0 ? 3 : 300) })
    const bad: readonly (readonly [string, object])[] = [
      ['a time that is none', { timestamp: 1.5 }],
      ['a time beyond all', { timestamp: 2 ** 52 }],
      ['a name that is no text', { timestamp: 9, headers: [[Symbol('x'), null]] }],
      ['a header that throws', { timestamp: 9, headers: [['a', null], null] }],
      ['bytes of another length each time', { timestamp: 9, value: liar }],
    ]
    for (const [what, fields] of bad) {
      for (const before of [0, 1, 3]) {
        const grown = grownBy(
          Array.from({ length: before }, () => good),
          8,
        )
        const bytes = Buffer.from(grown.bytes)
        expect(() => grown.add({ ...good, ...fields }), what).toThrow()
        expect([grown.count, grown.bytes, grown.maxTimestamp]).toEqual([before, bytes, before === 0 ? 0 : 5])
        grown.add({ ...good, timestamp: 6 })
        expect(grown.decode().map(({ timestamp }) => timestamp)).toEqual([...Array(before).fill(5), 6])
      }
    }
  })

  it('do not overrun a buffer that grows with its memory after it was measured', () => {
    const Resizable = ArrayBuffer as unknown as new (
      bytes: number,
      options: object,
    ) => ArrayBuffer & { resize(bytes: number): void }
    const memory = new Resizable(4, { maxByteLength: 4_096 })
    const value = Object.setPrototypeOf(new Uint8Array(memory), Buffer.prototype) as Buffer
    const record = { key: null, value, headers: [], timestamp: 5 }
    const grown = new GrowingRecords(recordBound(record))
    memory.resize(4_000)
    grown.add(record)
    expect(grown.decode()[0]?.value).toEqual(Buffer.alloc(4_000))
  })

  it('that were handed out are not changed by what is added later', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 2, maxLength: 20 }), fc.nat(200), (added, roomBytes) => {
        const grown = new GrowingRecords(roomBytes)
        const views = added.map((record) => {
          grown.add(record)
          return { view: grown.bytes, copy: Buffer.from(grown.bytes) }
        })
        for (const { view, copy } of views) expect(view.equals(copy)).toBe(true)
      }),
      { numRuns: tries(12, 60) },
    )
  })

  it('hold nothing of what was given: it may be written over at once', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(anyRecord, edgy), { minLength: 1, maxLength: 6 }), (added) => {
        const own = added.map(({ key, value, headers, timestamp }) => ({
          key: key && Buffer.from(key),
          value: value && Buffer.from(value),
          headers: headers.map(([name, bytes]) => [name, bytes && Buffer.from(bytes)] as const),
          timestamp,
        }))
        const grown = grownBy(own, 0)
        for (const { key, value, headers } of own) {
          for (const bytes of [key, value, ...headers.map(([, content]) => content)]) bytes?.fill(0xee)
        }
        expect(grown.decode()).toEqual(added.map((record, offset) => ({ ...record, offset })))
      }),
      { numRuns: tries(8, 40) },
    )
  })
})

it('gives each record its own headers, also where records follow each other with the same ones', () => {
  const [same, other] = [headersOf(3), headersOf(2)]
  const records = [same, same, [], same, other, same, same].map((headers, index): OutgoingRecord => ({
    key: null,
    value: Buffer.alloc(index * 40, index),
    headers,
    timestamp: index,
  }))
  // So little room that it grows in between, and one in the middle that cannot be written.
  const grown = new GrowingRecords(8)
  for (const [index, record] of records.entries()) {
    grown.add(record)
    if (index === 4) expect(() => grown.add({ ...record, timestamp: 0.5 })).toThrow('whole milliseconds')
  }
  expect(grown.decode().map(({ headers }) => headers)).toEqual(records.map(({ headers }) => headers))
  expect(grown.bytes).toEqual(GrowingRecords.of(records.map((one) => ({ ...one, headers: [...one.headers] }))).bytes)
})
