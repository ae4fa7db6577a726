import type { Compression } from '../../connection/requests/produce.js'
import { thrownName } from '../../runtime/thrown.js'
import { compressionCodecs } from './package.js'
import { builtInCodecs, builtInProblem, type CodecRegistry, type CompressionCodec } from '../../wire/compression.js'
import { WireError } from '../../wire/wire-error.js'

interface KafkajsCodec {
  compress(encoder: { readonly buffer: Buffer }): Buffer | Promise<Buffer>
  decompress(buffer: Buffer): Buffer | Promise<Buffer>
}

/** `CompressionTypes` of kafkajs. */
const types = { snappy: 2, lz4: 3, zstd: 4 } as const

/** What was put into kafkajs's `CompressionCodecs`, as kafkajs itself would use it; else what is built in. */
export const kafkajsCodecs: CodecRegistry = (compression) => registered(compression) ?? builtInCodecs(compression)

/** Why batches cannot be written with this compression here, and what to do; `null` when they can. */
export function kafkajsCodecProblem(compression: Compression, problem = builtInProblem(compression)): string | null {
  // Where kafkajs is not there yet, nobody can tell what was put into it.
  if (problem === null || compression === 'none' || compressionCodecs() === null) return null
  if (registered(compression) !== null) return null
  return `${problem}; or put a codec into CompressionCodecs of kafkajs, for example @kafkajs/zstd`
}

function registered(compression: Exclude<Compression, 'none'>): CompressionCodec | null {
  if (compression === 'gzip') return null
  try {
    const codec = compressionCodecs()?.[types[compression]]?.()
    return codec === undefined ? null : adapted(codec as KafkajsCodec, compression)
  } catch {
    // What kafkajs ships for the three is a factory that throws.
    return null
  }
}

function adapted(codec: KafkajsCodec, compression: Compression): CompressionCodec {
  return {
    compress: (bytes) => codec.compress({ buffer: bytes }),
    async decompress(bytes) {
      try {
        return await codec.decompress(bytes)
      } catch (error) {
        const message = `the codec for ${compression} in CompressionCodecs of kafkajs threw ${thrownName(error)}`
        throw new WireError('codec-failed', message, { cause: error })
      }
    },
  }
}
