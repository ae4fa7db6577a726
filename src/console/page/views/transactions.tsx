import { useEffect } from 'preact/hooks'
import type { TransactionRow, TransactionsView } from '../../model/transactions-view.js'
import { useAsked } from '../ask.js'
import { Answered } from '../parts/answered.js'
import { Command } from '../parts/copy.js'
import { Nothing, Time, Unknown } from '../parts/said.js'
import { Sign } from '../parts/sign.js'
import { Table, type Column } from '../parts/table.js'
import { hrefOf, linkTo } from '../route.js'
import { countOf, plural } from '../text.js'

/** Only while this view is open. */
const everyMs = 10_000

const columns: readonly Column<TransactionRow>[] = [
  {
    title: 'Transactional id',
    isHead: true,
    cell: ({ transactionalId, verdict }) => (
      <>
        <Sign level={verdict.level} /> {transactionalId ?? <span class="soft">(no id)</span>}
      </>
    ),
  },
  { title: 'State', cell: ({ state }) => state },
  { title: 'Open for', isFigure: true, cell: ({ openMs }) => <Time ms={openMs} why="its coordinator does not tell" /> },
  {
    title: 'Times out after',
    isFigure: true,
    cell: ({ timeoutMs }) => <Time ms={timeoutMs} why="no coordinator knows it" />,
  },
  { title: 'Producer', cell: ({ producer }) => <code>{producer}</code> },
  {
    title: 'Partitions',
    cell: ({ places }) =>
      places.length === 0 ? (
        <span class="soft">none written yet</span>
      ) : (
        places
          .slice(0, 6)
          .map(({ topic, partition }) => `${topic}-${partition}`)
          .join(', ') + (places.length > 6 ? ` and ${places.length - 6} more` : '')
      ),
  },
  { title: 'Hides', isFigure: true, cell: ({ hides }) => countOf(hides) },
  {
    title: 'Readers that wait',
    cell: ({ readers }) =>
      readers.length === 0 ? (
        <Unknown why="no group has committed there" />
      ) : (
        readers.slice(0, 6).map((group, index) => (
          <span key={group}>
            {index === 0 ? '' : ', '}
            <a href={hrefOf(linkTo('group', group))}>{group}</a>
          </span>
        ))
      ),
  },
]

export function TransactionsPage() {
  const { value, problem, again } = useAsked<TransactionsView>('api/transactions', {})
  useEffect(() => {
    const timer = setInterval(() => again(), everyMs)
    return () => clearInterval(timer)
  }, [])
  return (
    <>
      <Answered
        title="Transactions"
        waiting="Asking the coordinators"
        verdict={value?.verdict ?? null}
        problem={problem}
      />
      {value === null ? null : <Rows view={value} />}
    </>
  )
}

function Rows({ view: { rows, idle } }: { readonly view: TransactionsView }) {
  const commands = rows.flatMap((row) => row.commands)
  return (
    <>
      {rows.length === 0 ? (
        <Nothing text="Readers of committed records see all there is." next="" />
      ) : (
        <Table
          caption="Open transactions"
          columns={columns}
          rows={rows}
          keyOf={({ transactionalId, producer }) => transactionalId ?? producer}
          levelOf={({ verdict }) => verdict.level}
        />
      )}
      {commands.length === 0 ? null : (
        <>
          <h2>What ends those that hang</h2>
          <ul class="plain">
            {commands.map((command) => (
              <li key={command}>
                <Command text={command} />
              </li>
            ))}
          </ul>
        </>
      )}
      {idle === 0 ? null : <p class="soft">{plural(idle, 'transactional id')} with none open.</p>}
    </>
  )
}
