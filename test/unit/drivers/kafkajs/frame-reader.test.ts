import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameReader } from '../../../../src/drivers/kafkajs/frame-reader.js'

const frameOf = (body: Uint8Array) => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}
const chunked = (bytes: Buffer, cuts: readonly number[]) => {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length))
}

describe('frames', () => {
  it('come out whole and in order, however the stream is cut', () => {
    const bodies = fc.array(fc.uint8Array({ minLength: 4, maxLength: 300 }), { maxLength: 10 })
    fc.assert(
      fc.property(bodies, fc.array(fc.nat(), { maxLength: 20 }), (frames, cuts) => {
        const reader = new FrameReader()
        const taken: Buffer[] = []
        for (const chunk of chunked(Buffer.concat(frames.map(frameOf)), cuts)) {
          reader.push(chunk, (frame) => taken.push(Buffer.from(frame)) > 0)
        }
        expect(taken).toEqual(frames.map((frame) => Buffer.from(frame)))
      }),
    )
  })

  it('within one chunk are views, not copies', () => {
    const chunk = frameOf(Buffer.alloc(1_000))
    new FrameReader().push(chunk, (frame) => {
      expect(frame.buffer).toBe(chunk.buffer)
      return true
    })
  })

  it('stop when the taker says so', () => {
    let taken = 0
    const two = Buffer.concat([frameOf(Buffer.alloc(4)), frameOf(Buffer.alloc(4))])
    new FrameReader().push(two, () => ++taken < 1)
    expect(taken).toBe(1)
  })

  it('during a handshake may be small only, so nothing large is allocated for a stranger', () => {
    const push = (bytes: string) => () => new FrameReader().push(Buffer.from(bytes, 'latin1'), () => true)
    expect(push('HTTP/1.1')).toThrow(/speaks HTTP/)
    expect(push('SSH-2.0')).toThrow(/begins with the text "SSH-"/)
    expect(push('\x15\x03\x03\x00\x02')).toThrow(/speaks TLS/)
    expect(push('\x00\x20\x00\x00')).toThrow(/claims 2097152 bytes/)
    expect(push('\x00\x00\x00\x03')).toThrow(/claims 3 bytes/)
    expect(push('\xff\xff\xff\xff')).toThrow(/claims -1 bytes/)
  })
})
