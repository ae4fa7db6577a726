import { describe, expect, it } from 'vitest'
import { bars } from '../../../src/pictures/bars.js'
import { columns } from '../../../src/pictures/columns.js'
import { sparkline } from '../../../src/pictures/sparkline.js'
import { dark, declarations, light, variables } from '../../../src/pictures/theme.js'
import { elementsOf, textBoxes, textOverText } from '../../support/svg.js'

describe('bars', () => {
  const rows = [
    { name: 'orders-3', value: 4_000, text: '4,000', tone: 'act' },
    { name: 'orders-0', value: 1_000, text: '1,000', tone: 'ok' },
    { name: 'orders-5', value: undefined, text: '– broker 3 does not answer', tone: 'unjudged' },
    { name: `${'x'.repeat(249)}`, value: 0, text: '0', tone: 'ok' },
  ] as const

  it('are as long as their value, from 0', () => {
    const [long, short] = elementsOf(bars({ sentence: '', rows }, light, 600)).filter(
      ({ attributes }) => attributes['height'] === '14',
    )
    expect(Number(long?.attributes['width'])).toBeCloseTo(4 * Number(short?.attributes['width']), 0)
  })

  it('have a line through all rows where a mark is wanted, where a bar of that value ends', () => {
    const marked = [{ name: 'a', value: 1, text: '1', tone: 'ours' }, { name: 'b', value: 2, text: '2', tone: 'peer' }] as const // prettier-ignore
    const elements = elementsOf(bars({ sentence: '', rows: marked, mark: 1 }, light, 600))
    const [bar] = elements.filter(({ attributes }) => attributes['height'] === '14')
    const line = elements.find(({ attributes }) => 'data-mark' in attributes)
    expect(Number(line?.attributes['x']) + 0.5).toBeCloseTo(
      Number(bar?.attributes['x']) + Number(bar?.attributes['width']),
      1,
    )
    expect(line?.attributes['height']).toBe('52')
  })

  it('tell why in place of a bar where nothing is known', () => {
    const svg = bars({ sentence: '', rows: [rows[2]] }, light, 600)
    expect(elementsOf(svg).filter(({ attributes }) => attributes['height'] === '14')).toEqual([])
    expect(textBoxes(svg).map(({ text }) => text)).toContain('– broker 3 does not answer')
  })

  it.each([320, 600, 1_200])('keep their words apart and inside at a width of %i', (width) => {
    const boxes = textBoxes(bars({ sentence: '', rows }, light, width))
    expect(textOverText(boxes)).toEqual([])
    expect(boxes.filter(({ left, right }) => left < -1 || right > width + 1)).toEqual([])
  })
})

describe('columns', () => {
  it('show a single one beside thousands, and nothing where there is none or nothing is known', () => {
    const svg = columns({ sentence: '', counts: [9_000, 1, 0, undefined], tone: 'lost', height: 6 }, light, 400)
    const drawn = elementsOf(svg).filter(({ name }) => name === 'rect')
    expect(drawn.map(({ attributes }) => [attributes['x'], attributes['height']])).toEqual([
      ['0', '6'],
      ['100', '2'],
    ])
  })
})

describe('a sparkline', () => {
  it('has a gap where nothing is known and a dot where it stood last', () => {
    const points = [[0, 1], [1, undefined], [2, 3]] as const // prettier-ignore
    const elements = elementsOf(sparkline({ sentence: '', points, from: 0, to: 2, tone: 'ours' }, light, 120))
    expect(elements.find(({ name }) => name === 'path')?.attributes['d']?.match(/M/g)).toHaveLength(2)
    expect(elements.find(({ name }) => name === 'circle')?.attributes).toMatchObject({ cx: '117', cy: '3' })
  })

  it('of nothing known is an empty strip', () => {
    const svg = sparkline({ sentence: '', points: [], from: 0, to: 0, tone: 'ours' }, light, 120)
    expect(svg).not.toMatch(/NaN|circle/)
  })
})

describe('colours by name', () => {
  it('follow the page: every token is declared by both themes', () => {
    for (const theme of [light, dark])
      for (const colour of Object.values(variables))
        expect(declarations(theme)).toMatch(new RegExp(`${/--\w+/.exec(colour)?.[0]}:#[0-9a-f]{6}`))
  })
})
