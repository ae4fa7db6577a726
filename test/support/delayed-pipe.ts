import type { Socket } from 'node:net'

/** Past this many waiting bytes the source is asked to stop sending. */
const highMarkBytes = 16 * 1024 * 1024

/** One direction of a connection: writes in order, each no sooner than `delayMs()` after it came. */
export class DelayedPipe {
  readonly #waiting: { readonly dueAt: number; readonly chunk: Buffer | 'end' }[] = []
  #waitingBytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly source: Socket,
    private readonly sink: Socket,
    private readonly delayMs: () => number,
  ) {
    sink.on('drain', () => this.#resume())
    sink.once('close', () => clearTimeout(this.#timer))
  }

  write(chunk: Buffer): void {
    if (chunk.length === 0) return
    const delayMs = this.delayMs()
    if (delayMs === 0 && this.#waiting.length === 0) return this.#writeNow(chunk)
    this.#enqueue(chunk, delayMs)
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes > highMarkBytes) this.source.pause()
  }

  end(): void {
    if (this.#waiting.length === 0) this.sink.destroySoon()
    else this.#enqueue('end', 0)
  }

  #enqueue(chunk: Buffer | 'end', delayMs: number): void {
    const dueAt = Math.max(performance.now() + delayMs, this.#waiting.at(-1)?.dueAt ?? 0)
    this.#waiting.push({ dueAt, chunk })
    if (this.#waiting.length === 1) this.#schedule()
  }

  #schedule(): void {
    const next = this.#waiting[0]
    if (next !== undefined) this.#timer = setTimeout(() => this.#flush(), Math.max(0, next.dueAt - performance.now()))
  }

  #flush(): void {
    const now = performance.now()
    let due = 0
    for (const { dueAt, chunk } of this.#waiting) {
      if (dueAt > now) break
      due++
      if (chunk === 'end') this.sink.destroySoon()
      else {
        this.#waitingBytes -= chunk.length
        this.#writeNow(chunk)
      }
    }
    this.#waiting.splice(0, due)
    this.#resume()
    this.#schedule()
  }

  #writeNow(chunk: Buffer): void {
    if (this.sink.destroyed || !this.sink.writable) return
    if (!this.sink.write(chunk)) this.source.pause()
  }

  #resume(): void {
    if (this.#waitingBytes <= highMarkBytes && !this.sink.writableNeedDrain) this.source.resume()
  }
}
