import { useState } from 'preact/hooks'
import type { ResetView } from '../../model/reset-view.js'
import { useAsked } from '../ask.js'
import { Command } from '../parts/copy.js'
import { Nothing, Said, Trouble, Unknown, Waiting } from '../parts/said.js'
import { Table, type Column } from '../parts/table.js'
import { Title } from '../parts/title.js'
import { change, hrefOf, linkTo } from '../route.js'
import { countOf, plural } from '../text.js'

interface Parts {
  readonly group: string
  readonly query: Readonly<Record<string, string>>
}

/** Where a group would start. It is shown here, and done on a command line. */
export function ResetPage({ group, query }: Parts) {
  const to = query['to'] ?? ''
  return (
    <>
      <Title text={`Where ${group} would start after a reset`} />
      <p>
        Nothing is changed here. <a href={hrefOf(linkTo('group', group))}>Back to {group}</a>
      </p>
      <Choose to={to} />
      {to === '' ? null : <Result group={group} to={to} />}
    </>
  )
}

const choices: readonly (readonly [to: string, title: string])[] = [
  ['earliest', 'the first record that is left'],
  ['latest', 'the end: only what comes from now on'],
  ['time', 'a time'],
  ['offset', 'an offset'],
  ['shift', 'so many records on, or back'],
]

function kindOf(to: string): string {
  if (to === '' || to === 'earliest' || to === 'latest') return to === '' ? 'earliest' : to
  if (to.includes('T')) return 'time'
  return /^[+-]/.test(to) ? 'shift' : 'offset'
}

function Choose({ to }: { readonly to: string }) {
  const [kind, setKind] = useState(kindOf(to))
  const [value, setValue] = useState(kind === 'offset' || kind === 'shift' ? to : '')
  const show = (event: Event) => {
    event.preventDefault()
    change({ to: positionOf(kind, value) })
  }
  return (
    <form class="controls" onSubmit={show}>
      <label class="field">
        From
        <select value={kind} onChange={({ currentTarget }) => setKind(currentTarget.value)}>
          {choices.map(([choice, title]) => (
            <option key={choice} value={choice}>
              {title}
            </option>
          ))}
        </select>
      </label>
      {kind === 'earliest' || kind === 'latest' ? null : (
        <label class="field">
          {kind === 'time' ? 'Time, by your clock' : kind === 'offset' ? 'Offset' : 'Records: -100 or +100'}
          {kind === 'time' ? (
            <input
              required
              type="datetime-local"
              step="1"
              value={value}
              onInput={({ currentTarget }) => setValue(currentTarget.value)}
            />
          ) : (
            <input
              required
              type="text"
              pattern={kind === 'offset' ? '\\d{1,15}' : '[+\\-]?\\d{1,15}'}
              value={value}
              onInput={({ currentTarget }) => setValue(currentTarget.value)}
            />
          )}
        </label>
      )}
      <button type="submit">Show it</button>
    </form>
  )
}

function positionOf(kind: string, value: string): string {
  if (kind === 'time') return new Date(value).toISOString()
  if (kind === 'offset') return value
  if (kind === 'shift') return /^[+-]/.test(value) ? value : `+${value}`
  return kind
}

const columns: readonly Column<ResetView['rows'][number]>[] = [
  {
    title: 'Partition',
    isHead: true,
    cell: ({ topic, partition, link }) => (
      <a href={hrefOf(link)}>
        {topic}-{partition}
      </a>
    ),
  },
  {
    title: 'Now',
    isFigure: true,
    cell: ({ from }) => (from === null ? <Unknown why="never committed" /> : countOf(from)),
  },
  { title: 'Then', isFigure: true, cell: ({ offset }) => countOf(offset) },
  {
    title: 'Change',
    isFigure: true,
    cell: ({ change }) =>
      change === null ? (
        <Unknown why="never committed" />
      ) : change < 0 ? (
        `${countOf(-change)} again`
      ) : change > 0 ? (
        `skips ${countOf(change)}`
      ) : (
        'none'
      ),
  },
  { title: 'First', isFigure: true, cell: ({ earliest }) => countOf(earliest) },
  { title: 'End', isFigure: true, cell: ({ latest }) => countOf(latest) },
]

function Result({ group, to }: { readonly group: string; readonly to: string }) {
  const { value, problem, isAsking } = useAsked<ResetView>('api/reset', { group, to })
  if (value === null || isAsking)
    return problem === null ? <Waiting what="Looking it up" /> : <Trouble problem={problem} />
  const { verdict, rows, partitions, command } = value
  return (
    <>
      <Said verdict={verdict} />
      <Trouble problem={problem} />
      <p>
        <Command text={command} />
      </p>
      {rows.length === 0 ? (
        <Nothing text="Nothing could be reset." next="" />
      ) : (
        <Table
          caption={`Reset of ${group}`}
          columns={columns}
          rows={rows}
          keyOf={({ link }) => link}
          all={partitions}
        />
      )}
      {rows.length < partitions ? (
        <p class="soft">
          {rows.length} of {plural(partitions, 'partition')}; the command shows all with --dry-run.
        </p>
      ) : null}
    </>
  )
}
