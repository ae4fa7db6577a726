import type { LetterRow, LettersView } from '../../letters/letter-look.js'
import type { RedriveView } from '../../letters/redrives.js'
import type { RestingRedrive } from '../../model/redrive-group.js'
import { useAsked } from '../ask.js'
import { Answered } from '../parts/answered.js'
import { ReadAgain } from '../parts/read-again.js'
import { Moment, Nothing, Unknown } from '../parts/said.js'
import { Table, type Column } from '../parts/table.js'
import { filterOf, filters, textsOf } from '../letter-filter.js'
import { change, hrefOf, linkTo } from '../route.js'
import { countOf, momentOf, plural } from '../text.js'
import { sizeText } from '../../../text/figures.js'
import { useEffect } from 'preact/hooks'

interface Parts {
  readonly topic: string
  readonly query: Readonly<Record<string, string>>
  /** Redrives of it. */
  readonly resting: readonly RestingRedrive[]
  readonly redrives: readonly RedriveView[]
}

export function LettersOf({ topic, query, resting, redrives }: Parts) {
  const filter = filterOf(query)
  const { value, problem, isAsking, again } = useAsked<LettersView>('api/letters', { topic, ...filter })
  const ended = redrives.filter((one) => one.topic === topic && one.state !== 'running' && one.progress !== null).length
  useEffect(() => {
    if (ended > 0) again()
  }, [ended])
  return (
    <>
      <Answered title={topic} waiting="Reading the letters" verdict={value?.verdict ?? null} problem={problem} />
      {value === null ? null : (
        <>
          <Conditions query={query} view={value} />
          <div class="controls">
            {value.counts.letters === 0 ? null : (
              <a class="button" href={hrefOf(linkTo('redrive', topic), query)} data-action>
                Send {plural(value.counts.letters, 'letter')} back …
              </a>
            )}
            <ReadAgain at={value.at} isAsking={isAsking} again={again} />
          </div>
          {value.unread === 0 ? null : (
            <p class="soft">
              Only the newest letters were read: {countOf(value.unread)} older ones are in no figure here.
            </p>
          )}
          {value.unseen.length === 0 ? null : (
            <p class="soft">
              Without a leader, and in no figure here: {value.unseen.length === 1 ? 'partition' : 'partitions'}{' '}
              {value.unseen.join(', ')}.
            </p>
          )}
          <Redrives
            resting={resting}
            running={redrives.filter((one) => one.topic === topic && one.state === 'running')}
          />
          <OverTime view={value} />
          <Newest view={value} />
        </>
      )}
    </>
  )
}

