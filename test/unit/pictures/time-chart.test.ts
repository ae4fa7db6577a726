import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Band } from '../../../src/pictures/bands.js'
import type { Point } from '../../../src/pictures/series.js'
import { light } from '../../../src/pictures/theme.js'
import { timeChart, type Line, type TimeChart } from '../../../src/pictures/time-chart.js'
import { elementsOf, textBoxes, textOverText } from '../../support/svg.js'

const minute = 60_000

const line = (points: readonly Point[], more: Partial<Line> = {}): Line => ({
  label: 'a',
  tone: 'ours',
  points,
  ...more,
})

const chart = (lines: readonly Line[], more: Partial<TimeChart> = {}): TimeChart => ({
  sentence: 'what it shows',
  from: 0,
  to: minute,
  clock: { kind: 'elapsed' },
  labels: 'above',
  strips: [{ title: 'records', height: 100, lines }],
  ...more,
})

const pathIn = (svg: string) =>
  elementsOf(svg).find(({ attributes }) => 'data-line' in attributes)?.attributes['d'] ?? ''

/** Words that lie where lines are drawn: all but the figures of an axis have a place outside. */
function wordsInPlots(svg: string): readonly string[] {
  const parts = (name: string) =>
    [...svg.matchAll(new RegExp(`<g data-part="${name}">(?:(?!</g>).)*</g>`, 'gs'))].map(([part]) => elementsOf(part))
  const plots = parts('grid').map((elements) => {
    const rects = elements.filter(({ name }) => name === 'rect').map(({ attributes }) => attributes)
    const heights = rects.map(({ y }) => Number(y))
    return { top: Math.min(...heights), ground: Math.max(...heights), right: Number(rects[0]?.['width']) }
  })
  const figures = new Set(parts('figures').flatMap((texts) => texts.map(({ text }) => text)))
  return textBoxes(svg).flatMap(({ text, left, top, bottom }) =>
    !figures.has(text) && plots.some((plot) => left < plot.right && bottom > plot.top + 1 && top < plot.ground)
      ? [text]
      : [],
  )
}

