import { malformed } from '../wire-error.js'
import { copyBytes, repeatBytes } from './copies.js'
import { GrowingOutput } from './growing-output.js'
import { MatchFinder } from './match-finder.js'

/**
 * Snappy as Java's client frames it: a header, then blocks of at most 32 KiB, each with its length. Other clients write one
 * bare block; both are read.
 */
const magic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const headerBytes = 16
const version = 1
const blockBytes = 32_768

export function compressSnappy(bytes: Buffer): Buffer {
  const output = new GrowingOutput(headerBytes + largestBlock(Math.min(bytes.length, blockBytes)))
  output.append(magic)
  output.reserve(8)
  output.bytes.writeInt32BE(version, 8)
  output.bytes.writeInt32BE(version, 12)
  output.length = headerBytes
  const matches = new MatchFinder(bytes, blockBytes)
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const end = Math.min(bytes.length, start + blockBytes)
    output.reserve(4 + largestBlock(end - start))
    const lengthAt = output.length
    output.length = compressBlock(bytes, start, end, matches, output.bytes, lengthAt + 4)
    output.bytes.writeInt32BE(output.length - lengthAt - 4, lengthAt)
  }
  return output.done()
}

export function decompressSnappy(bytes: Buffer): Buffer {
  const output = new GrowingOutput(bytes.length * 4)
  if (bytes.length < headerBytes || !bytes.subarray(0, magic.length).equals(magic)) {
    readBlock(bytes, 0, bytes.length, output)
    return output.done()
  }
  let at = headerBytes
  while (at < bytes.length) {
    const length = at + 4 <= bytes.length ? bytes.readInt32BE(at) : -1
    at += 4
    if (length < 0 || at + length > bytes.length) throw malformed('a snappy block is longer than its batch')
    readBlock(bytes, at, at + length, output)
    at += length
  }
  return output.done()
}

function largestBlock(size: number): number {
  return 32 + size + Math.ceil(size / 6)
}

/** Literals and copies of what came before in the block. */
function compressBlock(
  source: Buffer,
  start: number,
  end: number,
  matches: MatchFinder,
  target: Buffer,
  writeAt: number,
): number {
  let at = writeVarint(target, writeAt, end - start)
  matches.startBlock(start)
  let literalFrom = start
  let position = start
  let missed = 32
  while (position < end - 4) {
    const match = matches.lastMatch(position)
    if (match === -1) {
      // Data that does not repeat is passed in longer and longer steps.
      position += missed++ >> 5
      continue
    }
    missed = 32
    const length = matches.matchLength(match, position, end)
    at = writeLiteral(source, literalFrom, position, target, at)
    at = writeCopy(target, at, position - match, length)
    position += length
    literalFrom = position
    if (position < end - 4) matches.note(position - 1)
  }
  return writeLiteral(source, literalFrom, end, target, at)
}

function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

function writeLiteral(source: Buffer, from: number, to: number, target: Buffer, writeAt: number): number {
  const length = to - from
  if (length === 0) return writeAt
  let at = writeAt
  if (length <= 60) target[at++] = (length - 1) << 2
  else if (length <= 256) {
    target[at++] = 60 << 2
    target[at++] = length - 1
  } else {
    target[at++] = 61 << 2
    at = target.writeUInt16LE(length - 1, at)
  }
  return copyBytes(source, from, to, target, at)
}

/** Two bytes for what is near and short, else three. */
function writeCopy(target: Buffer, writeAt: number, distance: number, copied: number): number {
  let at = writeAt
  let left = copied
  while (left > 11 || (left >= 4 && distance >= 2_048)) {
    // Never so that fewer than four are left over.
    const length = left > 64 ? (left < 68 ? 60 : 64) : left
    target[at++] = ((length - 1) << 2) | 2
    target[at++] = distance & 0xff
    target[at++] = distance >> 8
    left -= length
    if (left === 0) return at
  }
  target[at++] = ((distance >> 8) << 5) | ((left - 4) << 2) | 1
  target[at++] = distance & 0xff
  return at
}

function readBlock(source: Buffer, start: number, end: number, output: GrowingOutput): void {
  let at = start
  let size = 0
  for (let shift = 0; ; shift += 7) {
    if (at === end || shift > 28) throw cutShort()
    const byte = source[at++]!
    size += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  // A copy of 64 bytes takes two bytes at least.
  if (size > (end - start) * 64) throw malformed('a snappy block claims more than its bytes can hold')
  output.reserve(size)
  const target = output.bytes
  const from = output.length
  const limit = from + size
  let written = from
  while (at < end) {
    const tag = source[at++]!
    const kind = tag & 3
    if (kind === 0) {
      let length = tag >> 2
      if (length >= 60) {
        const extra = length - 59
        if (at + extra > end) throw cutShort()
        length = source.readUIntLE(at, extra)
        at += extra
      }
      length += 1
      if (at + length > end || written + length > limit) throw cutShort()
      written = copyBytes(source, at, at + length, target, written)
      at += length
      continue
    }
    let length = (tag >> 2) + 1
    let distance: number
    if (kind === 1) {
      if (at + 1 > end) throw cutShort()
      length = ((tag >> 2) & 7) + 4
      distance = ((tag >> 5) << 8) | source[at++]!
    } else if (kind === 2) {
      if (at + 2 > end) throw cutShort()
      distance = source[at]! | (source[at + 1]! << 8)
      at += 2
    } else {
      if (at + 4 > end) throw cutShort()
      distance = source.readUInt32LE(at)
      at += 4
    }
    if (distance === 0 || distance > written - from || written + length > limit) throw cutShort()
    written = repeatBytes(target, written, distance, length)
  }
  if (written !== limit) throw cutShort()
  output.length = written
}

function cutShort(): Error {
  return malformed('a snappy block is not what it says it is')
}
