import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { builtInCodecs, builtInProblem } from '../../../src/wire/compression.js'
import { decompressInJavaScript } from '../../../src/wire/codecs/zstd.js'
import { WireError } from '../../../src/wire/wire-error.js'

const written = (['gzip', 'snappy', 'lz4', 'zstd'] as const).filter((codec) => builtInProblem(codec) === null)

/** Repetitive and random stretches, over the borders of blocks. */
const contents = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(3_000)).map(([unit, times]) => {
        return Buffer.concat(Array.from({ length: times }, () => unit))
      }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts))

describe.each(written)('%s', (name) => {
  const codec = builtInCodecs(name)

  it('gives back whatever it packed', async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (bytes) => {
        expect((await codec.decompress(await codec.compress(bytes))).equals(bytes)).toBe(true)
      }),
      { numRuns: 150 },
    )
  })

  it('packs what repeats, and makes nothing much larger', async () => {
    const text = Buffer.from(JSON.stringify(Array.from({ length: 2_000 }, (_, id) => ({ id, sensor: 'cpu.load' }))))
    expect((await codec.compress(text)).length).toBeLessThan(text.length / 3)
    const random = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, at) => Math.imul(at + 1, 0x9e3779b1) >>> 24))
    expect((await codec.compress(random)).length).toBeLessThan(random.length * 1.1)
  })

  it('refuses bytes that are broken instead of reading past them, whatever is broken', async () => {
    const packed = await codec.compress(Buffer.from('tidemark '.repeat(2_000)))
    await fc.assert(
      fc.asyncProperty(fc.nat(packed.length - 1), fc.nat(255), fc.nat(packed.length), async (at, byte, length) => {
        const broken = Buffer.from(packed.subarray(0, length))
        if (at < length) broken[at] = byte
        const end = await Promise.resolve()
          .then(() => codec.decompress(broken))
          .catch((error: unknown) => error)
        expect(Buffer.isBuffer(end) || end instanceof Error).toBe(true)
      }),
      { numRuns: 400 },
    )
  })
})

describe('what other writers make', () => {
  // Made with the reference tools: "tidemark tidemark tidemark tidemark\n" repeated 20 times.
  const text = Buffer.from('tidemark tidemark tidemark tidemark\n'.repeat(20))

  it('is read: a bare snappy block, as clients beside Java write', () => {
    // Length 11, literal "tidemark ", then a copy of two bytes from nine back.
    const bare = Buffer.from([11, 8 << 2, ...Buffer.from('tidemark '), (1 << 2) | 2, 9, 0])
    expect(builtInCodecs('snappy').decompress(bare).toString()).toBe('tidemark ti')
  })

  it('is read: LZ4 frames with linked blocks, checksums and sizes, one after another', () => {
    const frame = Buffer.from(lz4Frame, 'base64')
    expect(builtInCodecs('lz4').decompress(frame).toString()).toBe(text.toString())
    expect(
      builtInCodecs('lz4')
        .decompress(Buffer.concat([frame, frame]))
        .toString(),
    ).toBe(text.toString().repeat(2))
  })

  it('is read: Zstandard without help of Node', () => {
    const frame = Buffer.from(zstdFrame, 'base64')
    expect(decompressInJavaScript(frame).toString()).toBe(text.toString())
    expect(decompressInJavaScript(Buffer.concat([frame, frame])).toString()).toBe(text.toString().repeat(2))
    expect(() => decompressInJavaScript(frame.subarray(0, frame.length - 4))).toThrow(WireError)
  })

  it('and claims more than memory should be given for is refused', () => {
    const claim = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1])
    expect(() => builtInCodecs('snappy').decompress(claim)).toThrow(WireError)
  })
})

const lz4Frame = 'BCJNGHRAvSEAAACfdGlkZW1hcmsgCQAHHwobAAcFNgAPJAD//3NQbWFyawq9wCdqAAAAAGJPGwc='
const zstdFrame =
  'KLUv/QRYTQMABAN0aWRlbWFyayAKIAogCiAKIAogCiAKIAogCiAKIAogCiAKIAogCiAKIAogCiAKIAonIODXVt6z7BV7L7PynmWv2HuZlfcse8Xey6x4z7JX7L3MynuWvWLvZVbes+wVey+zot9LOx0B68YHIQ=='
