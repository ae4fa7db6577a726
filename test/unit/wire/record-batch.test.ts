import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ProduceBatch } from '../../../src/connection/requests/produce.js'
import { builtInCodecs } from '../../../src/wire/compression.js'
import { crc32c } from '../../../src/wire/crc32c/crc32c.js'
import { decodeRecordBatches } from '../../../src/wire/record-batch-decoder.js'
import { GrowingRecords } from '../../../src/wire/growing-records.js'
import { encodeRecordBatch } from '../../../src/wire/record-batch-encoder.js'
import { WireError } from '../../../src/wire/wire-error.js'
import { anyBatch, batchOf, decode, encode, storedAt, type ReadBatch } from './batches.js'

function expected(batch: ProduceBatch, baseOffset: number): ReadBatch {
  return {
    baseOffset,
    lastOffset: baseOffset + batch.records.count - 1,
    leaderEpoch: -1,
    producerId: batch.producerId,
    isTransactional: batch.isTransactional,
    control: 'none',
    records: batch.records.decode().map((record, index) => ({ ...record, offset: baseOffset + index })),
  }
}

const isPlain = ({ compression, isTransactional }: ProduceBatch) => compression === 'none' && !isTransactional

/** Sets a field inside the part the CRC covers, and the CRC with it. */
function altered(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(batch)
  change(copy)
  copy.writeUInt32BE(crc32c(copy, 21), 17)
  return copy
}

