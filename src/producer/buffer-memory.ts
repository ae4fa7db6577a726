import type { Clock, Timer } from '../runtime/clock.js'

/** Somebody who waits for memory. */
export interface MemoryWaiter {
  /** How much it needs next. */
  readonly bytes: number
  /** There is room and it was taken. Says whether it waits for more, at the same place in the line. */
  enter(): 'done' | 'waits-for-more'
  /** It waited too long, or the producer closes. */
  turnedAway(reason: 'too-long' | 'closed'): void
}

interface Place {
  readonly waiter: MemoryWaiter
  /** What it needed when it came. */
  readonly bytes: number
  timer: Timer
}

/**
 * A bounded amount of memory with a waiting line. Whoever comes while others wait joins the end of the line, even if
 * there were room for it: that keeps the order of sends.
 *
 * | line       | `tryTake`        | `release`                                  |
 * |------------|------------------|--------------------------------------------|
 * | empty      | if there is room | –                                          |
 * | standing   | refused          | lets in the first ones, as far as they fit |
 * | letting-in | refused          | is seen by the one who lets in             |
 *
 * Whoever enters may give memory back before it is in, or send more: it is still at its place, so nobody passes it, and
 * nobody enters twice.
 */
export class BufferMemory {
  readonly #capacityBytes: number
  readonly #maxBlockMs: number
  readonly #clock: Clock
  /** First come, first served. */
  readonly #line = new Map<MemoryWaiter, Place>()
  /** For each who waits for the line to pass: the places that were before them. */
  readonly #watchers = new Set<{ readonly before: Set<Place>; readonly passed: () => void }>()
  #usedBytes = 0
  #waitingBytes = 0
  #lettingIn = false

  constructor(capacityBytes: number, maxBlockMs: number, clock: Clock) {
    this.#capacityBytes = capacityBytes
    this.#maxBlockMs = maxBlockMs
    this.#clock = clock
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get waiting(): number {
    return this.#line.size
  }

  tryTake(bytes: number): boolean {
    if (this.#line.size > 0 || !this.#fits(bytes)) return false
    this.#usedBytes += bytes
    return true
  }

  /** Took it already, room or not: whoever comes waits until as much is free again. */
  overdraw(bytes: number): void {
    this.#usedBytes += bytes
  }

  /** Joins the line for at most `maxBlockMs`. False when the line itself holds as much again as the buffer may. */
  wait(waiter: MemoryWaiter): boolean {
    const { bytes } = waiter
    if (this.#line.size > 0 && this.#waitingBytes + bytes > this.#capacityBytes) return false
    const place: Place = { waiter, bytes, timer: this.#limit(() => this.#turnAway(place)) }
    this.#waitingBytes += bytes
    this.#line.set(waiter, place)
    return true
  }

  /** It waits no longer, and takes nothing. */
  leave(waiter: MemoryWaiter): void {
    const place = this.#line.get(waiter)
    if (place === undefined) return
    this.#leave(place)
    this.#letIn()
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes
    this.#letIn()
  }

  /** Resolves when everyone who waits now is in or was turned away. */
  async linePassed(): Promise<void> {
    if (this.#line.size === 0) return
    await new Promise<void>((passed) => {
      this.#watchers.add({ before: new Set(this.#line.values()), passed })
    })
  }

  turnAllAway(): void {
    for (const place of [...this.#line.values()]) {
      this.#leave(place)
      place.waiter.turnedAway('closed')
    }
  }

  #letIn(): void {
    if (this.#lettingIn) return
    this.#lettingIn = true
    try {
      for (const place of this.#line.values()) {
        while (this.#line.has(place.waiter)) {
          if (!this.#fits(place.waiter.bytes)) return
          this.#enter(place)
        }
      }
    } finally {
      this.#lettingIn = false
    }
  }

  #enter(place: Place): void {
    this.#usedBytes += place.waiter.bytes
    if (place.waiter.enter() === 'done') this.#leave(place)
    else this.#renew(place)
  }

  /** One that is too large for the whole buffer still passes when it is alone. */
  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#capacityBytes
  }

  #renew(place: Place): void {
    place.timer.cancel()
    place.timer = this.#limit(() => this.#turnAway(place))
  }

  #turnAway(place: Place): void {
    this.#leave(place)
    place.waiter.turnedAway('too-long')
    this.#letIn()
  }

  #leave(place: Place): void {
    place.timer.cancel()
    this.#line.delete(place.waiter)
    this.#waitingBytes -= place.bytes
    for (const watcher of this.#watchers) {
      watcher.before.delete(place)
      if (watcher.before.size > 0) continue
      this.#watchers.delete(watcher)
      watcher.passed()
    }
  }

  #limit(action: () => void): Timer {
    return this.#clock.setTimer(this.#maxBlockMs, action)
  }
}
