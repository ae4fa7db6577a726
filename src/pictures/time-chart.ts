import { extent, max } from 'd3-array'
import { scaleLinear } from 'd3-scale'
import { bandNames, bandShapes, placedBands, type Band } from './bands.js'
import { label, textSize } from './label.js'
import { legendOf, legendShapes, type Legend } from './legend.js'
import { spread } from './line-labels.js'
import { element, nothing, type Attributes, type Markup } from './markup.js'
import { picture } from './picture.js'
import { lastKnown, pathOf, type Point } from './series.js'
import { fitted, textWidth } from './text-width.js'
import { textTone, type Theme, type Token } from './theme.js'
import { ticksOf, timeScale, type TimeRange } from './time-axis.js'

/** One line, told apart by its label and its form, never by colour alone. */
export interface Line {
  /** At the end of the line: its name, its last figure, or both. */
  readonly label: string
  readonly tone: Token
  readonly points: readonly Point[]
  readonly dashed?: boolean
  /** What the picture is about. */
  readonly bold?: boolean
}

/** A moment, or what lasted from one to another, as a double tick under the ground of a strip, where no line is. */
export interface Mark {
  readonly at: number
  readonly text?: string
  readonly tone: Token
}

export interface Strip {
  readonly title: string
  /** Of the plot, in pixels. */
  readonly height: number
  readonly lines: readonly Line[]
  readonly marks?: readonly Mark[]
  /** What belongs to the words at the end of a figure on the axis, such as ` s`. */
  readonly unit?: string
  /** The axis reaches at least so far: where several charts are compared, or whole things are counted. */
  readonly greatest?: number
}

export interface TimeChart extends TimeRange {
  /** What the picture shows, as a sentence for who does not see it. */
  readonly sentence: string
  readonly bands?: readonly Band[]
  readonly strips: readonly Strip[]
  /** Whether labels stand beside the ends of lines, or above the plot, which is then as wide as the picture. */
  readonly labels: 'beside' | 'above'
  /** Where it has to be as wide as something else: what is left of the width is for labels beside. */
  readonly plotWidth?: number
}

const titleHeight = 22
const stripGap = 10
const axisHeight = 20
const labelDistance = 16
const beside = 8
const markHeight = 16
const figureHeight = 14

/** Strips one above the other over one axis of time, so that a fault is seen to cut through all. Unknown is a gap. */
export function timeChart(chart: TimeChart, theme: Theme, width: number): string {
  const gutter =
    chart.labels === 'above' ? 0 : chart.plotWidth === undefined ? gutterOf(chart, width) : width - chart.plotWidth
  const plotWidth = width - gutter
  const x = timeScale(chart, plotWidth)
  const bands = chart.bands ?? []
  const names = placedBands(bands, x, plotWidth)
  const drawn: Markup[] = []
  let top = names.height
  for (const strip of chart.strips) {
    const legend = chart.labels === 'above' ? legendFor(strip, theme, plotWidth) : undefined
    const plotTop = top + titleHeight + (legend?.height ?? 0)
    const plot: Plot = { theme, x, width: plotWidth, titleTop: top, top: plotTop, height: strip.height, gutter, legend }
    drawn.push(stripOf(strip, plot))
    top = plotTop + strip.height + marksHeight(strip) + stripGap
  }
  const bottom = Math.max(names.height, top - stripGap)
  const area = { top: 0, plotTop: names.height, plotBottom: bottom }
  return picture(chart.sentence, width, bottom + axisHeight, [
    bandShapes(bands, names, x, theme, area),
    ...drawn,
    axis(chart, theme, plotWidth, bottom),
    bandNames(names, theme, area),
  ])
}

function gutterOf({ strips }: TimeChart, width: number): number {
  const widest =
    max(strips.flatMap(({ lines }) => lines).map((line) => textWidth(line.label, textSize.least, 'bold'))) ?? 0
  return Math.min(widest + beside, width / 3)
}

interface Plot {
  readonly theme: Theme
  readonly x: (at: number) => number
  readonly width: number
  readonly titleTop: number
  readonly top: number
  readonly height: number
  /** Right of the plot, for labels; 0 where they stand above. */
  readonly gutter: number
  /** Where labels stand above. */
  readonly legend: Legend | undefined
}

function legendFor({ title, lines }: Strip, theme: Theme, width: number): Legend {
  const known = lines.filter(({ points }) => lastKnown(points) !== undefined)
  const entries = known.map((line) => ({ label: line.label, tone: line.tone, stroke: strokeOf(line, theme) }))
  return legendOf(entries, textWidth(title, textSize.normal, 'bold'), width)
}

const marksHeight = ({ marks = [] }: Strip): number => (marks.length > 0 ? markHeight : 0)

function stripOf(strip: Strip, plot: Plot): Markup {
  const { theme, titleTop, top, height, legend } = plot
  const titleGround = titleTop + titleHeight - 7
  const y = scaleLinear([0, greatestOf(strip)], [top + height, top]).nice(5)
  return element(
    'g',
    { 'data-strip': strip.title },
    grid(y, plot),
    ...strip.lines.map((line) => lineOf(line, y, plot)),
    marksOf(strip.marks ?? [], plot),
    figures(y, strip, plot),
    label(fitted(strip.title, textSize.normal, plot.width, 'bold'), theme, {
      x: 0,
      y: titleGround,
      size: textSize.normal,
      weight: 'bold',
      fill: theme.ink,
    }),
    legend === undefined ? labelsBeside(strip, y, plot) : legendShapes(legend, theme, titleGround),
  )
}

