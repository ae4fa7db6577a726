import type { Socket } from 'node:net'
import type { Clock } from '../../runtime/clock.js'

type Flushed = (error?: Error | null) => void

/** Larger frames go out piece by piece, so that their progress can be seen. */
const largeBytes = 262_144
const pieceBytes = 65_536

/**
 * Writes frames to a socket in order. The system takes a small frame at once; of a large one it takes as much as the link
 * carries, and each piece it took is a sign that the link works. What it has taken it may still hold for a while: as long
 * as the pieces before took, by their rate.
 */
export class FrameWriter {
  readonly #socket: Socket
  readonly #clock: Clock
  /** Pieces that wait behind the one that is going out. */
  #waiting: { readonly bytes: Buffer; readonly flushed: Flushed | undefined }[] = []
  #isSending = false
  #progressAt = -Infinity
  readonly #rate: LinkRate

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
    this.#rate = new LinkRate(clock)
  }

  get isSending(): boolean {
    return this.#isSending
  }

  /** When the link last took something of a large frame, or will have carried it by the rate that was seen. */
  get progressAt(): number {
    return this.#progressAt
  }

  write(frame: readonly Buffer[], flushed?: Flushed): void {
    if (!this.#isSending && sizeOf(frame) < largeBytes) return this.#writeAtOnce(frame, flushed)
    const last = frame.length - 1
    frame.forEach((bytes, index) => this.#cut(bytes, index === last ? flushed : undefined))
    if (this.#isSending) return
    this.#isSending = true
    this.#rate.start()
    this.#writeNext()
  }

  #writeAtOnce(frame: readonly Buffer[], flushed: Flushed | undefined): void {
    const last = frame.length - 1
    this.#socket.cork()
    for (let index = 0; index < last; index++) this.#socket.write(frame[index]!)
    this.#socket.write(frame[last]!, flushed)
    this.#socket.uncork()
  }

  #cut(bytes: Buffer, flushed: Flushed | undefined): void {
    let start = 0
    for (; bytes.length - start > pieceBytes; start += pieceBytes) {
      this.#waiting.push({ bytes: bytes.subarray(start, start + pieceBytes), flushed: undefined })
    }
    this.#waiting.push({ bytes: bytes.subarray(start), flushed })
  }

  #writeNext(): void {
    const pieces = this.#waiting
    let size = 0
    let count = 0
    while (count < pieces.length && size < pieceBytes) size += pieces[count++]!.bytes.length
    if (count === 0) {
      this.#isSending = false
      this.#progressAt = this.#clock.now() + this.#rate.heldMs()
      return
    }
    const out = pieces.splice(0, count)
    this.#socket.cork()
    for (let index = 0; index < count - 1; index++) this.#socket.write(out[index]!.bytes, out[index]!.flushed)
    this.#socket.write(out[count - 1]!.bytes, (error) => {
      out[count - 1]!.flushed?.(error)
      // A socket that failed tells its session, which writes no more.
      if (error) return
      this.#progressAt = this.#clock.now()
      this.#rate.took(size)
      this.#writeNext()
    })
    this.#socket.uncork()
  }
}

/** What the system took at once lies in its buffers; what it took later it could take because the link carried as much. */
class LinkRate {
  readonly #clock: Clock
  #startedAt = 0
  #atOnceBytes = 0
  #laterBytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  start(): void {
    this.#startedAt = this.#clock.now()
    this.#atOnceBytes = 0
    this.#laterBytes = 0
  }

  took(bytes: number): void {
    if (this.#laterBytes === 0 && this.#clock.now() - this.#startedAt < burstMs) this.#atOnceBytes += bytes
    else this.#laterBytes += bytes
  }

  /** How long what is in the buffers needs; 0 when the link was never the bottleneck. */
  heldMs(): number {
    if (this.#laterBytes === 0) return 0
    const carriedMs = this.#clock.now() - this.#startedAt
    return Math.min(longestHeldMs, (this.#atOnceBytes / this.#laterBytes) * carriedMs)
  }
}

const burstMs = 50
const longestHeldMs = 60_000

function sizeOf(frame: readonly Buffer[]): number {
  let size = 0
  for (const bytes of frame) size += bytes.length
  return size
}
