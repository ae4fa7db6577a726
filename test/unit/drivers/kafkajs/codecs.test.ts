import kafkajs from 'kafkajs'
import { afterEach, describe, expect, it } from 'vitest'
import { kafkajsCodecs } from '../../../../src/drivers/kafkajs/codecs.js'
import { decodeRecordBatches } from '../../../../src/wire/record-batch-decoder.js'
import { encodeRecordBatch } from '../../../../src/wire/record-batch-encoder.js'
import { batchOf } from '../../wire/batches.js'

const registry = kafkajs.CompressionCodecs as unknown as Record<number, () => unknown>
const original = registry[kafkajs.CompressionTypes.LZ4]!
afterEach(() => {
  registry[kafkajs.CompressionTypes.LZ4] = original
})

/** As kafkajs's codec packages are written: asynchronous, from an encoder. */
const reversing = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => Promise.resolve(Buffer.from(buffer).reverse()),
  decompress: (buffer: Buffer) => Promise.resolve(Buffer.from(buffer).reverse()),
})

describe('compression', () => {
  it("goes through what was put into kafkajs's CompressionCodecs", async () => {
    registry[kafkajs.CompressionTypes.LZ4] = reversing
    const batch = batchOf([{ value: Buffer.from('a') }, { value: Buffer.from('b') }], { compression: 'lz4' })
    const bytes = await encodeRecordBatch(batch, kafkajsCodecs)
    expect(bytes.readInt16BE(21) & 7).toBe(3)
    const { batches, corrupt } = await decodeRecordBatches(bytes, kafkajsCodecs)
    expect(corrupt).toBe(null)
    expect(batches[0]!.decode().map(({ value }) => value!.toString())).toEqual(['a', 'b'])
  })

  it('without its codec says which package has one, when writing and when reading', async () => {
    await expect(encodeRecordBatch(batchOf([{}], { compression: 'zstd' }), kafkajsCodecs)).rejects.toThrow(
      /no codec for zstd compression; put one into CompressionCodecs of kafkajs, for example @kafkajs\/zstd/,
    )
    registry[kafkajs.CompressionTypes.LZ4] = reversing
    const bytes = await encodeRecordBatch(batchOf([{}], { compression: 'lz4' }), kafkajsCodecs)
    registry[kafkajs.CompressionTypes.LZ4] = original
    expect((await decodeRecordBatches(bytes, kafkajsCodecs)).corrupt).toMatch(/no codec for lz4/)
  })
})
