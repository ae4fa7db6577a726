import kafkajs from 'kafkajs'
import { afterEach, describe, expect, it } from 'vitest'
import { kafkajsCodecProblem, kafkajsCodecs } from '../../../../src/drivers/kafkajs/codecs.js'
import { memory } from '../../../../src/drivers/memory/memory.js'
import { createMessaging } from '../../../../src/messaging.js'
import { builtInProblem } from '../../../../src/wire/compression.js'
import { decodeRecordBatches } from '../../../../src/wire/record-batch-decoder.js'
import { encodeRecordBatch } from '../../../../src/wire/record-batch-encoder.js'
import { batchOf } from '../../wire/batches.js'

const registry = kafkajs.CompressionCodecs as unknown as Record<number, () => unknown>
const original = registry[kafkajs.CompressionTypes.LZ4]!
const originalZstd = registry[kafkajs.CompressionTypes.ZSTD]!
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
    const bytes = Buffer.concat(await encodeRecordBatch(batch, kafkajsCodecs))
    expect(bytes.readInt16BE(21) & 7).toBe(3)
    const { batches, unreadable } = await decodeRecordBatches(bytes, kafkajsCodecs)
    expect(unreadable).toBe(null)
    expect(batches[0]!.decode().map(({ value }) => value!.toString())).toEqual(['a', 'b'])
  })

  it('that was put there and fails is told as such: the records may be whole', async () => {
    registry[kafkajs.CompressionTypes.LZ4] = () => ({
      ...reversing(),
      decompress: () => {
        throw new TypeError('secret')
      },
    })
    const bytes = Buffer.concat(await encodeRecordBatch(batchOf([{}], { compression: 'lz4' }), kafkajsCodecs))
    const { unreadable } = await decodeRecordBatches(bytes, kafkajsCodecs)
    expect(unreadable).toEqual({
      code: 'codec-failed',
      reason: 'the batch at offset 0: the codec for lz4 in CompressionCodecs of kafkajs threw TypeError',
    })
  })

  it('without one there goes through what is built in', async () => {
    for (const compression of ['gzip', 'snappy', 'lz4'] as const) {
      const value = Buffer.from('tidemark '.repeat(100))
      const bytes = Buffer.concat(await encodeRecordBatch(batchOf([{ value }], { compression }), kafkajsCodecs))
      const { batches } = await decodeRecordBatches(bytes, kafkajsCodecs)
      expect(batches[0]!.decode()[0]!.value).toEqual(value)
      expect(kafkajsCodecProblem(compression)).toBeNull()
    }
  })

  it('of zstd where nobody writes it is refused when the producer is made, and says what to install', () => {
    const problem = builtInProblem('zstd', false)
    const problems = [problem, kafkajsCodecProblem('zstd', problem)]
    for (const compressionProblem of problems.map((text) => () => text)) {
      const messaging = createMessaging({ driver: { ...memory(), compressionProblem } })
      expect(() => messaging.producer({ compression: 'zstd' })).toThrow(
        expect.objectContaining({
          code: 'invalid-config',
          message: expect.stringMatching(/compression.*zstd.*npm install @hpcc-js\/wasm-zstd.*Node 22\.15/s) as string,
        }),
      )
    }
    expect(problems[1]).toMatch(/CompressionCodecs of kafkajs, for example @kafkajs\/zstd/)
    registry[kafkajs.CompressionTypes.ZSTD] = reversing
    expect(kafkajsCodecProblem('zstd', problem)).toBeNull()
    registry[kafkajs.CompressionTypes.ZSTD] = originalZstd
  })
})
