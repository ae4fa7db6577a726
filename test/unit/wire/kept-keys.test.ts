import { describe, expect, it } from 'vitest'
import { builtInCodecs } from '../../../src/wire/compression.js'
import { decodeRecordBatches } from '../../../src/wire/record-batch-decoder.js'
import { batchOf, encode } from './batches.js'

const large = 1_048_576

/** One record beside a large value, read from `answer`. */
async function read(size: number, compression: 'none' | 'gzip') {
  const field = Buffer.alloc(size, 'k')
  const headers = [['h', field] as const]
  const answer = await encode(batchOf([{ key: field, value: Buffer.alloc(large), headers }], { compression }))
  const { batches } = await decodeRecordBatches(answer, builtInCodecs)
  const [record] = batches[0]!.decode()
  const kept = { key: record!.key!, header: record!.headers[0]![1]! }
  return { answer, field, kept, value: record!.value! }
}

const sizes = [1, 63, 64, 65, 5_000]

describe('a key or a header that is kept', () => {
  it.each(sizes.flatMap((size) => [[size, 'none'] as const, [size, 'gzip'] as const]))(
    'keeps no answer in memory: %i bytes, %s',
    async (size, compression) => {
      const { kept, field, value } = await read(size, compression)
      expect(value.buffer.byteLength).toBeGreaterThanOrEqual(large)
      for (const bytes of [kept.key, kept.header]) {
        expect(bytes.equals(field)).toBe(true)
        expect(bytes.buffer.byteLength).toBeLessThanOrEqual(Math.max(size, Buffer.poolSize))
      }
    },
  )

  it.each(sizes)('stays as it was when the buffer of its answer is used again: %i bytes', async (size) => {
    const { answer, field, kept } = await read(size, 'none')
    answer.fill(0xff)
    expect(kept.key.equals(field)).toBe(true)
    expect(kept.header.equals(field)).toBe(true)
  })
})
