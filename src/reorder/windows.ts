import { ConfigError, type ConfigIssue } from '../errors.js'
import { isPromised } from '../input/asynchronous.js'
import { came } from '../input/came.js'
import { IndexHeap } from './index-heap.js'
import { requireOptions } from './named-options.js'

/** What is made of the values of one window. */
export interface Aggregate<Value, Sum> {
  /** Of no value; made anew for each window. */
  readonly empty: () => Sum
  readonly add: (sum: Sum, value: Value) => Sum
  /** Windows of different keys are apart. Default: one for all. */
  readonly keyOf?: ((value: Value) => string) | undefined
}

/** How `tumblingWindows` divides time; sizes in milliseconds. */
export interface TumblingOptions<Value, Sum> extends Aggregate<Value, Sum> {
  readonly sizeMs: number
  /** Windows begin at multiples of their distance since the Unix epoch, and so much later. Default 0. */
  readonly offsetMs?: number | undefined
}

/** How `slidingWindows` divides time; sizes in milliseconds. */
export interface SlidingOptions<Value, Sum> extends TumblingOptions<Value, Sum> {
  /** A window begins every so often; a value is in `sizeMs / everyMs` of them. */
  readonly everyMs: number
}

/** A window whose time is over: nothing is added to it any more. */
export interface ClosedWindow<Sum> {
  readonly key: string
  /** Its first millisecond, since the Unix epoch. */
  readonly from: number
  /** The first one behind it. */
  readonly to: number
  readonly sum: Sum
}

const names = ['sizeMs', 'offsetMs', 'empty', 'add', 'keyOf'] as const

/** More of them would be a slip of the pen: each value is added to all. */
const mostOverlaps = 10_000

/**
 * Windows of event time, closed by the watermark. Pure: `add` what comes, `advance` when the watermark has moved, for example
 * in `onWatermark`. They live in the process: after a crash, or when a partition has moved, what was open is gone with it, so
 * keep sums where that matters in a store.
 *
 * @example
 * const perMinute = tumblingWindows({ sizeMs: 60_000, empty: () => 0, add: (sum, { value }: Reading) => sum + value })
 * // handle: perMinute.add(context.order.timestamp, message.value)
 * // onWatermark: for (const { from, sum } of perMinute.advance(watermark)) …
 */
export class Windows<Value, Sum> {
  readonly #options: SlidingOptions<Value, Sum>
  readonly #offsetMs: number
  /** By their first millisecond, then by key. */
  readonly #open = new Map<number, Map<string, Sum>>()
  readonly #starts = new IndexHeap()
  /** Windows that end by then are closed. */
  #closedThrough = -Infinity

  /** @internal */
  constructor(options: SlidingOptions<Value, Sum>) {
    this.#options = options
    this.#offsetMs = options.offsetMs ?? 0
  }

