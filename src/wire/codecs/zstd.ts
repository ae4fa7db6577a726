import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import { Decompress } from 'fzstd'
import { brokenBy, GrowingOutput, maxUnpackedBytes } from './growing-output.js'
import { malformed, WireError } from '../wire-error.js'
import { withinTime } from './within-time.js'
import { modestFrames } from './zstd-frames.js'

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

/** Writes it where Node cannot. An optional peer: found when it is wanted, and named in a way that no bundler follows. */
const peer = '@hpcc-js/wasm-zstd'

type Compress = (bytes: Buffer) => Promise<Buffer>

let writer: Compress | null | undefined

/** Who writes Zstandard here; `null` for nobody. */
export function zstdWriter(): Compress | null {
  return (writer ??= findWriter(zstdCompress, isInstalled(peer)))
}

/** What to do where nobody does. */
export const zstdFix = `npm install ${peer}, or write zstd with Node 22.15 or newer, or take another compression`

export function findWriter(native: NodeZstd['zstdCompress'], hasPeer: boolean): Compress | null {
  if (native !== undefined) return (bytes) => called((done) => native(bytes, done))
  return hasPeer ? compressByPeer : null
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

/** What we use of it. */
interface Peer {
  readonly Zstd: { load(): Promise<PeerZstd> }
}

interface PeerZstd {
  compress(bytes: Uint8Array): Uint8Array
}

/** Every frame begins so, in little endian. */
const frameMagic = 0xfd2fb528

let loading: Promise<PeerZstd> | undefined

async function compressByPeer(bytes: Buffer): Promise<Buffer> {
  loading ??= load()
  const { buffer, byteOffset, length } = (await loading).compress(bytes)
  const packed = Buffer.from(buffer, byteOffset, length)
  // It prints its own failures and goes on.
  if (length < 4 || packed.readUInt32LE(0) !== frameMagic)
    throw new WireError('codec-failed', `${peer} failed to write zstd`)
  return packed
}

async function load(): Promise<PeerZstd> {
  try {
    const { Zstd } = (await import(peer)) as Peer
    return await Zstd.load()
  } catch (cause) {
    loading = undefined
    throw new WireError('no-codec', `${peer}, which writes zstd, could not be loaded`, { cause })
  }
}

export function decompressZstd(bytes: Buffer): Buffer | Promise<Buffer> {
  if (zstdDecompress === undefined) return decompressInJavaScript(bytes)
  return called<Buffer>((done) => zstdDecompress(bytes, { maxOutputLength: maxUnpackedBytes }, done)).catch(
    (error: unknown) => {
      throw brokenBy(error, frame)
    },
  )
}

const frame = 'a Zstandard frame'

/** The largest batch takes a second or two. */
const longestMs = 10_000

/**
 * For Node without it. Piece by piece, so that it ends where too much comes out; and stopped by the clock, since `fzstd`
 * does not end on some tables that were made to break it.
 */
export function decompressInJavaScript(bytes: Buffer, limitMs = longestMs): Buffer {
  const output = new GrowingOutput(bytes.length * 4)
  let ended = false
  const frames = new Decompress((piece, final) => {
    output.append(piece)
    ended = final === true
  })
  try {
    const packed = modestFrames(bytes)
    if (withinTime(() => frames.push(packed, true), limitMs) === 'late')
      throw malformed(`${frame} was not read within ${limitMs} ms`)
  } catch (cause) {
    throw cause instanceof WireError ? cause : brokenBy(cause, frame)
  }
  if (!ended) throw malformed(`${frame} is cut short`)
  return output.done()
}

function called<Result>(run: (done: (error: Error | null, result: Result) => void) => void): Promise<Result> {
  return new Promise((resolve, reject) => run((error, result) => (error === null ? resolve(result) : reject(error))))
}
