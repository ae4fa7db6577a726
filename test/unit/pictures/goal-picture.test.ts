import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cellsFrom, figuresFile, pictureFile } from '../../../bench/users/chart.js'
import { goalPicture } from '../../../bench/users/goal-picture.js'
import type { Cell } from '../../../bench/users/report.js'
import { projectRoot } from '../../support/source-tree.js'
import { elementsOf, textBoxes, textOverText } from '../../support/svg.js'

const row = 'keyed singles, 4,096 in flight'
const run = '2026-11-30T12:00:00.000Z'

function cell(competitor: Cell['competitor'], perSecond: number, more: Partial<Cell> = {}): Cell {
  const machine = { load: 1, run, cores: 2, kafka: '4.2.0' }
  return { suite: 'sending', row, competitor, round: 1, perSecond, count: perSecond, ...machine, ...more }
}

const barsOf = (svg: string, whose: 'ours' | 'peer') =>
  elementsOf(svg).filter(({ attributes }) => attributes['data-bar'] === whose)
const endOf = (bar: { readonly attributes: Readonly<Record<string, string>> } | undefined) =>
  Number(bar?.attributes['x']) + Number(bar?.attributes['width'])
const texts = (svg: string) => textBoxes(svg).map(({ text }) => text)

/** Where the line of the goal stands. */
function goalAt(svg: string): number {
  const line = elementsOf(svg).find(
    ({ attributes }) => attributes['fill'] === 'var(--ink)' && attributes['width'] === '2',
  )
  return Number(line?.attributes['x']) + 1
}

describe('the picture of goals', () => {
  it('has a bar that ends at the line where the goal is just reached, and the yardstick at its own place', () => {
    const svg = goalPicture([cell('tidemark', 400_000), cell('librdkafka', 100_000)])
    expect(endOf(barsOf(svg, 'ours')[0])).toBeCloseTo(goalAt(svg), 1)
    // A quarter of the goal is two steps to the left of it, of which the scale has three.
    const [left, end] = [Number(barsOf(svg, 'ours')[0]?.attributes['x']), endOf(barsOf(svg, 'peer')[0])]
    expect((end - left) / (goalAt(svg) - left)).toBeCloseTo(1 / 3, 2)
    expect(texts(svg)).toContain('4.00 ×')
  })

  it('says what was missed, not by colour alone, and what was not measured, without a bar for it', () => {
    const svg = goalPicture([cell('tidemark', 400_000), cell('java', 1_000_000)])
    expect(texts(svg)).toContain('0.40 ×, missed')
    expect(texts(svg)).toContain('▲')
    expect(barsOf(svg, 'ours')).toHaveLength(1)
    expect(texts(svg).filter((text) => text === '– not measured').length).toBeGreaterThan(10)
    expect(texts(svg)[0]).toMatch(/^0 of 1 goals are reached; \d+ were not measured\.$/)
  })

  it('a goal that was missed by little is not said in the figure of the goal', () => {
    const svg = goalPicture([cell('tidemark', 566_373), cell('kafkajs', 7_117)])
    expect(texts(svg)).toContain('79.6 ×, missed')
  })

  it('has a bar for the median and a dot for each round, against the same round of the other', () => {
    const rates = [200_000, 400_000, 800_000]
    const svg = goalPicture([
      ...rates.map((rate, index) => cell('tidemark', rate, { round: index + 1 })),
      ...rates.map((rate, index) => cell('java', rate, { round: index + 1 })),
    ])
    const dots = elementsOf(svg).filter(({ name }) => name === 'circle')
    expect(dots.map(({ attributes }) => Number(attributes['cx']))).toEqual(rates.map(() => goalAt(svg)))
    expect(endOf(barsOf(svg, 'ours')[0])).toBeCloseTo(goalAt(svg), 1)
  })

  it('of lower costs is longer, and marks where a bar would go on', () => {
    const rest = { suite: 'rest', row: 'a producer and a consumer at rest, 8 partitions' }
    const svg = goalPicture([cell('tidemark', 0, { ...rest, coreShare: 0.005, heapMb: 1 })])
    const [cpu, heap] = barsOf(svg, 'ours').map(endOf)
    expect(cpu).toBeGreaterThan(goalAt(svg))
    expect(heap).toBeGreaterThan(cpu as number)
    expect(elementsOf(svg).filter(({ name }) => name === 'path')).toHaveLength(1)
  })

  it('is the one of the figures that stand beside it', () => {
    const read = (file: string) => readFileSync(join(projectRoot, file), 'utf8')
    expect(read(pictureFile).trimEnd()).toBe(goalPicture(cellsFrom(read(figuresFile))))
  })

  it('keeps its words apart and inside', () => {
    const boxes = textBoxes(readFileSync(join(projectRoot, pictureFile), 'utf8').trimEnd())
    expect(textOverText(boxes)).toEqual([])
    expect(boxes.filter(({ left, right }) => left < 0 || right > 960)).toEqual([])
  })
})