/** What goes on, and what was stopped or killed on its way: by nothing else would somebody who comes anew know of it. */
function Redrives({
  resting,
  running,
}: {
  readonly resting: readonly RestingRedrive[]
  readonly running: readonly RedriveView[]
}) {
  const stopped = resting.filter(({ left }) => left !== 0)
  if (running.length + stopped.length === 0) return null
  return (
    <section aria-labelledby="redrives">
      <h2 id="redrives">Redrives of it</h2>
      <ul class="plain">
        {running.map(({ id, topic, filter, to }) => (
          <li key={id} data-row>
            <a href={hrefOf(linkTo('redrive', topic), { ...textsOf(filter), id })}>One to {to.join(', ')} is running</a>
          </li>
        ))}
        {stopped.map(({ group, link, left }) => (
          <li key={group} data-row>
            <a href={hrefOf(link)}>{group}</a>{' '}
            {left === null ? 'has not done' : `does not run, and has not come to ${plural(left, 'letter')} at most`}
            <span class="soft">
              {' '}
              → choose the same letters and topics: the dry run tells what it did, and it goes on
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

/** What is meant; each of the names that occur can be chosen. */
function Conditions({ query, view }: { readonly query: Readonly<Record<string, string>>; readonly view: LettersView }) {
  const { byReason, byError, byOrigin, byGroup } = view.counts
  const names = { reason: byReason, error: byError, origin: byOrigin, group: byGroup }
  return (
    <div class="controls">
      {filters.map(({ name, title }) => (
        <Choice
          key={name}
          title={title}
          isFirst={name === 'reason'}
          options={optionsOf(names[name], query[name])}
          chosen={query[name] ?? ''}
          onChoose={(value) => change({ [name]: value })}
        />
      ))}
    </div>
  )
}

interface ChoiceParts {
  readonly title: string
  readonly isFirst: boolean
  readonly options: readonly (readonly [name: string, count: number | null])[]
  readonly chosen: string
  readonly onChoose: (name: string) => void
}

/** By number: names from outside stand in no attribute. */
function Choice({ title, isFirst, options, chosen, onChoose }: ChoiceParts) {
  return (
    <label class="field">
      {title}
      <select
        data-filter={isFirst ? true : undefined}
        value={String(options.findIndex(([name]) => name === chosen))}
        onChange={({ currentTarget }) => onChoose(options[Number(currentTarget.value)]?.[0] ?? '')}
      >
        <option value="-1">any</option>
        {options.map(([name, count], index) => (
          <option key={name} value={String(index)}>
            {count === null ? name : `${name} (${countOf(count)})`}
          </option>
        ))}
      </select>
    </label>
  )
}

/** `none` and `other` stand for many, and cannot be chosen. */
function optionsOf(
  counts: Readonly<Record<string, number>>,
  chosen: string | undefined,
): readonly (readonly [string, number | null])[] {
  const named = Object.entries(counts).filter(([name]) => name !== 'none' && name !== 'other')
  const isThere = chosen === undefined || named.some(([name]) => name === chosen)
  return isThere ? named : [[chosen, null], ...named]
}

function OverTime({ view: { counts, buckets } }: { readonly view: LettersView }) {
  const [first, last] = [buckets[0], buckets.at(-1)]
  if (first === undefined || last === undefined) return null
  const most = Math.max(...buckets.map(({ byReason }) => Math.max(0, ...Object.values(byReason))))
  return (
    <section aria-labelledby="reasons">
      <h2 id="reasons">By reason over time</h2>
      <dl class="over-time">
        {Object.entries(counts.byReason).map(([reason, count]) => (
          <div key={reason}>
            <dt>
              {reason} <strong>{countOf(count)}</strong>
            </dt>
            <dd>
              <Columns
                values={buckets.map(({ byReason }) => (Object.hasOwn(byReason, reason) ? (byReason[reason] ?? 0) : 0))}
                most={most}
              />
            </dd>
          </div>
        ))}
        <div>
          <dt />
          <dd class="soft ends">
            <span>{momentOf(counts.oldestAt ?? first.from)}</span>
            <span>{momentOf(counts.newestAt ?? last.from)}</span>
          </dd>
        </div>
      </dl>
    </section>
  )
}

const [wide, high] = [480, 36]

function Columns({ values, most }: { readonly values: readonly number[]; readonly most: number }) {
  const step = wide / values.length
  const path = values
    .map((value, index) => {
      const height = value === 0 ? 0 : Math.max(2, (value / most) * high)
      return value === 0
        ? ''
        : `M${(index * step).toFixed(1)} ${high}v${-height.toFixed(1)}h${Math.max(1, step - 1).toFixed(1)}v${height.toFixed(1)}z`
    })
    .join('')
  return (
    <svg viewBox={`0 0 ${wide} ${high}`} class="columns" preserveAspectRatio="none" aria-hidden="true">
      <path class="lane" d={`M0 ${high}h${wide}`} />
      <path class="value" d={path} />
    </svg>
  )
}

const columns: readonly Column<LetterRow & { readonly topic: string }>[] = [
  {
    title: 'Failed',
    isHead: true,
    cell: ({ topic, partition, offset, failedAt }) => (
      <a href={hrefOf(linkTo('record', topic, partition, offset))}>
        <Moment at={failedAt} />
      </a>
    ),
  },
  { title: 'Reason', cell: ({ reason }) => reason ?? <Unknown why="no header tells it" /> },
  { title: 'Error class', cell: ({ error }) => error ?? <Unknown why="no header tells it" /> },
  { title: 'Origin', cell: ({ origin }) => origin ?? <Unknown why="no header tells it" /> },
  { title: 'Group', cell: ({ group }) => group ?? <Unknown why="no header tells it" /> },
  { title: 'Redriven', isFigure: true, cell: ({ hops }) => (hops === 0 ? 'never' : plural(hops, 'time')) },
  { title: 'Value', isFigure: true, cell: ({ bytes }) => sizeText(bytes) },
  {
    title: 'Key',
    cell: ({ keyHash }) =>
      keyHash === null ? 'none' : <code title="eight digits of a hash of the key">#{keyHash}</code>,
  },
]

function Newest({ view: { topic, rows, counts } }: { readonly view: LettersView }) {
  if (rows.length === 0) return null
  return (
    <>
      <h2>{rows.length < counts.letters ? `The newest ${rows.length}` : 'All of them'}</h2>
      <Table
        caption={`Letters of ${topic}`}
        columns={columns}
        rows={rows.map((row) => ({ ...row, topic }))}
        keyOf={({ partition, offset }) => `${partition} ${offset}`}
      />
      <Nothing text="Error texts, keys and values are hidden." next="Open a letter to see its headers." />
    </>
  )
}
