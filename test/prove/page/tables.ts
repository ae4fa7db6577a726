import { element, nothing, words, type Markup } from '../../../src/pictures/markup.js'
import { timeText } from '../../../src/text/figures.js'
import { unpacked, type ClientData, type ProofData } from '../proof-data.js'
import { figure } from '../sentence.js'

type Cell = string | number | null

/** Nothing known is a dash, never 0. */
const shown = (cell: Cell): string => (cell === null ? '–' : typeof cell === 'number' ? figure(cell) : cell)

function table(caption: string, head: readonly string[], rows: readonly (readonly Cell[])[]): Markup {
  const isFigure = (column: number) => typeof rows[0]?.[column] === 'number'
  const names = element(
    'tr',
    {},
    ...head.map((name, column) =>
      name === ''
        ? element('td', {}, nothing)
        : element('th', { scope: 'col', class: isFigure(column) ? 'figure' : undefined }, words(name)),
    ),
  )
  const body = rows.map(([first = '', ...others]) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, words(shown(first))),
      ...others.map((cell) =>
        element('td', { class: typeof cell === 'string' ? undefined : 'figure' }, words(shown(cell))),
      ),
    ),
  )
  return element(
    'table',
    {},
    element('caption', {}, words(caption)),
    element('thead', {}, names),
    element('tbody', {}, ...body),
  )
}

export function totalsTable({ clients, load }: ProofData): Markup {
  const row = (name: string, of: (client: ClientData) => number) => [name, ...clients.map(of)]
  return table(
    'What became of the records',
    ['', ...clients.map(({ name }) => name)],
    [
      row('given', () => load.records),
      row('acknowledged', ({ totals }) => totals.acknowledged),
      row('lost: acknowledged, not in the log', ({ totals }) => totals.lost),
      row('doubled', ({ totals }) => totals.doubled),
      row('out of order', ({ totals }) => totals.outOfOrder),
      row('reported unknown', ({ totals }) => totals.unknown),
      row('reported not stored', ({ totals }) => totals.notStored),
      row(
        'not answered by the end',
        ({ totals }) => load.records - totals.acknowledged - totals.unknown - totals.notStored,
      ),
    ],
  )
}

export function settingsTable({ clients }: ProofData): Markup {
  const names = [...new Set(clients.flatMap(({ settings }) => Object.keys(settings)))]
  const rows = names.map((name) => [
    name,
    ...clients.map(({ settings }) => (name in settings ? String(settings[name]) : null)),
  ])
  return table('Settings of both', ['', ...clients.map(({ name, version }) => `${name} ${version}`)], rows)
}

/** Of the records that were due during each fault; those between faults have a row of their own, so that all are there. */
export function faultTable({ faults, load }: ProofData, client: ClientData): Markup {
  const counts = [...faults.map(() => [0, 0, 0]), [0, 0, 0]]
  unpacked(client.map, load.records).forEach((state, record) => {
    const at = (record / load.perSecond) * 1_000
    const during = faults.findIndex(({ fromMs, toMs }) => at >= fromMs && at < toMs)
    const row = counts.at(during) as number[]
    const column = state === 1 ? 0 : state === 2 || state === 3 ? 1 : state === 4 ? 2 : -1
    if (column >= 0) row[column] = (row[column] ?? 0) + 1
  })
  const names = faults.map(({ target, fromMs, toMs, count }) => {
    const often = count > 1 ? `, ${figure(count)} times` : ''
    return `${target} (${Math.round(fromMs / 1_000)}–${Math.round(toMs / 1_000)} s${often})`
  })
  const rows = [...names, 'no fault'].map((name, index) => [name, ...(counts[index] ?? [])])
  return table(`${client.name}: records due meanwhile`, ['', 'lost', 'doubled', 'unknown'], rows)
}

const stepMs = 5_000

export function courseTable(client: ClientData): Markup {
  const { acknowledged, lost, doubled, lag } = client.every500ms
  const perStep = stepMs / 500
  const rows = Array.from({ length: Math.ceil(acknowledged.length / perStep) }, (_, step) => {
    const last = Math.min(acknowledged.length, (step + 1) * perStep) - 1
    const sum = acknowledged.slice(step * perStep, last + 1).reduce((total, count) => total + count, 0)
    return [timeText((last + 1) * 500), sum, lost[last] ?? null, doubled[last] ?? null, lag[last] ?? null]
  })
  const caption = `${client.name} over time: newly acknowledged, and what was lost, doubled and not yet handled until then`
  return table(caption, ['until', 'new', 'lost', 'doubled', 'not yet handled'], rows)
}

export function details(summary: string, ...inside: readonly Markup[]): Markup {
  return element('details', {}, element('summary', {}, words(summary)), ...inside, nothing)
}
