import { malformed } from '../wire-error.js'
import { copyBytes, repeatBytes } from './copies.js'
import { GrowingOutput } from './growing-output.js'
import { MatchFinder } from './match-finder.js'

/** LZ4 frames as Java's client writes them: independent blocks of 64 KiB, no checksums but the header's. Every frame is read. */
const frameMagic = 0x184d2204
const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])
const blockBytes = 65_536
const isRaw = 0x80000000

/** A block ends in literals, and its last match begins so far before its end. */
const lastLiterals = 5
const matchLimit = 12

export function compressLz4(bytes: Buffer): Buffer {
  const output = new GrowingOutput(header.length + 8 + largestBlock(Math.min(bytes.length, blockBytes)))
  output.append(header)
  const matches = new MatchFinder(bytes, blockBytes)
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const end = Math.min(bytes.length, start + blockBytes)
    output.reserve(4 + largestBlock(end - start))
    const sizeAt = output.length
    const written = compressBlock(bytes, start, end, matches, output.bytes, sizeAt + 4) - sizeAt - 4
    const packs = written < end - start
    if (!packs) bytes.copy(output.bytes, sizeAt + 4, start, end)
    const size = packs ? written : end - start
    output.bytes.writeUInt32LE(packs ? size : size + isRaw, sizeAt)
    output.length = sizeAt + 4 + size
  }
  output.append(Buffer.alloc(4))
  return output.done()
}

function largestBlock(size: number): number {
  return size + Math.ceil(size / 255) + 16
}

function compressBlock(
  source: Buffer,
  start: number,
  end: number,
  matches: MatchFinder,
  target: Buffer,
  writeAt: number,
): number {
  matches.startBlock(start)
  let at = writeAt
  let literalFrom = start
  let position = start
  let missed = 64
  while (position < end - matchLimit) {
    const match = matches.lastMatch(position)
    if (match === -1 || position - match > 0xffff) {
      // Data that does not repeat is passed in longer and longer steps.
      position += missed++ >> 6
      continue
    }
    missed = 64
    const length = matches.matchLength(match, position, end - lastLiterals)
    at = writeLiterals(source, literalFrom, position, target, at, length - 4)
    const distance = position - match
    target[at++] = distance & 0xff
    target[at++] = distance >> 8
    if (length - 4 >= 15) at = writeLength(target, at, length - 4 - 15)
    position += length
    literalFrom = position
    if (position < end - matchLimit) matches.note(position - 2)
  }
  return writeLiterals(source, literalFrom, end, target, at, 0)
}

function writeLength(target: Buffer, writeAt: number, length: number): number {
  let at = writeAt
  let rest = length
  for (; rest >= 255; rest -= 255) target[at++] = 255
  target[at++] = rest
  return at
}

/** The token and the literals before a match. @param matched length of the match beyond 4; 0 also at the end of the block */
function writeLiterals(
  source: Buffer,
  from: number,
  to: number,
  target: Buffer,
  writeAt: number,
  matched: number,
): number {
  const literals = to - from
  let at = writeAt
  target[at++] = (Math.min(literals, 15) << 4) | Math.min(matched, 15)
  if (literals >= 15) at = writeLength(target, at, literals - 15)
  return copyBytes(source, from, to, target, at)
}

export function decompressLz4(bytes: Buffer): Buffer {
  const output = new GrowingOutput(bytes.length * 4)
  let at = 0
  do at = readFrame(bytes, at, output)
  while (at < bytes.length)
  return output.done()
}

/** @returns where the next frame begins */
function readFrame(bytes: Buffer, start: number, output: GrowingOutput): number {
  if (start + 7 > bytes.length || bytes.readUInt32LE(start) !== frameMagic) throw broken('no LZ4 frame')
  const flags = bytes[start + 4]!
  if (flags >> 6 !== 1) throw broken('another version')
  const sizeCode = (bytes[start + 5]! >> 4) & 7
  if (sizeCode < 4) throw broken('an impossible block size')
  const largest = 1 << (8 + 2 * sizeCode)
  const [linked, blockChecksums, hasSize] = [(flags & 0x20) === 0, (flags & 0x10) !== 0, (flags & 0x08) !== 0]
  const [hasChecksum, hasDictionary] = [(flags & 0x04) !== 0, (flags & 0x01) !== 0]
  if (hasDictionary) throw broken('a dictionary')
  const frameFrom = output.length
  // Checksums need no look: the batch has one of its own.
  let at = start + 7 + (hasSize ? 8 : 0)
  for (;;) {
    if (at + 4 > bytes.length) throw broken('no end')
    const word = bytes.readUInt32LE(at)
    at += 4
    if (word === 0) return at + (hasChecksum ? 4 : 0)
    const size = word & 0x7fffffff
    if (size > largest || at + size > bytes.length) throw broken('a block that is too long')
    if (word >= isRaw) output.append(bytes.subarray(at, at + size))
    else readBlock(bytes, at, at + size, output, largest, linked ? frameFrom : output.length)
    at += size + (blockChecksums ? 4 : 0)
  }
}

/** A byte of length stands for at most so many. */
const bytesForOne = 255

/** @param oldest what a match may refer back to at most */
function readBlock(source: Buffer, start: number, end: number, output: GrowingOutput, largest: number, oldest: number) {
  const room = Math.min(largest, (end - start) * bytesForOne)
  output.reserve(room)
  const target = output.bytes
  const limit = output.length + room
  let written = output.length
  let at = start
  while (at < end) {
    const token = source[at++]!
    let literals = token >> 4
    if (literals === 15) {
      let more: number
      do {
        if (at >= end) throw broken('a length without an end')
        literals += more = source[at++]!
      } while (more === 255)
    }
    if (at + literals > end || written + literals > limit) throw broken('literals beyond its end')
    written = copyBytes(source, at, at + literals, target, written)
    at += literals
    if (at >= end) break
    if (at + 2 > end) throw broken('half a match')
    const distance = source[at]! | (source[at + 1]! << 8)
    at += 2
    let length = (token & 15) + 4
    if (length === 19) {
      let more: number
      do {
        if (at >= end) throw broken('a length without an end')
        length += more = source[at++]!
      } while (more === 255)
    }
    if (distance === 0 || distance > written - oldest || written + length > limit) {
      throw broken('a match out of its block')
    }
    written = repeatBytes(target, written, distance, length)
  }
  output.length = written
}

function broken(what: string): Error {
  return malformed(`an LZ4 frame with ${what}`)
}
