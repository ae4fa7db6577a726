import {
  differenceCiede2000,
  filterDeficiencyDeuter,
  filterDeficiencyProt,
  filterDeficiencyTrit,
  filterGrayscale,
  parse,
  wcagContrast,
  type Color,
} from 'culori'
import { describe, expect, it } from 'vitest'
import { dark, light, textTone, tokens, type Token } from '../../../src/pictures/theme.js'

const sights: Readonly<Record<string, (colour: Color) => Color>> = {
  normal: (colour) => colour,
  protan: filterDeficiencyProt(1) as (colour: Color) => Color,
  deutan: filterDeficiencyDeuter(1) as (colour: Color) => Color,
  tritan: filterDeficiencyTrit(1) as (colour: Color) => Color,
  grey: filterGrayscale(1) as (colour: Color) => Color,
}
const fates: readonly Token[] = ['stored', 'lost', 'doubled', 'unknown']
const pairs = fates.flatMap((one, index) => fates.slice(index + 1).map((other) => [one, other] as const))
const distance = differenceCiede2000()
const colour = (hex: string): Color => parse(hex) as Color

describe.each(Object.entries({ light, dark }))('the %s palette', (_, theme) => {
  it.each(Object.entries(sights))('tells the four fates apart in %s sight', (__, seen) => {
    const near = pairs
      .map(([one, other]) => ({ one, other, distance: distance(seen(colour(theme[one])), seen(colour(theme[other]))) }))
      .filter(({ distance }) => !(distance >= 10))
    expect(near).toEqual([])
  })

  it('lets every text be read on the page and on panels', () => {
    const inks = [...new Set(tokens.map(textTone))]
    const faint = (['page', 'panel'] as const)
      .flatMap((ground) => inks.map((ink) => ({ ink, ground, ratio: wcagContrast(theme[ink], theme[ground]) })))
      .filter(({ ink, ratio }) => !(ratio >= (['act', 'watch', 'ok'].includes(ink) ? 5.5 : 4.5)))
    expect(faint).toEqual([])
  })

  it('lets lines, rugs and marks be seen on the page', () => {
    const faint = (['ours', 'peer', 'lost', 'doubled', 'unknown', 'soft'] as const)
      .map((token) => ({ token, ratio: wcagContrast(theme[token], theme.page) }))
      .filter(({ ratio }) => !(ratio >= 3))
    expect(faint).toEqual([])
  })
})
