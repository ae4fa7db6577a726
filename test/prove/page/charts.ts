import type { Point } from '../../../src/pictures/series.js'
import type { Theme, Token } from '../../../src/pictures/theme.js'
import { timeChart, type Line, type Strip } from '../../../src/pictures/time-chart.js'
import { timeText } from '../../../src/text/figures.js'
import type { ClientData, ProofData } from '../proof-data.js'
import { figure, sentenceOf } from '../sentence.js'

const sampleMs = 500
/** Of what is counted in whole records: no half ones on the axis. */
const leastScale = 10
const isOurs = ({ name }: ClientData): boolean => name === 'tidemark'
const form = (client: ClientData) => ({ tone: isOurs(client) ? 'ours' : 'peer', dashed: !isOurs(client) }) as const

/** What a whole half second came to, in its middle; what is true at its end, at its end. */
const inMiddle = (values: readonly (number | null)[]): readonly Point[] =>
  values.map((value, index) => [(index + 0.5) * sampleMs, value ?? undefined])
const atEnd = (values: readonly (number | null)[]): readonly Point[] =>
  values.map((value, index) => [(index + 1) * sampleMs, value ?? undefined])

export function lengthMs({ load }: ProofData): number {
  return (load.records / load.perSecond) * 1_000
}

/** One axis of time for everything; with `plotWidth` labels stand beside it. The same fault is seen to cut through both clients. */
export function proofChart(data: ProofData, theme: Theme, width: number, plotWidth?: number): string {
  const bands = data.faults.map(({ kind, target, fromMs, toMs }) => ({
    kind,
    name: target,
    from: fromMs,
    to: Math.min(toMs, lengthMs(data)),
  }))
  const strips = [acknowledged(data), running(data), lag(data)]
  const range = { from: 0, to: lengthMs(data), clock: { kind: 'elapsed' } } as const
  const labels = plotWidth === undefined ? ({ labels: 'above' } as const) : ({ labels: 'beside', plotWidth } as const)
  return timeChart({ sentence: sentenceOf(data), ...range, ...labels, bands, strips }, theme, width)
}

function acknowledged({ clients }: ProofData): Strip {
  const perSecond = (counts: readonly number[]) => counts.map((count) => count * (1_000 / sampleMs))
  const lines = clients.map((client): Line => ({
    ...form(client),
    label: client.name,
    points: inMiddle(perSecond(client.every500ms.acknowledged)),
  }))
  return { title: 'Acknowledged per second', height: 90, lines }
}

function running({ clients }: ProofData): Strip {
  const lines = clients.flatMap((client): readonly Line[] => {
    const { lost, doubled } = client.totals
    const line = (what: 'lost' | 'doubled', label: string, tone: Token): Line => ({
      ...form(client),
      tone,
      label,
      bold: isOurs(client),
      points: [[0, 0], ...atEnd(client.every500ms[what])],
    })
    if (lost + doubled === 0) return [line('lost', `${client.name}: lost 0, doubled 0`, form(client).tone)]
    return [
      line('doubled', `${client.name}: doubled ${figure(doubled)}`, 'doubled'),
      line('lost', `${client.name}: lost ${figure(lost)}`, 'lost'),
    ]
  })
  return { title: 'Lost and doubled, running totals', height: 90, lines, greatest: leastScale }
}

function lag(data: ProofData): Strip {
  const { clients } = data
  const lines = clients.map((client): Line => ({
    ...form(client),
    label: client.name,
    points: atEnd(client.every500ms.lag),
  }))
  const backs = clients.flatMap((client) =>
    client.rebalances.map(({ atMs, tookMs }) => ({
      at: atMs + tookMs,
      text: `${client.name} back after ${timeText(tookMs)}`,
      tone: form(client).tone,
    })),
  )
  const marks = backs.filter(({ at }) => at <= lengthMs(data))
  return { title: 'Acknowledged, not yet handled', height: 70, lines, marks }
}
