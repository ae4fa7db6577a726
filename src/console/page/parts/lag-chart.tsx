import { timeText } from '../../../text/figures.js'
import { variables } from '../../../pictures/theme.js'
import { timeChart, type Line } from '../../../pictures/time-chart.js'
import type { LagLine } from '../../model/overview.js'
import { countOf } from '../text.js'
import { Drawn } from './drawn.js'

const narrow = 700
const height = 80
const leastMs = 60_000

/** How far behind groups were, in time and in records; what was not known is a gap. */
export function LagChart({ lines, sentence }: { readonly lines: readonly LagLine[]; readonly sentence: string }) {
  const ats = lines.flatMap(({ samples }) => samples.map(({ at }) => at))
  if (ats.length < 2) return <p class="soft">After a few looks this shows how lag goes …</p>
  const [first, to] = [Math.min(...ats), Math.max(...ats)]
  const clock = { kind: 'day', offsetMs: -new Date(to).getTimezoneOffset() * 60_000 } as const
  const from = Math.min(first, to - leastMs)
  const ofAll = (line: (of: LagLine) => Omit<Line, 'bold'>) =>
    lines.map((one, index): Line => ({ ...line(one), bold: index === 0 }))
  const inTime = ofAll(({ group, level, samples }) => {
    const lagMs = samples.at(-1)?.lagMs ?? null
    return {
      label: `${group} ${timeText(lagMs) ?? '–'}`,
      tone: level,
      points: samples.map(({ at, lagMs }) => [at, lagMs === null ? undefined : lagMs / 1_000]),
    }
  })
  const inRecords = ofAll(({ group, level, samples }) => ({
    label: `${group} ${countOf(samples.at(-1)?.lag ?? null)}`,
    tone: level,
    points: samples.map(({ at, lag }) => [at, lag]),
  }))
  const isTimed = inTime.some(({ points }) => points.some(([, seconds]) => seconds !== undefined))
  const strips = [
    ...(isTimed ? [{ title: 'Behind, in time', unit: ' s', height, lines: inTime }] : []),
    { title: 'Records to read', height, lines: inRecords },
  ]
  return (
    <Drawn
      height={strips.length * 112 + 20}
      draw={(width) =>
        timeChart({ sentence, from, to, clock, strips, labels: width < narrow ? 'above' : 'beside' }, variables, width)
      }
    />
  )
}
