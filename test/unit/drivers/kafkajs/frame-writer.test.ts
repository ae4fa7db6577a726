import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { FrameWriter } from '../../../../src/drivers/kafkajs/frame-writer.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'

/** A socket whose system takes what was written when the test says. */
function link() {
  const clock = virtualClock()
  const written: Buffer[] = []
  const taken: (() => void)[] = []
  const socket = {
    cork: () => undefined,
    uncork: () => undefined,
    write(bytes: Buffer, flushed?: () => void) {
      written.push(bytes)
      if (flushed !== undefined) taken.push(flushed)
    },
  } as unknown as Socket
  const writer = new FrameWriter(socket, clock)
  return { clock, writer, written, take: () => taken.shift()?.() }
}

const numbered = (length: number) => Buffer.from(Uint8Array.from({ length }, (_, at) => at % 251))

describe('frames', () => {
  it('that are small go out at once, as they are', () => {
    const { writer, written } = link()
    const frame = [numbered(10), numbered(20)]
    writer.write(frame)
    expect(written).toEqual(frame)
    expect([writer.isSending, writer.progressAt]).toEqual([false, -Infinity])
  })

  it('that are large go out in pieces, each a sign that the link works, and those behind wait for their end', async () => {
    const { clock, writer, written, take } = link()
    const large = numbered(300_000)
    const small = numbered(9)
    let flushed = 0
    writer.write([numbered(4), large], () => (flushed += 1))
    writer.write([small])
    const signs: number[] = []
    while (writer.isSending) {
      await clock.advance(1_000)
      expect(written.at(-1)!.length).toBeLessThanOrEqual(65_536)
      take()
      signs.push(writer.progressAt)
    }
    expect(Buffer.concat(written)).toEqual(Buffer.concat([numbered(4), large, small]))
    expect(flushed).toBe(1)
    expect(signs.length).toBeGreaterThan(4)
    for (const [index, sign] of signs.slice(0, -1).entries()) expect(signs[index + 1]).toBeGreaterThanOrEqual(sign)
  })

  it('that the system took into its buffers are on their way for as long as the link needs for them', async () => {
    const { clock, writer, take } = link()
    writer.write([numbered(8 * 65_536)])
    for (let atOnce = 0; atOnce < 4; atOnce += 1) take()
    expect(writer.progressAt).toBe(clock.now())
    while (writer.isSending) {
      await clock.advance(1_000)
      take()
    }
    // Four pieces at once, four in as many seconds: what lies in the buffers needs about as long.
    expect(writer.progressAt - clock.now()).toBe(4_000)
  })
})
