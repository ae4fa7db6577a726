import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { crc32c } from '../../../../src/wire/crc32c/crc32c.js'
import { distances, span } from '../../../../src/wire/crc32c/folding-module.js'
import { openFolding } from '../../../../src/wire/crc32c/folding.js'
import { byTables } from '../../../../src/wire/crc32c/tables.js'

/** The definition, a bit at a time. */
function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = eightMore(crc ^ byte)
  return ~crc >>> 0
}

function eightMore(state: number): number {
  let crc = state
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
}

/** Bytes from a seed: more than `fc` makes in a moment. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed | 1
  for (let at = 0; at < length; at++) {
    state = Math.imul(state, 48_271) ^ (state >>> 15)
    bytes[at] = state >>> 8
  }
  return bytes
}

const anySeed = fc.integer({ min: 1, max: 1_000_000 })

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

describe('crc32c', () => {
  it('gives the check value of its definition and the vectors of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index)))).toBe(0x46dd794e)
    expect(crc32c(Buffer.alloc(0))).toBe(0)
  })

  it('is the bitwise sum at every length and alignment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), fc.nat(20), (array, before, after) => {
        const padded = Buffer.concat([Buffer.alloc(before, 1), array, Buffer.alloc(after, 2)])
        expect(crc32c(padded, before, before + array.length)).toBe(bitwise(array))
      }),
    )
  })

  it('is the bitwise sum of long bytes too, whatever came before them', () => {
    fc.assert(
      fc.property(anySeed, fc.nat(120_000), fc.nat(40), fc.nat(3_000), (seed, length, offset, first) => {
        const bytes = noise(offset + length + 7, seed)
        const end = offset + length
        const sum = bitwise(bytes.subarray(offset, end))
        expect(crc32c(bytes, offset, end)).toBe(sum)
        const border = Math.min(end, offset + first)
        expect(crc32c(bytes, border, end, crc32c(bytes, offset, border))).toBe(sum)
      }),
    )
  })

  it('is the same around each length at which it is made another way', () => {
    const bytes = noise(100_000, 7)
    const borders = [1_500, 32_768, 32_768 + span, 65_536, 65_536 + span]
    for (const length of borders.flatMap((border) => Array.from({ length: 41 }, (_, index) => border - 20 + index)))
      expect([length, crc32c(bytes, 3, 3 + length)]).toEqual([length, bitwise(bytes.subarray(3, 3 + length))])
  })

  it('is the same where there is no WebAssembly, or none with vectors', async () => {
    const bytes = noise(50_000, 11)
    const refused = {
      Module: class {
        constructor() {
          throw new Error('no vectors here')
        }
      },
    }
    for (const none of [undefined, refused]) {
      vi.stubGlobal('WebAssembly', none)
      vi.resetModules()
      const { crc32c: anew } = await import('../../../../src/wire/crc32c/crc32c.js')
      expect(anew(bytes)).toBe(bitwise(bytes))
    }
  })
})

describe('the folding of a checksum', () => {
  it('is there on every Node that is supported', () => {
    expect(openFolding()).not.toBeNull()
  })

  it('gives what tables give from any state, from its shortest length on', () => {
    const folding = openFolding()!
    fc.assert(
      fc.property(anySeed, fc.integer({ min: span, max: 4 * span }), fc.integer(), (seed, length, state) => {
        const bytes = noise(length, seed)
        expect(folding(bytes, 0, length, state)).toBe(byTables(bytes, 0, length, state))
      }),
    )
  })

  it('adds a byte at places that together weigh as much as its own', () => {
    const weights: number[] = [1]
    for (let behind = 1; behind <= span; behind++) weights.push(eightMore(weights.at(-1)!))
    const added = distances.map((distance) => weights[span - distance]!)
    expect(added.reduce((sum, weight) => sum ^ weight)).toBe(weights[span])
  })
})
