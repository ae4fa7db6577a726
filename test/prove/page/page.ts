import { createHash } from 'node:crypto'
import { element, nothing, words, type Markup } from '../../../src/pictures/markup.js'
import { variables } from '../../../src/pictures/theme.js'
import type { ProofData } from '../proof-data.js'
import { figure, sentenceOf } from '../sentence.js'
import { lengthMs, proofChart } from './charts.js'
import { mapFigure } from './map-figure.js'
import { readerScript } from './reader.js'
import { mapShape } from './record-map.js'
import { style } from './style.js'
import { courseTable, details, faultTable, settingsTable, totalsTable } from './tables.js'

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Text that is in the page as it is: ours, or data in which no markup is left. */
const raw = (text: string): Markup => text as Markup

/** Everything that the run showed in one file that asks nobody for anything. */
export function proofPage(data: ProofData): string {
  const css = style(mapShape(data.load).rows)
  const policy = `default-src 'none'; style-src ${hashOf(css)}; script-src ${hashOf(readerScript)}; img-src data:; base-uri 'none'; form-action 'none'`
  const head = element(
    'head',
    {},
    raw('<meta charset="utf-8">'),
    element('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    raw(`<meta http-equiv="Content-Security-Policy" content="${policy}">`),
    element('title', {}, words('What was acknowledged, and what is there: kafkajs and tidemark side by side')),
    element('style', {}, raw(css)),
  )
  const json = JSON.stringify(data).replaceAll('<', '\\u003c')
  const body = element(
    'body',
    {},
    element(
      'main',
      {},
      ...above(data),
      chart(data),
      ...data.clients.map((client) => mapFigure(data, client)),
      tables(data),
    ),
    element('script', { type: 'application/json', id: 'data' }, raw(json)),
    element('script', {}, raw(readerScript)),
  )
  return `<!doctype html>\n${element('html', { lang: 'en' }, head, body)}\n`
}

function above(data: ProofData): readonly Markup[] {
  const { run, load } = data
  const seconds = Math.round(lengthMs(data) / 1_000)
  const what = [
    `${figure(load.perSecond)} records a second for each of them, at the same moments, for ${seconds} s`,
    `Kafka ${run.kafka}, ${run.nodes} nodes, 3 copies of each partition, at least 2 in sync`,
    `Node ${run.node}, ${run.cores} cores for everything`,
    `seed ${run.seed}, ${run.startedAt.slice(0, 16).replace('T', ' ')} UTC`,
  ]
  return [element('h1', {}, words(sentenceOf(data))), element('p', {}, words(`${what.join('; ')}.`))]
}

function chart(data: ProofData): Markup {
  const drawn = [1_200, 600, 300].map((width) =>
    element('div', { class: `w${width}` }, raw(proofChart(data, variables, width))),
  )
  const reader = element(
    'div',
    { id: 'reader', hidden: '' },
    raw('<input id="moment" type="range" min="0" value="0" step="500" aria-label="Read off a moment">'),
    element('output', { id: 'said', for: 'moment' }, nothing),
  )
  return element(
    'figure',
    { class: 'chart' },
    element('div', { id: 'time' }, ...drawn, element('div', { id: 'line', hidden: '' }, nothing)),
    reader,
  )
}

function tables(data: ProofData): Markup {
  const command = `npm run prove -- --rate ${data.load.perSecond} --seed ${data.run.seed}`
  return element(
    'section',
    { class: 'tables' },
    totalsTable(data),
    ...data.clients.map((client) => faultTable(data, client)),
    settingsTable(data),
    details('The curves as tables', ...data.clients.map(courseTable)),
    element(
      'p',
      { class: 'again' },
      words('Again: '),
      element('code', {}, words(command)),
      words('. Brokers and the machine do not repeat to the millisecond; the faults do.'),
    ),
  )
}
