import { promisify } from 'node:util'
import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib'
import type { Compression } from '../connection/requests/produce.js'
import { WireError } from './wire-error.js'

/** Compresses the records part of a batch. Framing must be what Java's client reads (xerial for snappy, LZ4F, zstd frames). */
export interface CompressionCodec {
  compress(bytes: Buffer): Buffer | Promise<Buffer>
  decompress(bytes: Buffer): Buffer | Promise<Buffer>
}

/** Finds a codec; throws a `WireError` that says how to install a missing one. */
export type CodecRegistry = (compression: Exclude<Compression, 'none'>) => CompressionCodec

/** A batch that claims to unpack to more is refused, so a few bytes cannot fill the memory. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024
/** Below this the hand-over to a thread costs more than the work. */
const SYNCHRONOUS_BELOW_BYTES = 4_096

const gzipAsync = promisify(gzip)
const gunzipAsync = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip)

const limit = { maxOutputLength: MAX_UNPACKED_BYTES }

const gzipCodec: CompressionCodec = {
  compress: (bytes) => (bytes.length < SYNCHRONOUS_BELOW_BYTES ? gzipSync(bytes) : gzipAsync(bytes)),
  decompress: (bytes) =>
    bytes.length < SYNCHRONOUS_BELOW_BYTES ? gunzipSync(bytes, limit) : gunzipAsync(bytes, limit),
}

export const builtInCodecs: CodecRegistry = (compression) => {
  if (compression === 'gzip') return gzipCodec
  throw new WireError('no-codec', `no codec for ${compression} compression: only gzip is built in; register one`)
}

/** The three lowest bits of a batch's attributes. */
const compressionByBits: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export function compressionBits(compression: Compression): number {
  return compressionByBits.indexOf(compression)
}

export function compressionOf(attributes: number): Compression | undefined {
  return compressionByBits[attributes & 7]
}
