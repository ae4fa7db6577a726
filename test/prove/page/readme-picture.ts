import { columns } from '../../../src/pictures/columns.js'
import { label, textSize } from '../../../src/pictures/label.js'
import { element, type Markup } from '../../../src/pictures/markup.js'
import { picture } from '../../../src/pictures/picture.js'
import type { Theme, Token } from '../../../src/pictures/theme.js'
import { unpacked, type ClientData, type ProofData } from '../proof-data.js'
import { figure, sentenceOf } from '../sentence.js'
import { proofChart } from './charts.js'
import { palettePng } from './png.js'
import { columnCounts, mapColumns, mapPalette, mapShape, pixelsOf } from './record-map.js'

const width = 830
const rugHeight = 6
const mapHeight = 80
const gap = 14
const besideMap = mapColumns + 10

/** The proof as one picture without a page: what a README shows. */
export function readmePicture(data: ProofData, theme: Theme): string {
  const chart = proofChart(data, theme, width, mapColumns)
  const chartHeight = Number(/ height="(\d+)/.exec(chart)?.[1])
  const each = gap + 2 * rugHeight + mapHeight
  const maps = data.clients.map((client, index) => mapOf(data, client, theme, chartHeight + index * each + gap))
  const height = chartHeight + data.clients.length * each + gap
  const ground = element('rect', { width, height, fill: theme.page })
  return `${picture(sentenceOf(data), width, height, [ground, chart as Markup, ...maps])}\n`
}

function mapOf(data: ProofData, client: ClientData, theme: Theme, top: number): Markup {
  const map = unpacked(client.map, data.load.records)
  const shape = mapShape(data.load)
  const png = palettePng(pixelsOf(map, shape, 0, shape.columns), shape.columns, mapPalette(theme))
  const rug = (states: readonly number[], tone: Token, y: number) =>
    at(
      y,
      columns({ sentence: '', counts: columnCounts(map, shape, states), tone, height: rugHeight }, theme, mapColumns),
    )
  const { acknowledged, lost, doubled, unknown } = client.totals
  const texts = [
    `acknowledged ${figure(acknowledged)}`,
    `lost ${figure(lost)}`,
    `doubled ${figure(doubled)}`,
    `unknown ${figure(unknown)}`,
  ]
  return element(
    'g',
    {},
    rug([2, 3], 'doubled', top),
    element('image', {
      y: top + rugHeight,
      width: mapColumns,
      height: mapHeight,
      preserveAspectRatio: 'none',
      'image-rendering': 'pixelated',
      href: `data:image/png;base64,${png.toString('base64')}`,
    }),
    rug([1], 'lost', top + rugHeight + mapHeight),
    label(client.name, theme, { x: besideMap, y: top + 18, size: textSize.normal, weight: 'bold', fill: theme.ink }),
    ...texts.map((text, index) => label(text, theme, { x: besideMap, y: top + 36 + index * 16, fill: theme.ink })),
  )
}

const at = (y: number, svg: string): Markup => element('g', { transform: `translate(0 ${y})` }, svg as Markup)
