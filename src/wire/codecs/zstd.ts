import * as zlib from 'node:zlib'
import { Decompress } from 'fzstd'
import { GrowingOutput, maxUnpackedBytes } from './growing-output.js'
import { malformed } from '../wire-error.js'

/** Node has Zstandard from 22.15 and 23.8 on; its types here are older. */
interface NodeZstd {
  readonly zstdCompress?: (bytes: Buffer, done: (error: Error | null, packed: Buffer) => void) => void
  readonly zstdDecompress?: (
    bytes: Buffer,
    options: { readonly maxOutputLength: number },
    done: (error: Error | null, unpacked: Buffer) => void,
  ) => void
}

const { zstdCompress, zstdDecompress } = zlib as NodeZstd

/** `null` where Node cannot write it. */
export const compressZstd: ((bytes: Buffer) => Promise<Buffer>) | null =
  zstdCompress === undefined ? null : (bytes) => called((done) => zstdCompress(bytes, done))

export function decompressZstd(bytes: Buffer): Buffer | Promise<Buffer> {
  if (zstdDecompress === undefined) return decompressInJavaScript(bytes)
  return called((done) => zstdDecompress(bytes, { maxOutputLength: maxUnpackedBytes }, done))
}

/** For Node without it. Piece by piece, so that it ends where too much comes out. */
export function decompressInJavaScript(bytes: Buffer): Buffer {
  const output = new GrowingOutput(bytes.length * 4)
  let ended = false
  const frames = new Decompress((piece, final) => {
    output.append(piece)
    ended = final === true
  })
  try {
    frames.push(bytes, true)
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'WireError') throw cause
    throw malformed('a Zstandard frame is not what it says it is')
  }
  if (!ended) throw malformed('a Zstandard frame is cut short')
  return output.done()
}

function called(run: (done: (error: Error | null, bytes: Buffer) => void) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => run((error, bytes) => (error === null ? resolve(bytes) : reject(error))))
}
