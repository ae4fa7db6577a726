import { promisify } from 'node:util'
import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib'
import type { Compression } from '../connection/requests/produce.js'
import { brokenBy, maxUnpackedBytes } from './codecs/growing-output.js'
import { compressLz4, decompressLz4 } from './codecs/lz4.js'
import { compressSnappy, decompressSnappy } from './codecs/snappy.js'
import { decompressZstd, zstdFix, zstdWriter } from './codecs/zstd.js'
import { WireError } from './wire-error.js'

/** Compresses the records part of a batch. Framing must be what Java's client reads (xerial for snappy, LZ4F, zstd frames). */
export interface CompressionCodec {
  compress(bytes: Buffer): Buffer | Promise<Buffer>
  decompress(bytes: Buffer): Buffer | Promise<Buffer>
}

/** Finds a codec; throws a `WireError` `no-codec` that says what has one. */
export type CodecRegistry = (compression: Exclude<Compression, 'none'>) => CompressionCodec

/** Below this the hand-over to a thread costs more than the work. */
const SYNCHRONOUS_BELOW_BYTES = 4_096

const gzipAsync = promisify(gzip)
const gunzipAsync = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip)

const limit = { maxOutputLength: maxUnpackedBytes }

const gzipCodec: CompressionCodec = {
  compress: (bytes) => (bytes.length < SYNCHRONOUS_BELOW_BYTES ? gzipSync(bytes) : gzipAsync(bytes)),
  decompress(bytes) {
    if (bytes.length >= SYNCHRONOUS_BELOW_BYTES) return gunzipAsync(bytes, limit).catch(refuseGzip)
    try {
      return gunzipSync(bytes, limit)
    } catch (error) {
      return refuseGzip(error)
    }
  },
}

function refuseGzip(error: unknown): never {
  throw brokenBy(error, 'a gzip stream')
}

/** What every Node from 20 on has without set-up: reading everything, and writing all but Zstandard, which newer ones write, or a peer. */
const codecs: Readonly<Record<Exclude<Compression, 'none'>, CompressionCodec>> = {
  gzip: gzipCodec,
  snappy: { compress: compressSnappy, decompress: decompressSnappy },
  lz4: { compress: compressLz4, decompress: decompressLz4 },
  zstd: {
    compress(bytes) {
      const compress = zstdWriter()
      if (compress === null) throw new WireError('no-codec', `no codec for zstd compression: ${zstdFix}`)
      return compress(bytes)
    },
    decompress: decompressZstd,
  },
}

export const builtInCodecs: CodecRegistry = (compression) => codecs[compression]

/** Why batches cannot be written with this compression here, and what to do; `null` when they can. */
export function builtInProblem(compression: Compression, writesZstd?: boolean): string | null {
  return compression === 'zstd' && !(writesZstd ?? zstdWriter() !== null) ? zstdFix : null
}

/** The three lowest bits of a batch's attributes. */
const compressionByBits: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export function compressionBits(compression: Compression): number {
  return compressionByBits.indexOf(compression)
}

export function compressionOf(attributes: number): Compression | undefined {
  return compressionByBits[attributes & 7]
}
