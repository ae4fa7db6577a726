import { columns } from '../../../src/pictures/columns.js'
import { element, nothing, words, type Markup } from '../../../src/pictures/markup.js'
import { dark, light, variables, type Theme, type Token } from '../../../src/pictures/theme.js'
import { countStates, states, unpacked, type ClientData, type ProofData } from '../proof-data.js'
import { figure } from '../sentence.js'
import { palettePng } from './png.js'
import { columnCounts, mapPalette, mapShape, pixelsOf } from './record-map.js'

const rugHeight = 6
const half = 300

/** Every record of a client, with rugs that say once more in which columns some are doubled, lost or out of order. */
export function mapFigure(data: ProofData, client: ClientData): Markup {
  const map = unpacked(client.map, data.load.records)
  const shape = mapShape(data.load)
  const [doubled, lost] = [columnCounts(map, shape, [2, 3]), columnCounts(map, shape, [1])]
  const halves = [0, 1].map((which) => {
    const from = which * half
    const rug = (counts: readonly number[], tone: Token) =>
      columns(
        {
          sentence: '',
          counts: counts.slice(from, from + half),
          greatest: Math.max(1, ...counts),
          tone,
          height: rugHeight,
        },
        variables,
        half,
      ) as Markup
    const pixels = pixelsOf(map, shape, from, from + half)
    const image = (theme: Theme) =>
      `data:image/png;base64,${palettePng(pixels, half, mapPalette(theme)).toString('base64')}`
    return element(
      'div',
      { class: 'half' },
      rug(doubled, 'doubled'),
      element(
        'picture',
        {},
        element('source', { media: 'screen and (prefers-color-scheme: dark)', srcset: image(dark) }),
        element('img', {
          class: 'map',
          src: image(light),
          alt: alternative(client, which),
          width: half,
          height: shape.rows,
        }),
      ),
      rug(lost, 'lost'),
    )
  })
  return element(
    'figure',
    { class: 'records', 'data-client': client.name },
    element('figcaption', {}, element('b', {}, words(client.name)), words(': '), legend(map)),
    element('div', { class: 'halves' }, ...halves),
  )
}

function alternative({ name, totals }: ClientData, which: number): string {
  const part = which === 0 ? 'first' : 'second'
  return `The records of ${name} in the ${part} half of the time; of all, ${figure(totals.lost)} are lost and ${figure(totals.doubled)} doubled`
}

/** Only what occurs, with how often. */
function legend(map: Uint8Array): Markup {
  const colours = mapPalette(variables)
  const entries = countStates(map).flatMap((count, state) => {
    if (count === 0) return []
    const swatch = element(
      'svg',
      { width: 12, height: 12, 'aria-hidden': 'true' },
      element('rect', { x: 0.5, y: 0.5, width: 11, height: 11, fill: colours[state], stroke: variables.soft }),
    )
    return [element('span', { class: 'entry' }, swatch, words(` ${states[state]} ${figure(count)} `))]
  })
  return entries.length === 0 ? nothing : (entries.join('') as Markup)
}
