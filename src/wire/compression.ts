import { promisify } from 'node:util'
import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib'
import type { Compression } from '../connection/requests/produce.js'
import { maxUnpackedBytes } from './codecs/growing-output.js'
import { compressLz4, decompressLz4 } from './codecs/lz4.js'
import { compressSnappy, decompressSnappy } from './codecs/snappy.js'
import { compressZstd, decompressZstd } from './codecs/zstd.js'
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
  decompress: (bytes) =>
    bytes.length < SYNCHRONOUS_BELOW_BYTES ? gunzipSync(bytes, limit) : gunzipAsync(bytes, limit),
}

/** What every Node from 20 on has without set-up: reading everything, and writing all but Zstandard, which newer ones write. */
const codecs: Readonly<Record<Exclude<Compression, 'none'>, CompressionCodec>> = {
  gzip: gzipCodec,
  snappy: { compress: compressSnappy, decompress: decompressSnappy },
  lz4: { compress: compressLz4, decompress: decompressLz4 },
  zstd: {
    compress(bytes) {
      if (compressZstd === null) throw new WireError('no-codec', `no codec for zstd compression: ${zstdFix}`)
      return compressZstd(bytes)
    },
    decompress: decompressZstd,
  },
}

const zstdFix = 'write zstd with Node 22.15 or newer, or take another compression'

export const builtInCodecs: CodecRegistry = (compression) => codecs[compression]

/** Why batches cannot be written with this compression here, and what to do; `null` when they can. */
export function builtInProblem(compression: Compression): string | null {
  return compression === 'zstd' && compressZstd === null ? zstdFix : null
}

/** The three lowest bits of a batch's attributes. */
const compressionByBits: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export function compressionBits(compression: Compression): number {
  return compressionByBits.indexOf(compression)
}

export function compressionOf(attributes: number): Compression | undefined {
  return compressionByBits[attributes & 7]
}
