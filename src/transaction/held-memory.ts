import type { SendError } from '../errors.js'
import { bufferFull } from '../producer/waiting-send.js'
import type { Clock, Timer } from '../runtime/clock.js'

export interface HeldMemoryLimits {
  /** Of all handlers of one consumer. */
  readonly bufferBytes: number
  /** How long one send may wait for room. */
  readonly maxBlockMs: number
}

/** A call whose sends are held. */
export type Holder = object

interface Waiting {
  readonly holder: Holder
  readonly bytes: number
  readonly enter: () => void
  readonly timer: Timer
}

/**
 * How much handlers of one consumer have sent that no transaction has taken yet. What finds it full waits, first come, first
 * served; but the call that holds something for longest always has room, else all could wait for what the others hold. So
 * it is bounded by `bufferBytes` and what one call may send.
 */
export class HeldMemory {
  readonly #limits: HeldMemoryLimits
  readonly #clock: Clock
  /** Those that hold something, longest first. */
  readonly #holders = new Set<Holder>()
  #line: Waiting[] = []
  #usedBytes = 0
  #waitingBytes = 0

  constructor(limits: HeldMemoryLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  tryTake(holder: Holder, bytes: number): boolean {
    const hasRoom = this.#line.length === 0 && this.#fits(bytes)
    if (!hasRoom && !this.#isFirst(holder)) return false
    this.#take(holder, bytes)
    return true
  }

  /** Until there is room, for at most `maxBlockMs`; at once an error when as much waits already as there may be. */
  wait(holder: Holder, bytes: number, topic: string, enter: () => void, onFull: (error: SendError) => void): void {
    const { bufferBytes, maxBlockMs } = this.#limits
    if (this.#line.length > 0 && this.#waitingBytes + bytes > bufferBytes) {
      onFull(bufferFull(topic, 'and as much again waiting'))
      return
    }
    const timer = this.#clock.setTimer(maxBlockMs, () => {
      this.#leave([waiting])
      onFull(bufferFull(topic, 'for maxBlockMs'))
      this.#letIn()
    })
    const waiting = { holder, bytes, enter, timer }
    this.#line.push(waiting)
    this.#waitingBytes += bytes
  }

  /** All that it holds, and whatever of it waits. */
  release(holder: Holder, bytes: number): void {
    this.#usedBytes -= bytes
    this.#holders.delete(holder)
    if (this.#line.length === 0) return
    this.#leave(this.#line.filter((waiting) => waiting.holder === holder))
    this.#letIn()
  }

  #letIn(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#leave([next])
      this.#take(next.holder, next.bytes)
      next.enter()
    }
  }

  #next(): Waiting | undefined {
    const [head] = this.#line
    if (head === undefined || this.#fits(head.bytes)) return head
    return this.#line.find(({ holder }) => this.#isFirst(holder))
  }

  #take(holder: Holder, bytes: number): void {
    this.#usedBytes += bytes
    this.#holders.add(holder)
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#limits.bufferBytes
  }

  #isFirst(holder: Holder): boolean {
    const [first] = this.#holders
    return first === holder
  }

  #leave(leaving: readonly Waiting[]): void {
    if (leaving.length === 0) return
    for (const { timer, bytes } of leaving) {
      timer.cancel()
      this.#waitingBytes -= bytes
    }
    this.#line = this.#line.filter((waiting) => !leaving.includes(waiting))
  }
}