describe('record batches', () => {
  it('come back as they were written, whatever they hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyBatch, { minLength: 1, maxLength: 4 }),
        fc.nat(1_000_000),
        async (batches, first) => {
          const parts: Buffer[] = []
          const wanted: ReadBatch[] = []
          let offset = first
          for (const [index, batch] of batches.entries()) {
            parts.push(storedAt(await encode(batch), offset))
            const next = expected(batch, offset)
            const before = batches[index - 1]
            // Plain ones in a row are read as one.
            const last = before !== undefined && isPlain(before) && isPlain(batch) ? wanted.pop() : undefined
            const records = [...(last?.records ?? []), ...next.records]
            wanted.push({ ...(last ?? next), lastOffset: next.lastOffset, records })
            offset += batch.records.count
          }
          expect(await decode(Buffer.concat(parts))).toEqual({ batches: wanted, corrupt: null })
        },
      ),
    )
  })

  it('that one leader wrote are read as one, and those of two leaders are not', async () => {
    const stored = await Promise.all(
      [0, 2, 4].map(async (offset) => storedAt(await encode(batchOf([{}, {}], { producerId: offset })), offset)),
    )
    stored[2]!.writeInt32BE(7, 12)
    const { batches } = await decode(Buffer.concat(stored))
    const read = batches.map(({ baseOffset, lastOffset, leaderEpoch }) => [baseOffset, lastOffset, leaderEpoch])
    expect(read).toEqual([
      [0, 3, -1],
      [4, 5, 7],
    ])
  })

  it('give what is good before a record that is none, however they are read, and the error from then on', async () => {
    const good = storedAt(await encode(batchOf([{}, {}])), 0)
    const bad = storedAt(
      altered(await encode(batchOf([{}, {}])), (batch) => batch.writeInt8(100, batch.length - 7)),
      2,
    )
    const { batches } = await decodeRecordBatches(Buffer.concat([good, bad]), builtInCodecs)
    const [batch] = batches
    for (const most of [1, 2, 3, 10]) {
      const next = batch!.inParts!()
      const offsets: number[] = []
      const read = () => {
        for (;;) {
          const part = next(most)
          if (part.length === 0) return
          offsets.push(...part.map(({ offset }) => offset))
        }
      }
      expect(read).toThrow(WireError)
      expect(read).toThrow(WireError)
      expect(offsets).toEqual([0, 1, 2])
    }
    expect(() => batch!.decode()).toThrow(WireError)
  })

  it('are the bytes that Kafka defines', async () => {
    const batch = batchOf(
      [
        {
          key: Buffer.from('k'),
          value: Buffer.from('v'),
          headers: [
            ['h', Buffer.from('x')],
            ['n', null],
          ],
        },
        { key: null, value: null, timestamp: 1_700_000_000_150 },
      ],
      { producerId: 4_660, producerEpoch: 3, baseSequence: 9, isTransactional: true },
    )
    const fields = [
      '0000000000000000', // base offset
      '00000049', // batch length
      'ffffffff', // partition leader epoch
      '02', // magic
      '--------', // crc
      '0010', // attributes: transactional
      '00000001', // last offset delta
      '0000018bcfe56800', // base timestamp
      '0000018bcfe56896', // max timestamp
      '0000000000001234', // producer id
      '0003', // producer epoch
      '00000009', // base sequence
      '00000002', // record count
      '1e' + '00' + '00' + '00' + '026b' + '0276' + '04' + '0268' + '0278' + '026e' + '01',
      '0e' + '00' + 'ac02' + '02' + '01' + '01' + '00',
    ]
    const bytes = await encode(batch)
    const hex = bytes.toString('hex')
    const text = fields.join('')
    expect(hex.slice(0, 34)).toBe(text.slice(0, 34))
    expect(hex.slice(42)).toBe(text.slice(42))
    expect(bytes.readUInt32BE(17)).toBe(crc32c(bytes, 21))
  })

  it('hold timestamps that are further apart than 31 bits can say', async () => {
    const batch = batchOf([
      { timestamp: 1_700_000_000_000 },
      { timestamp: 0 },
      { timestamp: 2 ** 51 },
      { timestamp: -1 },
    ])
    const { batches } = await decode(await encode(batch))
    expect(batches[0]!.records.map((record) => record.timestamp)).toEqual([1_700_000_000_000, 0, 2 ** 51, -1])
  })

  it('hold every difference at which a number takes one more byte', async () => {
    const edges = Array.from({ length: 7 }, (_, index) => 2 ** (6 + 7 * index)).flatMap((edge) => [
      edge - 1,
      edge,
      edge + 1,
    ])
    const times = [2 ** 50, ...edges.map((edge) => 2 ** 50 + edge), ...edges.map((edge) => 2 ** 50 - edge)]
    const { batches, corrupt } = await decode(await encode(batchOf(times.map((timestamp) => ({ timestamp })))))
    expect(corrupt).toBe(null)
    expect(batches[0]!.records.map((record) => record.timestamp)).toEqual(times)
  })

  it('hold keys, values and headers at every length that takes one more byte', async () => {
    const records = [0, 1, 63, 64, 8_191, 8_192, 1_048_575, 1_048_576].map((length) => ({
      key: Buffer.alloc(Math.min(length, 9_000), 1),
      value: Buffer.alloc(length, 2),
      headers: [['h'.repeat(Math.min(length, 9_000)), Buffer.alloc(Math.min(length, 9_000), 3)]] as [string, Buffer][],
    }))
    const batch = batchOf(records)
    expect(await decode(await encode(batch))).toEqual({ batches: [expected(batch, 0)], corrupt: null })
  })

  it('say the newest time of all their records', async () => {
    const bytes = await encode(batchOf([{ timestamp: 5 }, { timestamp: 9 }, { timestamp: 7 }]))
    expect([bytes.readBigInt64BE(27), bytes.readBigInt64BE(35)]).toEqual([5n, 9n])
  })

  it('with a record that is longer or shorter than it says are corrupt', async () => {
    const bytes = await encode(batchOf([{ value: Buffer.from('abc') }, { value: Buffer.from('def') }]))
    for (const difference of [-2, 2]) {
      const bad = altered(bytes, (copy) => {
        copy[61]! += difference
      })
      expect((await decode(bad)).corrupt).toMatch(/not as long as it says/)
    }
  })

  it('refuse a timestamp that is not a whole number of milliseconds', () => {
    expect(() => encodeRecordBatch(batchOf([{ timestamp: Number.NaN }]), builtInCodecs)).toThrow(/whole milliseconds/)
    expect(() => encodeRecordBatch(batchOf([{ timestamp: 1.5 }]), builtInCodecs)).toThrow(/whole milliseconds/)
  })

  it('are encoded once: a retry gets the same bytes', async () => {
    const plain = batchOf([{ value: Buffer.from('a') }])
    const packed = batchOf([{ value: Buffer.from('a') }], { compression: 'gzip' })
    for (const batch of [plain, packed]) {
      const first = await encodeRecordBatch(batch, builtInCodecs)
      expect(await encodeRecordBatch(batch, builtInCodecs)).toBe(first)
    }
  })

  it('stay as they are when the same records go under another stamp: a socket may still hold them', async () => {
    const batch = batchOf([{ value: Buffer.from('a') }])
    const records = GrowingRecords.of(batch.records.decode())
    const held = await encodeRecordBatch({ ...batch, records, producerEpoch: 1 }, builtInCodecs)
    const first = Buffer.concat(held)
    const second = Buffer.concat(await encodeRecordBatch({ ...batch, records, producerEpoch: 2 }, builtInCodecs))
    expect(Buffer.concat(held)).toEqual(first)
    expect(second).not.toEqual(first)
    for (const bytes of [first, second]) expect((await decode(storedAt(bytes, 3))).batches).toHaveLength(1)
  })

  it('leave out a last batch that is cut off, wherever the cut is', async () => {
    const first = storedAt(await encode(batchOf([{ value: Buffer.from('one') }])), 5)
    const second = storedAt(await encode(batchOf([{ value: Buffer.from('two') }])), 6)
    const both = Buffer.concat([first, second])
    for (let cut = first.length; cut < both.length; cut++) {
      const { batches, corrupt } = await decode(both.subarray(0, cut))
      expect(corrupt).toBe(null)
      expect(batches.map((batch) => batch.baseOffset)).toEqual([5])
    }
  })

  it('call a first batch that is not whole corrupt, so that reading it again cannot go on for ever', async () => {
    const bytes = await encode(batchOf([{ value: Buffer.from('one') }]))
    expect((await decode(bytes.subarray(0, bytes.length - 1))).corrupt).toMatch(/claims 7\d bytes/)
    const huge = Buffer.from(bytes)
    huge.writeInt32BE(0x7fffffff, 8)
    expect((await decode(huge)).corrupt).toMatch(/claims \d+ bytes/)
    huge.writeInt32BE(-20, 8)
    expect((await decode(huge)).corrupt).toMatch(/shorter than its header/)
  })

  it('with any byte changed are corrupt or what they were, never another record', async () => {
    await fc.assert(
      fc.asyncProperty(anyBatch, fc.nat(), fc.integer({ min: 1, max: 255 }), async (batch, position, mask) => {
        const good = await encode(batch)
        const bad = Buffer.from(good)
        // Offset and leader epoch are the broker's and outside the CRC.
        const covered = good.length - 12
        const at = position % covered
        bad[at < 4 ? 8 + at : 12 + at]! ^= mask
        const { batches, corrupt } = await decode(bad)
        if (corrupt === null) expect(batches).toEqual([expected(batch, 0)])
        else expect(batches).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  it('keep what was good before a corrupt one', async () => {
    const first = storedAt(await encode(batchOf([{ value: Buffer.from('one') }])), 5)
    const second = storedAt(await encode(batchOf([{ value: Buffer.from('two') }], { compression: 'gzip' })), 6)
    second[second.length - 1]! ^= 1
    const { batches, corrupt } = await decode(Buffer.concat([first, second, storedAt(first, 9)]))
    expect(batches.map((batch) => batch.baseOffset)).toEqual([5])
    expect(corrupt).toMatch(/batch at offset 6 has CRC-32C \d+, but says \d+/)
  })

  it('with a right CRC over wrong contents are corrupt, whatever is wrong', async () => {
    await fc.assert(
      fc.asyncProperty(anyBatch, fc.nat(), fc.integer({ min: 1, max: 255 }), async (batch, position, mask) => {
        const good = await encode(batch)
        const at = 57 + (position % (good.length - 57))
        const bad = altered(good, (copy) => {
          copy[at]! ^= mask
        })
        const result = await decode(bad)
        expect(result.batches.length + (result.corrupt === null ? 0 : 1)).toBe(1)
      }),
      { numRuns: 500 },
    )
  })

  it('do not fill the memory for a count they only claim', async () => {
    const bytes = altered(await encode(batchOf([{}])), (copy) => copy.writeInt32BE(0x7fffffff, 57))
    expect((await decode(bytes)).corrupt).toMatch(/claims 2147483647 records in \d+ bytes/)
  })

  it('of old message formats are named as such', async () => {
    for (const magic of [0, 1]) {
      const bytes = Buffer.alloc(40)
      bytes.writeInt32BE(28, 8)
      bytes[16] = magic
      expect((await decode(bytes)).corrupt).toMatch(`old message format ${magic}`)
      expect(await decodeRecordBatches(bytes, builtInCodecs)).toMatchObject({ unreadable: { code: 'unknown-format' } })
    }
    const newer = Buffer.from(await encode(batchOf([{}])))
    newer[16] = 3
    expect((await decode(newer)).corrupt).toMatch(/unknown record batch format 3/)
  })

  it('with an unknown codec, or bytes that are not of theirs, say so', async () => {
    const bytes = await encode(batchOf([{}]))
    const unknown = altered(bytes, (copy) => copy.writeInt16BE(7, 21))
    const zstd = altered(bytes, (copy) => copy.writeInt16BE(4, 21))
    expect((await decode(unknown)).corrupt).toMatch(/unknown compression 7/)
    expect(await decodeRecordBatches(unknown, builtInCodecs)).toMatchObject({ unreadable: { code: 'no-codec' } })
    expect(await decodeRecordBatches(zstd, builtInCodecs)).toMatchObject({ unreadable: { code: 'corrupt-record' } })
    expect((await decode(zstd)).corrupt).toMatch(/Zstandard|frame|zstd|Src size/i)
  })

  it('of control records tell commit from abort and carry no records', async () => {
    const control = async (key: Buffer) =>
      altered(
        await encode(batchOf([{ key, value: Buffer.alloc(6) }], { isTransactional: true, producerId: 8 })),
        (copy) => copy.writeInt16BE(copy.readInt16BE(21) | 32, 21),
      )
    const kinds = []
    for (const type of [0, 1, 2]) {
      const [batch] = (await decode(await control(Buffer.from([0, 0, 0, type])))).batches
      expect(batch).toMatchObject({ records: [], producerId: 8, isTransactional: true, lastOffset: 0 })
      kinds.push(batch!.control)
    }
    expect(kinds).toEqual(['abort', 'commit', 'other'])
    expect((await decode(await control(Buffer.from([1])))).batches[0]!.control).toBe('other')
  })

  it('under LogAppendTime give every record the time of the broker', async () => {
    const bytes = altered(await encode(batchOf([{ timestamp: 5 }, { timestamp: 9 }])), (copy) => {
      copy.writeInt16BE(8, 21)
      copy.writeBigInt64BE(1_234n, 35)
    })
    const { batches } = await decode(bytes)
    expect(batches[0]!.records.map((record) => record.timestamp)).toEqual([1_234, 1_234])
  })

  it('that compaction thinned keep their offsets and their end', async () => {
    const bytes = altered(await encode(batchOf([{ value: Buffer.from('a') }, { value: Buffer.from('b') }])), (copy) => {
      copy.writeInt32BE(9, 23)
      copy[copy.length - 5] = 2 * 7 // offset delta of the second record
    })
    const { batches, corrupt } = await decode(storedAt(bytes, 100))
    expect(corrupt).toBe(null)
    expect(batches[0]).toMatchObject({ baseOffset: 100, lastOffset: 109 })
    expect(batches[0]!.records.map((record) => record.offset)).toEqual([100, 107])
  })

  it('that go back in the log are corrupt', async () => {
    const bytes = await encode(batchOf([{}]))
    expect((await decode(Buffer.concat([storedAt(bytes, 8), storedAt(bytes, 8)]))).corrupt).toMatch(
      /follows one that ends/,
    )
  })

  it('hand over views of large values instead of copies', async () => {
    const bytes = await encode(batchOf([{ value: Buffer.alloc(10_000, 7) }]))
    const { batches } = await decode(bytes)
    expect(batches[0]!.records[0]!.value!.buffer).toBe(bytes.buffer)
  })
})
