import { line } from 'd3-shape'

/** A value at a moment; `undefined` where it is not known. */
export type Point = readonly [at: number, value: number | undefined]

type Known = readonly [at: number, value: number]

/**
 * No more points than can be seen: of each pixel column the first, the least, the greatest and the last, in their order.
 * A gap stays a gap, unless the column has what is known on both sides of it.
 */
function reduced(points: readonly Point[], columnOf: (at: number) => number): readonly Point[] {
  const kept: Point[] = []
  let column = NaN
  let run: Known[] = []
  let gap: Point | undefined
  const flush = () => {
    kept.push(...extremes(run))
    run = []
  }
  for (const point of points) {
    const [at, value] = point
    if (value === undefined) {
      gap ??= point
      continue
    }
    const here = Math.floor(columnOf(at))
    if (here !== column) flush()
    if (here !== column && gap !== undefined) kept.push(gap)
    column = here
    gap = undefined
    run.push([at, value])
  }
  flush()
  if (gap !== undefined) kept.push(gap)
  return kept
}

function extremes(run: readonly Known[]): readonly Known[] {
  if (run.length <= 4) return run
  let [least, greatest] = [0, 0]
  run.forEach(([, value], index) => {
    if (value < (run[least] as Known)[1]) least = index
    if (value > (run[greatest] as Known)[1]) greatest = index
  })
  return [...new Set([0, least, greatest, run.length - 1])]
    .sort((one, other) => one - other)
    .map((at) => run[at] as Known)
}

/** The path of a line, broken where nothing is known; what is known for a moment only is a dot, if ends are drawn round. */
export function pathOf(points: readonly Point[], x: (at: number) => number, y: (value: number) => number): string {
  const draw = line<Point>()
    .defined(([, value]) => value !== undefined)
    .x(([at]) => x(at))
    .y(([, value]) => y(value ?? NaN))
    .digits(1)
  return draw(reduced(points, x)) ?? ''
}

export function lastKnown(points: readonly Point[]): Known | undefined {
  return points.findLast((point): point is Known => point[1] !== undefined)
}
