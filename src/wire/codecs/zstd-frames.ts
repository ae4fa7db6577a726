import { malformed } from '../wire-error.js'
import { maxUnpackedBytes } from './growing-output.js'

/** Of a block, unpacked. */
const largestBlock = 131_072
const frameMagic = 0xfd2fb528
/** Its lowest four bits are free. */
const skippableMagic = 0x184d2a50
/** `fzstd` moves its whole window at each block: more bytes than this take seconds. */
const mostMoved = 2 ** 33

/**
 * The same frames for `fzstd`, which believes each of them how much memory to take: none says that it holds more than its
 * blocks can, or looks back farther than to its beginning.
 */
export function modestFrames(bytes: Buffer): Buffer {
  const frames = Buffer.from(bytes)
  let at = 0
  while (at < frames.length) at = modestFrame(frames, at)
  return frames
}

/** @returns where the next one begins */
function modestFrame(bytes: Buffer, start: number): number {
  const magic = start + 5 <= bytes.length ? bytes.readUInt32LE(start) : 0
  if ((magic & ~15) >>> 0 === skippableMagic) {
    if (start + 8 > bytes.length) throw cutShort()
    return start + 8 + bytes.readUInt32LE(start + 4)
  }
  if (magic !== frameMagic) throw malformed('a Zstandard frame is not what it says it is')
  const flags = bytes[start + 4]!
  const isSingle = (flags & 0x20) !== 0
  const windowAt = start + 5
  const sizeAt = windowAt + (isSingle ? 0 : 1) + [0, 1, 2, 4][flags & 3]!
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][flags >> 6]!
  const blocksAt = sizeAt + sizeBytes
  if (blocksAt > bytes.length) throw cutShort()
  const { end, count, most } = blocksFrom(bytes, blocksAt)
  const size = contentSize(bytes, sizeAt, sizeBytes)
  if (size > Math.min(most, maxUnpackedBytes)) throw malformed('a Zstandard frame claims more than its blocks can hold')
  const window = isSingle ? size : limitWindow(bytes, windowAt, most)
  if (count * window > mostMoved) throw malformed('a Zstandard frame is cut into too many blocks')
  return end + ((flags & 4) === 0 ? 0 : 4)
}

interface Blocks {
  readonly end: number
  readonly count: number
  /** They hold at most so much. */
  readonly most: number
}

function blocksFrom(bytes: Buffer, start: number): Blocks {
  let at = start
  let most = 0
  for (let count = 1; ; count++) {
    if (at + 3 > bytes.length) throw cutShort()
    const header = bytes.readUIntLE(at, 3)
    const kind = (header >> 1) & 3
    const size = header >> 3
    most += kind === 2 ? largestBlock : Math.min(size, largestBlock)
    // A block of one byte again and again has that byte only.
    at += 3 + (kind === 1 ? 1 : size)
    if (at > bytes.length) throw cutShort()
    if ((header & 1) === 1) return { end: at, count, most }
  }
}

function contentSize(bytes: Buffer, at: number, length: number): number {
  if (length === 8) return Number(bytes.readBigUInt64LE(at))
  // Two bytes count from 256 on, since one has room for less.
  return length === 0 ? 0 : bytes.readUIntLE(at, length) + (length === 2 ? 256 : 0)
}

/** Writes a smaller window into the frame where the one it asks for is larger than all that it can hold. */
function limitWindow(bytes: Buffer, at: number, most: number): number {
  const descriptor = bytes[at]!
  const base = 2 ** (10 + (descriptor >> 3))
  const asked = base + (base / 8) * (descriptor & 7)
  // The window limits blocks too.
  const bits = Math.ceil(Math.log2(Math.max(most, largestBlock)))
  if (asked <= 2 ** bits) return asked
  bytes[at] = (bits - 10) << 3
  return 2 ** bits
}

function cutShort(): Error {
  return malformed('a Zstandard frame is cut short')
}
