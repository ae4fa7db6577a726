import type { PartitionSight } from '../../model/sight.js'
import { countOf } from '../text.js'

interface Mark {
  readonly name: string
  readonly offset: number
  readonly kind: 'start' | 'committed' | 'settled' | 'fetched' | 'end'
}

/** Of the width. */
const [left, right] = [1, 99]
const line = 22
/** A gap is never so small that two marks cover each other, nor so large that it hides the others. */
const leastGap = 8

/** Where the group stands in the log, drawn; the figures stand below, in the same order. */
export function PlaceInLog({ sight }: { readonly sight: PartitionSight }) {
  const marks = marksOf(sight)
  const at = placesOf(marks)
  const of = (kind: Mark['kind']) => at[marks.findIndex((mark) => mark.kind === kind)]
  const [committed, settled, fetched] = [of('committed'), of('settled'), of('fetched')]
  return (
    <figure>
      <svg class="log" aria-hidden="true">
        <line x1={share(left)} x2={share(right)} y1={line} y2={line} />
        {committed === undefined ? null : (
          <line class="done" x1={share(left)} x2={share(committed)} y1={line} y2={line} />
        )}
        {settled === undefined || committed === undefined ? null : (
          <line class="settled" x1={share(committed)} x2={share(settled)} y1={line} y2={line} />
        )}
        {settled === undefined || fetched === undefined ? null : (
          <line class="received" x1={share(settled)} x2={share(fetched)} y1={line} y2={line} />
        )}
        {marks.map(({ kind }, index) => (
          <svg key={kind} x={share(at[index] ?? left)} class="mark">
            <MarkShape kind={kind} x={0} />
          </svg>
        ))}
      </svg>
      <figcaption>
        <ol class="marks">
          {marks.map(({ kind, name, offset }) => (
            <li key={kind}>
              <svg width="16" height="16" viewBox="0 0 16 16" class="log" aria-hidden="true">
                <MarkShape kind={kind} x={8} y={8} />
              </svg>
              <span class="soft">{name}</span> {countOf(offset)}
            </li>
          ))}
          {sight.committed === null ? <li>nothing was ever committed</li> : null}
        </ol>
      </figcaption>
    </figure>
  )
}

function marksOf({ start, end, committed, facts }: PartitionSight): readonly Mark[] {
  const marks: readonly (Mark | null)[] = [
    { name: 'log starts', offset: start, kind: 'start' },
    committed === null ? null : { name: 'committed', offset: committed, kind: 'committed' },
    facts === null ? null : { name: 'next to settle', offset: facts.settled, kind: 'settled' },
    facts === null ? null : { name: 'fetched to', offset: facts.position, kind: 'fetched' },
    { name: 'log ends', offset: end, kind: 'end' },
  ]
  return marks.filter((mark) => mark !== null).sort((one, other) => one.offset - other.offset)
}

/** In proportion, within what can still be seen. */
function placesOf(marks: readonly Mark[]): readonly number[] {
  const gaps = marks.slice(1).map(({ offset }, index) => offset - (marks[index] as Mark).offset)
  const whole = gaps.reduce((sum, gap) => sum + gap, 0)
  const free = right - left - leastGap * gaps.filter((gap) => gap > 0).length
  const places = [left]
  for (const gap of gaps) {
    const before = places.at(-1) as number
    places.push(gap === 0 ? before : before + leastGap + (gap / whole) * free)
  }
  return places
}

function share(part: number): string {
  return `${part.toFixed(2)}%`
}

function MarkShape({ kind, x, y = line }: { readonly kind: Mark['kind']; readonly x: number; readonly y?: number }) {
  switch (kind) {
    case 'start':
      return <path class="edge" d={`M${x} ${y - 7}V${y + 7}`} />
    case 'end':
      return <path class="edge" d={`M${x} ${y - 7}V${y + 7}M${x - 4} ${y - 7}V${y + 7}`} />
    case 'committed':
      return <path class="committed" d={`M${x} ${y}l6 8h-12z`} />
    case 'settled':
      return <circle class="running" cx={x} cy={y} r="5" />
    case 'fetched':
      return <path class="fetched" d={`M${x} ${y - 6}v12M${x - 6} ${y}h12`} />
  }
}
