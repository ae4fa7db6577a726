import { label } from '../../../src/pictures/label.js'
import { element, nothing, type Markup } from '../../../src/pictures/markup.js'
import { picture } from '../../../src/pictures/picture.js'
import { variables as theme } from '../../../src/pictures/theme.js'
import { ticksOf } from '../../../src/pictures/time-axis.js'
import type { DrawnAlert, DrawnSeries } from './read-series.js'

const width = 1_200
const plotHeight = 120
const plotTop = 20
const alertsTop = plotTop + plotHeight + 6
const alertHeight = 7
const axisTop = alertsTop + 3 * alertHeight + 6
const height = axisTop + 22
/** Of the words of a date, px. */
const halfDate = 40

/**
 * Everything that has a place in time lies in one inner picture, whose unit across is the second: zooming is another
 * `viewBox`, and lines keep their width. Words stand outside of it, with their second beside them, for the script.
 */
export function drawSeries(series: DrawnSeries): string {
  const first = series.points[0]?.[0] ?? 0
  const last = Math.max(series.points.at(-1)?.[0] ?? 0, ...series.silences.map(({ latest }) => latest))
  const span = Math.max(1, last - first)
  const y = scaleOf(series)
  const across = (seconds: number): number => seconds - first
  const inside = [
    ...series.windows.map(({ fromSeconds, toSeconds, hit }) =>
      element('rect', {
        ...{ x: across(fromSeconds), y: plotTop, width: toSeconds - fromSeconds, height: plotHeight, fill: 'none' },
        ...{ stroke: theme.watch, 'stroke-width': 2, 'vector-effect': 'non-scaling-stroke' },
        ...(!hit && { 'stroke-dasharray': '6 4' }),
        'data-window': hit ? 'hit' : 'missed',
      }),
    ),
    stroke(pathOf(series, first, y), 'ours', 1, { 'stroke-linejoin': 'round', 'data-line': series.title }),
    series.threshold === null
      ? nothing
      : stroke(`M0 ${y(series.threshold)}h${span}`, 'soft', 1, { 'stroke-dasharray': '6 4' }),
    stroke(series.anomalies.map(([at, value]) => `M${across(at)} ${y(value)}h0`).join(''), 'act', 3, {
      'stroke-linecap': 'round',
      'data-anomalies': series.anomalies.length,
    }),
    stroke(series.conflicts.map((at) => `M${across(at)} ${plotTop + plotHeight - 7}v7`).join(''), 'doubled', 2, {}),
    ...series.alerts.map((alert) => bar(alert, 'act', 0, across, span)),
    ...series.silences.map((alert) => bar(alert, 'unjudged', 1, across, span)),
  ]
  const outside = series.windows.map(({ fromSeconds, hit }) =>
    label(hit ? 'hit' : 'missed', theme, placed(across(fromSeconds), plotTop + 12), {
      'data-at': across(fromSeconds),
    }),
  )
  const placed0 = { x: 0, fill: theme.soft }
  const { low, high } = rangeOf(series)
  return picture(`${series.title}: ${countsOf(series)}`, width, height, [
    element(
      'svg',
      { class: 'plot', x: 0, y: 0, width, height, viewBox: `0 0 ${span} ${height}`, preserveAspectRatio: 'none' },
      element('rect', { x: -span, y: plotTop + plotHeight, width: 3 * span, height: 1, fill: theme.line }),
      ...inside,
    ),
    label(text(high), theme, { ...placed0, y: plotTop + 10 }),
    label(text(low), theme, { ...placed0, y: plotTop + plotHeight - 3 }),
    element('g', { class: 'at' }, ...outside.map((one) => one)),
    element(
      'g',
      { class: 'axis', 'data-first': first },
      ...ticksOf({ from: first * 1_000, to: last * 1_000, clock: { kind: 'day', offsetMs: 0 } }, width)
        // One that would be cut, or pushed upon its neighbour, is left out.
        .filter(({ x }) => x >= halfDate && x <= width - halfDate)
        .map(({ text: day, x }) => label(day, theme, { x, y: axisTop + 14, fill: theme.soft, anchor: 'middle' })),
    ),
  ])

  function placed(seconds: number, top: number) {
    return { x: (seconds / span) * width + 3, y: top, fill: theme.watch }
  }
}

/** What a person who sees nothing of it is told. */
export function countsOf({ points, anomalies, alerts, silences, windows, conflicts }: DrawnSeries): string {
  const hit = windows.filter((one) => one.hit).length
  const open = alerts.filter(({ to }) => to === null).length
  return [
    `${points.length.toLocaleString('en-US')} points, ${anomalies.length.toLocaleString('en-US')} anomalies`,
    `${alerts.length} alerts${open > 0 ? ` (${open} open)` : ''}`,
    ...(silences.length > 0 ? [`${silences.length} alerts of missing data`] : []),
    `${hit} of ${windows.length} labelled windows hit`,
    ...(conflicts.length > 0 ? [`${conflicts.length} rows in conflict`] : []),
  ].join(', ')
}

function bar(
  { from, to, severity }: DrawnAlert,
  tone: 'act' | 'unjudged',
  row: number,
  across: (at: number) => number,
  span: number,
): Markup {
  const tall = alertHeight * (severity === 1 ? 1.5 : 1)
  const start = across(from)
  const length = Math.max(1, to === null ? span - start : to - from)
  const top = alertsTop + row * 1.6 * alertHeight
  const edge = { stroke: theme[tone], 'stroke-width': 2, 'vector-effect': 'non-scaling-stroke' }
  return element('rect', {
    ...{
      x: start,
      y: top,
      width: length,
      height: tall,
      fill: theme[tone],
      'data-alert': to === null ? 'open' : 'ended',
    },
    ...edge,
  })
}

function stroke(
  d: string,
  tone: 'ours' | 'soft' | 'act' | 'doubled',
  wide: number,
  more: Record<string, string | number>,
): Markup {
  if (d === '') return nothing
  const line = { fill: 'none', stroke: theme[tone], 'stroke-width': wide, 'vector-effect': 'non-scaling-stroke' }
  return element('path', { d, ...line, ...more })
}

/** Every point, by differences; a gap of more than two periods is a gap. */
function pathOf({ points, unitSeconds }: DrawnSeries, first: number, y: (value: number) => number): string {
  let [at, height] = [first, 0]
  return points
    .map(([time, value], index) => {
      const top = Math.round(y(value) * 10) / 10
      const moves = index === 0 || time - at > 2 * unitSeconds
      const step = moves ? `M${time - first} ${top}` : `l${time - at} ${Math.round((top - height) * 10) / 10}`
      ;[at, height] = [time, top]
      return step
    })
    .join('')
}

function rangeOf({ points, threshold }: DrawnSeries): { readonly low: number; readonly high: number } {
  const values = points.map(([, value]) => value)
  const [low, high] = values.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [threshold ?? Infinity, threshold ?? -Infinity],
  )
  return { low: Math.min(0, low ?? 0), high: high ?? 1 }
}

function scaleOf(series: DrawnSeries): (value: number) => number {
  const { low, high } = rangeOf(series)
  return (value) => plotTop + plotHeight - ((value - low) / (high - low || 1)) * plotHeight
}

const text = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 2 })
