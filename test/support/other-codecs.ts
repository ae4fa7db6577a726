import { Zstd } from '@hpcc-js/wasm-zstd'
import lz4js from 'lz4js'
import xxh32 from 'lz4js/xxh32.js'
import snappyjs from 'snappyjs'

/** Other people's implementations of what is ours, in plain JavaScript or WebAssembly. */
export interface OtherCodec {
  compress(bytes: Buffer): Buffer
  decompress(bytes: Buffer): Buffer
}

const framing = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])

/** Writes a bare block, as clients beside Java's do; reads it, and Java's framing. */
export const otherSnappy: OtherCodec = {
  compress: (bytes) => snappyjs.compress(bytes),
  decompress(bytes) {
    if (!bytes.subarray(0, framing.length).equals(framing)) return snappyjs.uncompress(bytes)
    const blocks: Buffer[] = []
    for (let at = 16; at < bytes.length;) {
      const end = at + 4 + bytes.readInt32BE(at)
      blocks.push(snappyjs.uncompress(bytes.subarray(at + 4, end)))
      at = end
    }
    return Buffer.concat(blocks)
  },
}

/** It writes one block, but says that blocks may refer to earlier ones, which Kafka does not take. */
export const otherLz4: OtherCodec = {
  compress(bytes) {
    const frame = Buffer.from(lz4js.compress(bytes))
    frame[4]! |= 0x20
    frame[6] = (xxh32.hash(0, frame, 4, 2) >>> 8) & 0xff
    return frame
  },
  decompress: (bytes) => Buffer.from(lz4js.decompress(bytes)),
}

export async function otherZstd(): Promise<OtherCodec> {
  const zstd = await Zstd.load()
  return {
    compress: (bytes) => Buffer.from(zstd.compress(bytes)),
    decompress: (bytes) => Buffer.from(zstd.decompress(bytes)),
  }
}
