import { label, textSize } from './label.js'
import { element, nothing, type Markup } from './markup.js'
import { textWidth } from './text-width.js'
import type { Theme } from './theme.js'

export type FaultKind = 'killed' | 'frozen' | 'answers-lost' | 'cut' | 'black-hole' | 'other'

/** A fault from its first to its last moment. */
export interface Band {
  readonly kind: FaultKind
  readonly name: string
  readonly from: number
  readonly to: number
}

const glyphs: Readonly<Record<FaultKind, string>> = {
  killed: '×',
  frozen: '‖',
  'answers-lost': '→ ',
  cut: '⊣⊢',
  'black-hole': '●',
  other: '',
}

interface PlacedName {
  readonly text: string
  readonly x: number
  readonly row: number
}

export interface PlacedBands {
  readonly names: readonly PlacedName[]
  /** What the names take above the plot. */
  readonly height: number
}

const rowHeight = 18
const before = 5
const between = 10

/** Names stand right of the first moment of their fault, each in the first row where it has room. */
export function placedBands(bands: readonly Band[], x: (at: number) => number, width: number): PlacedBands {
  const ends: number[] = []
  const names = [...bands]
    .sort((one, other) => one.from - other.from)
    .map(({ kind, name, from }) => {
      const text = `${glyphs[kind]} ${name}`.trim()
      const room = textWidth(text, textSize.least)
      const left = Math.max(0, Math.min(x(from) + before, width - room))
      const free = ends.findIndex((end) => end + between <= left)
      const row = free < 0 ? ends.length : free
      ends[row] = left + room
      return { text, x: left, row }
    })
  return { names, height: ends.length * rowHeight }
}

export interface BandArea {
  /** Of the names' first row, and of the plots below them. */
  readonly top: number
  readonly plotTop: number
  readonly plotBottom: number
}

/** The bands themselves, to lie under all that is drawn over them. */
export function bandShapes(
  bands: readonly Band[],
  placed: PlacedBands,
  x: (at: number) => number,
  theme: Theme,
  { top, plotBottom }: BandArea,
): Markup {
  if (bands.length === 0) return nothing
  const byStart = [...bands].sort((one, other) => one.from - other.from)
  const shapes = byStart.map(({ from, to, kind }, index) => {
    const edgeTop = top + (placed.names[index]?.row ?? 0) * rowHeight
    return element(
      'g',
      { 'data-fault': kind },
      element('rect', {
        x: x(from),
        y: edgeTop,
        width: Math.max(1, x(to) - x(from)),
        height: plotBottom - edgeTop,
        fill: theme.ink,
        'fill-opacity': 0.07,
      }),
      element('rect', { x: x(from) - 0.5, y: edgeTop, width: 1, height: plotBottom - edgeTop, fill: theme.soft }),
    )
  })
  return element('g', { 'data-part': 'faults' }, ...shapes)
}

export function bandNames({ names }: PlacedBands, theme: Theme, { top }: BandArea): Markup {
  const texts = names.map(({ text, x, row }) =>
    label(text, theme, { x, y: top + row * rowHeight + 13, fill: theme.ink }, { 'data-fault-name': '' }),
  )
  return element('g', {}, ...texts)
}