  /** Windows that hold something, all keys counted. */
  get open(): number {
    let open = 0
    for (const keys of this.#open.values()) open += keys.size
    return open
  }

  /**
   * Adds a value to its windows that are open; `late` when none is: do with it what the policy for late records says.
   *
   * @throws ConfigError on a time that is no number, and when the option `add` gives back nothing, or a promise
   */
  add(timestamp: number, value: Value): 'added' | 'late' {
    if (!Number.isFinite(timestamp)) throw noTime('add', 'timestamp', timestamp)
    const { sizeMs, everyMs } = this.#options
    let answer: 'added' | 'late' = 'late'
    const last = Math.floor((timestamp - this.#offsetMs) / everyMs) * everyMs + this.#offsetMs
    for (let from = last; from > timestamp - sizeMs; from -= everyMs) {
      if (from + sizeMs - 1 <= this.#closedThrough) break
      this.#addTo(from, value)
      answer = 'added'
    }
    return answer
  }

  /**
   * Closes the windows that end by the watermark and hands them out, the oldest first. A watermark that goes back closes none,
   * `Infinity` closes all.
   *
   * @throws ConfigError on a watermark that is no number
   */
  advance(watermark: number): readonly ClosedWindow<Sum>[] {
    if (typeof watermark !== 'number' || Number.isNaN(watermark)) throw noTime('advance', 'watermark', watermark)
    const { sizeMs } = this.#options
    if (watermark > this.#closedThrough) this.#closedThrough = watermark
    const closed: ClosedWindow<Sum>[] = []
    for (let from = this.#starts.least; from !== undefined; from = this.#starts.least) {
      if (from + sizeMs - 1 > this.#closedThrough) break
      this.#starts.pop()
      for (const [key, sum] of this.#open.get(from) ?? []) closed.push({ key, from, to: from + sizeMs, sum })
      this.#open.delete(from)
    }
    return closed
  }

  /** Forgets what is open, for example when partitions were taken away; what is closed stays closed. */
  clear(): void {
    this.#open.clear()
    this.#starts.clear()
  }

  #addTo(from: number, value: Value): void {
    const { empty, add, keyOf } = this.#options
    const key = keyOf === undefined ? '' : keyOf(value)
    let keys = this.#open.get(from)
    const sum = add(keys?.has(key) ? (keys.get(key) as Sum) : empty(), value)
    if (sum === undefined || isPromised(sum)) throw noSum(sum)
    if (keys === undefined) {
      keys = new Map()
      this.#open.set(from, keys)
      this.#starts.push(from)
    }
    keys.set(key, sum)
  }
}

/** Windows side by side: each value is in one. @throws ConfigError on sizes that are none */
export function tumblingWindows<Value, Sum>(options: TumblingOptions<Value, Sum>): Windows<Value, Sum> {
  const { sizeMs } = requireOptions('tumblingWindows', options, names)
  return windowsOf('tumblingWindows', { ...options, everyMs: sizeMs })
}

/** Windows that overlap: one begins every `everyMs`. @throws ConfigError on sizes that are none */
export function slidingWindows<Value, Sum>(options: SlidingOptions<Value, Sum>): Windows<Value, Sum> {
  return windowsOf('slidingWindows', requireOptions('slidingWindows', options, [...names, 'everyMs']))
}

/** At a call, not at the making: what came may be told by its kind alone. */
function noTime(call: string, path: string, value: unknown): ConfigError {
  const fix = 'write ms since the Unix epoch as a number'
  return new ConfigError(`windows.${call}`, [{ path, message: came(value), fix }])
}

function noSum(sum: unknown): ConfigError {
  const message = sum === undefined ? 'gave nothing back' : 'gave a promise back'
  return new ConfigError('windows.add', [{ path: 'add', message, fix: 'return the new sum, at once' }])
}

function windowsOf<Value, Sum>(call: string, options: SlidingOptions<Value, Sum>): Windows<Value, Sum> {
  const { sizeMs, everyMs, offsetMs = 0, empty, add, keyOf } = options
  const issues: ConfigIssue[] = []
  const refuse = (path: string, value: unknown, fix: string) => issues.push({ path, message: came(value), fix })
  const isLength = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0
  if (!isLength(sizeMs)) refuse('sizeMs', sizeMs, 'write a whole number of milliseconds, at least 1')
  else if (!isLength(everyMs) || everyMs > sizeMs || sizeMs / everyMs > mostOverlaps) {
    refuse(
      'everyMs',
      everyMs,
      `write a whole number of milliseconds from ${Math.ceil(sizeMs / mostOverlaps)} to sizeMs, ${sizeMs}`,
    )
  }
  if (!Number.isSafeInteger(offsetMs)) refuse('offsetMs', offsetMs, 'write a whole number of milliseconds')
  if (typeof empty !== 'function') refuse('empty', empty, 'write a function that gives the sum of no value')
  if (typeof add !== 'function') refuse('add', add, 'write a function (sum, value)')
  if (keyOf !== undefined && typeof keyOf !== 'function') refuse('keyOf', keyOf, 'write a function of the value')
  if (issues.length > 0) throw new ConfigError(call, issues)
  return new Windows(options)
}
