import { malformed } from '../wire-error.js'
import { GrowingOutput, maxUnpackedBytes, tooMuch } from './growing-output.js'
import { forgetMatches, lastMatch } from './match-finder.js'

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
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const end = Math.min(bytes.length, start + blockBytes)
    output.reserve(4 + largestBlock(end - start))
    const lengthAt = output.length
    output.length = compressBlock(bytes, start, end, output.bytes, lengthAt + 4)
    output.bytes.writeInt32BE(output.length - lengthAt - 4, lengthAt)
  }
  return output.done()
}

export function decompressSnappy(bytes: Buffer): Buffer {
  if (bytes.length < headerBytes || !bytes.subarray(0, magic.length).equals(magic)) return decompressBlock(bytes)
  const output = new GrowingOutput(bytes.length * 4)
  let at = headerBytes
  while (at < bytes.length) {
    const length = at + 4 <= bytes.length ? bytes.readInt32BE(at) : -1
    at += 4
    if (length < 0 || at + length > bytes.length) throw malformed('a snappy block is longer than its batch')
    output.append(decompressBlock(bytes.subarray(at, at + length)))
    at += length
  }
  return output.done()
}

function largestBlock(size: number): number {
  return 32 + size + Math.ceil(size / 6)
}

/** Literals and copies of what came before in the block. */
function compressBlock(source: Buffer, start: number, end: number, target: Buffer, writeAt: number): number {
  let at = writeVarint(target, writeAt, end - start)
  forgetMatches()
  let literalFrom = start
  let position = start
  let missed = 32
  while (position < end - 4) {
    const match = lastMatch(source, position)
    if (match === -1) {
      // Data that does not repeat is passed in longer and longer steps.
      position += missed++ >> 5
      continue
    }
    missed = 32
    let length = 4
    while (position + length < end && source[match + length] === source[position + length]) length++
    at = writeLiteral(source, literalFrom, position, target, at)
    at = writeCopy(target, at, position - match, length)
    position += length
    literalFrom = position
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
  source.copy(target, at, from, to)
  return at + length
}

function writeCopy(target: Buffer, writeAt: number, offset: number, copied: number): number {
  let at = writeAt
  for (let left = copied; left > 0;) {
    const length = Math.min(left, 64)
    target[at++] = ((length - 1) << 2) | 2
    at = target.writeUInt16LE(offset, at)
    left -= length
  }
  return at
}

function decompressBlock(source: Buffer): Buffer {
  const { value: size, next } = readVarint(source)
  // A copy of 64 bytes takes two bytes at least.
  if (size > source.length * 64) throw malformed('a snappy block claims more than its bytes can hold')
  if (size > maxUnpackedBytes) throw tooMuch()
  const target = Buffer.allocUnsafe(size)
  let at = next
  let written = 0
  while (at < source.length) {
    const tag = source[at++]!
    const kind = tag & 3
    if (kind === 0) {
      let length = tag >> 2
      if (length >= 60) {
        const extra = length - 59
        if (at + extra > source.length) throw cutShort()
        length = source.readUIntLE(at, extra)
        at += extra
      }
      length += 1
      if (at + length > source.length || written + length > size) throw cutShort()
      source.copy(target, written, at, at + length)
      at += length
      written += length
      continue
    }
    const offsetBytes = kind === 3 ? 4 : kind
    if (at + offsetBytes > source.length) throw cutShort()
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    const offset = kind === 1 ? ((tag >> 5) << 8) | source[at]! : source.readUIntLE(at, offsetBytes)
    at += offsetBytes
    if (offset === 0 || offset > written || written + length > size) throw cutShort()
    // The copy may overlap what it writes, so byte by byte.
    for (let index = 0; index < length; index++, written++) target[written] = target[written - offset]!
  }
  if (written !== size) throw cutShort()
  return target
}

function readVarint(source: Buffer): { readonly value: number; readonly next: number } {
  let value = 0
  for (let at = 0; at < 5 && at < source.length; at++) {
    const byte = source[at]!
    value += (byte & 0x7f) * 2 ** (7 * at)
    if (byte < 0x80) return { value, next: at + 1 }
  }
  throw cutShort()
}

function cutShort(): Error {
  return malformed('a snappy block is not what it says it is')
}
