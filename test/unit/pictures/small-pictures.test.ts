import { describe, expect, it } from 'vitest'
import { columns } from '../../../src/pictures/columns.js'
import { sparkline } from '../../../src/pictures/sparkline.js'
import { dark, declarations, light, variables } from '../../../src/pictures/theme.js'
import { elementsOf } from '../../support/svg.js'

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