function greatestOf({ greatest, lines }: Strip): number {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value))
  return Math.max(1, greatest ?? 0, extent(values.filter((value) => value !== undefined))[1] ?? 0)
}

type Scale = ReturnType<typeof scaleLinear<number, number>>

/** The values that the axis names: fewer in a low strip, none that would stand on the ground. */
function figuresOf(y: Scale, { top, height }: Plot): readonly number[] {
  return y.ticks(height < 60 ? 1 : 2).filter((value) => value > 0 && y(value) <= top + height - figureHeight)
}

function grid(y: Scale, plot: Plot): Markup {
  const { theme, width } = plot
  const values = new Set([...y.domain(), ...figuresOf(y, plot)])
  const lines = [...values].map((value) =>
    element('rect', { x: 0, y: Math.round(y(value)), width, height: 1, fill: theme.line }),
  )
  return element('g', { 'data-part': 'grid' }, ...lines)
}

/** Over the lines: a line that runs along the grid would strike them out. */
function figures(y: Scale, strip: Strip, plot: Plot): Markup {
  const { theme } = plot
  const format = y.tickFormat(2)
  const texts = figuresOf(y, plot).map((value) =>
    label(`${format(value)}${strip.unit ?? ''}`, theme, { x: 0, y: Math.round(y(value)) + 13, fill: theme.soft }),
  )
  return element('g', { 'data-part': 'figures' }, ...texts)
}

function lineOf(line: Line, y: Scale, { theme, x }: Plot): Markup {
  const path = pathOf(line.points, x, y)
  return path === '' ? nothing : element('path', { 'data-line': line.label, d: path, ...strokeOf(line, theme) })
}

function strokeOf({ tone, dashed, bold }: Line, theme: Theme): Attributes {
  return {
    fill: 'none',
    stroke: theme[tone],
    'stroke-width': bold === true ? 3 : 2,
    'stroke-linejoin': 'round',
    'stroke-linecap': 'round',
    'stroke-dasharray': dashed === true ? '4 6' : undefined,
  }
}

/** Words beside a tick where there is room for them, right of it or else left; the ticks are always there. */
function marksOf(marks: readonly Mark[], { theme, x, width, top, height }: Plot): Markup {
  const ground = top + height
  const inOrder = [...marks].sort((one, other) => one.at - other.at)
  const ticks = inOrder.map(({ at, tone }) => {
    const rects = [-1.5, 1.5].map((shift) =>
      element('rect', {
        x: x(at) + shift - 0.5,
        y: ground + 1,
        width: 1,
        height: markHeight - 1,
        fill: theme[tone],
      }),
    )
    return element('g', { 'data-mark': '' }, ...rects)
  })
  let free = 0
  const texts = inOrder.map(({ at, text, tone }) => {
    if (text === undefined) return nothing
    const room = textWidth(text, textSize.least)
    const left = [x(at) + 5, x(at) - 5 - room].find((start) => start >= free && start + room <= width)
    if (left === undefined) return nothing
    free = left + room + 5
    return label(text, theme, { x: left, y: ground + markHeight - 3, fill: theme[textTone(tone)] })
  })
  return element('g', {}, ...ticks, ...texts)
}

/** A line that ends in what is not known has its label where it was last known. */
function labelsBeside({ lines }: Strip, y: Scale, { theme, width, top, height, gutter }: Plot): Markup {
  const ends = lines.flatMap((line) => {
    const last = lastKnown(line.points)
    return last === undefined ? [] : [{ line, y: y(last[1]) }]
  })
  const heights = spread(
    ends.map((end) => end.y + 4),
    top + 8,
    top + height,
    labelDistance,
  )
  const texts = ends.map(({ line, y: endY }, index) =>
    label(fitted(line.label, textSize.least, gutter - beside, 'bold'), theme, {
      x: width + beside,
      y: heights[index] ?? endY,
      weight: 'bold',
      fill: theme[textTone(line.tone)],
    }),
  )
  return element('g', { 'data-part': 'labels' }, ...texts)
}

function axis(range: TimeRange, theme: Theme, width: number, bottom: number): Markup {
  const marks = ticksOf(range, width).map(({ x, text }) => {
    const half = textWidth(text, textSize.least) / 2
    const anchor = x < half ? 'start' : x > width - half ? 'end' : 'middle'
    return element(
      'g',
      {},
      element('rect', { x: x - 0.5, y: bottom, width: 1, height: 4, fill: theme.soft }),
      label(text, theme, {
        x: anchor === 'middle' ? x : anchor === 'start' ? 0 : width,
        y: bottom + 16,
        anchor,
        fill: theme.soft,
      }),
    )
  })
  const ground = element('rect', { x: 0, y: bottom, width, height: 1, fill: theme.soft })
  return element('g', { 'data-part': 'axis' }, ground, ...marks)
}
