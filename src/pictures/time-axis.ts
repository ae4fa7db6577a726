import { scaleLinear } from 'd3-scale'
import { timeText } from '../text/figures.js'
import { textSize } from './label.js'
import { textWidth } from './text-width.js'

/** What the axis counts: time since the beginning, or the time of day. */
export type Clock =
  | { readonly kind: 'elapsed' }
  /** `offsetMs` is added to UTC. */
  | { readonly kind: 'day'; readonly offsetMs: number }

export interface TimeRange {
  /** Milliseconds: since the beginning, or since 1970. */
  readonly from: number
  readonly to: number
  readonly clock: Clock
}

export interface Tick {
  readonly x: number
  readonly text: string
}

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const steps: readonly number[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((count) => count * second),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * minute),
  ...[1, 2, 3, 6, 12].map((count) => count * hour),
  ...[1, 2, 7, 14, 28, 56, 112, 224, 448].map((count) => count * day),
]
const between = 28

/** Pixels of a moment. */
export function timeScale({ from, to }: TimeRange, width: number): (at: number) => number {
  return scaleLinear([from, to > from ? to : from + 1], [0, width])
}

/** As many as have room beside each other. */
export function ticksOf(range: TimeRange, width: number): readonly Tick[] {
  const x = timeScale(range, width)
  const offset = range.clock.kind === 'day' ? range.clock.offsetMs : 0
  for (const step of steps) {
    if (((range.to - range.from) / step) * 20 > width) continue
    const first = Math.ceil((range.from + offset) / step) * step
    const ticks: Tick[] = []
    for (let at = first; at <= range.to + offset; at += step)
      ticks.push({ x: x(at - offset), text: momentText(at, step, range.clock) })
    if (haveRoom(ticks)) return ticks
  }
  return []
}

function haveRoom(ticks: readonly Tick[]): boolean {
  return ticks.every(({ x, text }, index) => {
    const next = ticks[index + 1]
    if (next === undefined) return true
    return next.x - x >= (textWidth(text, textSize.least) + textWidth(next.text, textSize.least)) / 2 + between
  })
}

function momentText(at: number, step: number, clock: Clock): string {
  if (clock.kind === 'elapsed') return at === 0 ? '0' : (timeText(at) ?? '')
  const iso = new Date(at).toISOString()
  if (step >= day) return iso.slice(0, 10)
  return iso.slice(11, step >= minute ? 16 : step >= second ? 19 : 23)
}
