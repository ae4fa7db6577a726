import type { Timer } from '../../runtime/clock.js'

export interface QueuedTimer extends Timer {
  readonly time: number
  readonly order: number
  /** `null` once fired or cancelled. */
  callback: (() => void) | null
}

/** Timers by (time, order of creation), as a binary heap. Cancelled ones stay until they surface or outnumber the rest. */
export class TimerQueue {
  #heap: QueuedTimer[] = []
  #created = 0
  #cancelled = 0

  /** Timers that will still fire. */
  get size(): number {
    return this.#heap.length - this.#cancelled
  }

  add(time: number, callback: () => void): QueuedTimer {
    this.#created += 1
    const timer: QueuedTimer = { time, order: this.#created, callback, cancel: () => this.#cancel(timer) }
    this.#heap.push(timer)
    this.#siftUp(this.#heap.length - 1)
    return timer
  }

  /** When the next timer fires; `undefined` when there is none. */
  nextTime(): number | undefined {
    while (this.#heap.length > 0 && this.#heap[0]!.callback === null) {
      this.#removeTop()
      this.#cancelled -= 1
    }
    return this.#heap[0]?.time
  }

  /** Takes the next timer's callback out; call only after `nextTime` gave a time. */
  take(): () => void {
    const timer = this.#removeTop()
    const callback = timer.callback!
    timer.callback = null
    return callback
  }

  #cancel(timer: QueuedTimer): void {
    if (timer.callback === null) return
    timer.callback = null
    this.#cancelled += 1
    if (this.#cancelled > 1_000 && this.#cancelled * 2 > this.#heap.length) this.#sweep()
  }

  #sweep(): void {
    // A sorted array is a valid heap.
    this.#heap = this.#heap.filter((timer) => timer.callback !== null).sort((a, b) => (isBefore(a, b) ? -1 : 1))
    this.#cancelled = 0
  }

  #removeTop(): QueuedTimer {
    const top = this.#heap[0]!
    const last = this.#heap.pop()!
    if (this.#heap.length > 0) {
      this.#heap[0] = last
      this.#siftDown(0)
    }
    return top
  }

  #siftUp(start: number): void {
    const heap = this.#heap
    const timer = heap[start]!
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(timer, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = timer
  }

  #siftDown(start: number): void {
    const heap = this.#heap
    const timer = heap[start]!
    let index = start
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, timer)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = timer
  }
}

function isBefore(a: QueuedTimer, b: QueuedTimer): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order)
}