/** Every pair of numbers of a path. */
const placesIn = (path: string) =>
  [...path.matchAll(/([\d.-]+),([\d.-]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as const)

describe('a chart over time', () => {
  it('breaks a line where nothing is known, and never draws it down to 0 there', () => {
    const svg = timeChart(
      chart([
        line([
          [0, 50],
          [10_000, 60],
          [20_000, undefined],
          [30_000, 55],
          [40_000, 50],
        ]),
      ]),
      light,
      600,
    )
    const path = pathIn(svg)
    expect(path.match(/M/g)).toHaveLength(2)
    const ground = 122
    expect(placesIn(path).filter(([, y]) => y >= ground - 1)).toEqual([])
    expect(placesIn(path).filter(([x]) => x > 101 && x < 299)).toEqual([])
  })

  it('draws 0 where 0 is known', () => {
    const svg = timeChart(
      chart([
        line([
          [0, 50],
          [10_000, 0],
          [20_000, 50],
        ]),
      ]),
      light,
      600,
    )
    expect(placesIn(pathIn(svg))).toContainEqual([100, 122])
  })

  it('shows what was known for a moment only', () => {
    const svg = timeChart(
      chart([
        line([
          [0, undefined],
          [10_000, 60],
          [20_000, undefined],
        ]),
      ]),
      light,
      600,
    )
    expect(pathIn(svg)).toMatch(/^M100,[\d.]+Z$/)
  })

  it('draws no line and no figure for what was never known', () => {
    const svg = timeChart(
      chart([
        line(
          [
            [0, undefined],
            [minute, undefined],
          ],
          { label: 'silent' },
        ),
      ]),
      light,
      600,
    )
    expect(pathIn(svg)).toBe('')
    expect(textBoxes(svg).map(({ text }) => text)).not.toContain('silent')
  })

  it('keeps the least and the greatest of every pixel column of a long series', () => {
    const points = Array.from({ length: 22_695 }, (_, index): Point => [
      (index / 22_695) * minute,
      100 + Math.sin(index / 900),
    ])
    points[11_111] = [(11_111 / 22_695) * minute, 5]
    points[15_432] = [(15_432 / 22_695) * minute, 900]
    const path = pathIn(timeChart(chart([line(points)]), light, 600))
    expect(placesIn(path).length).toBeLessThanOrEqual(4 * 601)
    const heights = placesIn(path).map(([, y]) => y)
    expect(Math.max(...heights)).toBeCloseTo(122 - (5 / 1_000) * 100, 0)
    expect(Math.min(...heights)).toBeCloseTo(122 - (900 / 1_000) * 100, 0)
    expect(path.length).toBeLessThan(30_000)
  })

  it('draws bands from the first to the last moment of each fault, over all strips', () => {
    const bands: readonly Band[] = [{ kind: 'killed', name: 'leader killed', from: 10_000, to: 20_000 }]
    const svg = timeChart(chart([line([[0, 1]])], { bands }), light, 600)
    const elements = elementsOf(svg)
    const band = elements[elements.findIndex(({ attributes }) => attributes['data-fault'] === 'killed') + 1]?.attributes
    expect(band).toMatchObject({ x: '100', width: '100', y: '0', height: '140' })
    expect(textBoxes(svg).find(({ text }) => text === '× leader killed')?.left).toBeGreaterThan(100)
  })

  it('shows text from outside as text', () => {
    const hostile = `<script>alert("1")</script>&\u202e\u001b[31m`
    const svg = timeChart(
      chart([line([[0, 1]], { label: hostile })], {
        sentence: `${hostile}" onload="x`,
        bands: [{ kind: 'cut', name: hostile, from: 0, to: 1 }],
        strips: [{ title: hostile, height: 80, lines: [line([[0, 1]], { label: hostile })] }],
      }),
      light,
      1_200,
    )
    const elements = elementsOf(svg)
    expect(elements.map(({ name }) => name)).not.toContain('script')
    expect(elements.flatMap(({ attributes }) => Object.keys(attributes))).not.toContain('onload')
    expect(textBoxes(svg).map(({ text }) => text)).toContain('<script>alert("1")</script>&\\u202e\\u001b[31m')
  })

  it('marks time in steps that people count in', () => {
    const marks = (from: number, to: number, offsetMs?: number) => {
      const clock = offsetMs === undefined ? ({ kind: 'elapsed' } as const) : ({ kind: 'day', offsetMs } as const)
      const svg = timeChart(chart([line([[from, 1]])], { from, to, clock, strips: [] }), light, 600)
      return textBoxes(svg).map(({ text }) => text)
    }
    expect(marks(0, minute)).toEqual(['0', '10 s', '20 s', '30 s', '40 s', '50 s', '1 min'])
    const evening = Date.UTC(2030, 0, 1, 18, 7)
    expect(marks(evening, evening + 60 * minute, 60 * minute)).toEqual([
      '19:10',
      '19:20',
      '19:30',
      '19:40',
      '19:50',
      '20:00',
    ])
  })

  it('lets no text lie over another, or outside of the picture, whatever it shows', () => {
    const moment = fc.integer({ min: 0, max: minute })
    const value = fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: undefined })
    const anyLine = fc.record({
      label: fc.constantFrom('kafkajs', 'tidemark 1,000', 'kafkajs doubled 1,009'),
      tone: fc.constantFrom('ours' as const, 'peer' as const, 'doubled' as const),
      points: fc
        .array(fc.tuple(moment, value), { maxLength: 30 })
        .map((points) => [...points].sort(([one], [other]) => one - other)),
    })
    const anyChart = fc.record({
      sentence: fc.string(),
      from: fc.constant(0),
      to: fc.constant(minute),
      clock: fc.constant({ kind: 'elapsed' } as const),
      labels: fc.constantFrom('above' as const, 'beside' as const),
      bands: fc.array(
        fc.record({
          kind: fc.constantFrom('killed' as const, 'cut' as const),
          name: fc.constantFrom('leader killed', '2 % of answers lost', 'cut'),
          from: moment,
          to: moment,
        }),
        { maxLength: 6 },
      ),
      strips: fc.array(
        fc.record({
          title: fc.constantFrom('records not yet handled', 'lag'),
          height: fc.constantFrom(70, 90, 120),
          lines: fc.array(anyLine, { maxLength: 3 }),
          marks: fc.array(
            fc.record({ at: moment, text: fc.constantFrom('3.1 s', undefined), tone: fc.constant('peer' as const) }),
            {
              maxLength: 6,
            },
          ),
        }),
        { maxLength: 3 },
      ),
    })
    fc.assert(
      fc.property(anyChart, fc.constantFrom(320, 600, 1_200), (drawn, width) => {
        const svg = timeChart(drawn as TimeChart, light, width)
        const boxes = textBoxes(svg)
        const height = Number(elementsOf(svg)[0]?.attributes['height'])
        expect(textOverText(boxes)).toEqual([])
        expect(wordsInPlots(svg)).toEqual([])
        expect(
          boxes.filter(
            ({ left, right, top, bottom }) => left < -1 || right > width + 1 || top < -1 || bottom > height + 1,
          ),
        ).toEqual([])
        expect(svg).not.toMatch(/NaN|undefined|Infinity/)
      }),
      { numRuns: 25 },
    )
  })
})
