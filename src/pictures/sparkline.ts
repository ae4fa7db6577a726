import { max } from 'd3-array'
import { scaleLinear } from 'd3-scale'
import { element, nothing } from './markup.js'
import { picture } from './picture.js'
import { lastKnown, pathOf, type Point } from './series.js'
import type { Theme, Token } from './theme.js'

export interface Sparkline {
  readonly sentence: string
  readonly points: readonly Point[]
  readonly from: number
  readonly to: number
  readonly tone: Token
}

const height = 24
const inset = 3

/** A line as high as a line of text, from 0 to its own greatest value, with a dot where it stands now. */
export function sparkline({ sentence, points, from, to, tone }: Sparkline, theme: Theme, width: number): string {
  const greatest = max(points, ([, value]) => value) ?? 0
  const x = scaleLinear([from, to > from ? to : from + 1], [inset, width - inset])
  const y = scaleLinear([0, Math.max(1, greatest)], [height - inset, inset])
  const last = lastKnown(points)
  return picture(sentence, width, height, [
    element('rect', { x: 0, y: height - 1, width, height: 1, fill: theme.line }),
    element('path', {
      d: pathOf(points, x, y),
      fill: 'none',
      stroke: theme[tone],
      'stroke-width': 2,
      'stroke-linejoin': 'round',
      'stroke-linecap': 'round',
    }),
    last === undefined ? nothing : element('circle', { cx: x(last[0]), cy: y(last[1]), r: 2.5, fill: theme[tone] }),
  ])
}
