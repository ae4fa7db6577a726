import type { GroupRow, GroupsView } from '../../model/group-views.js'
import { Filter, More } from '../parts/filter.js'
import { Nothing, Time, Unknown, Waiting } from '../parts/said.js'
import { Sign } from '../parts/sign.js'
import { Table, type Column } from '../parts/table.js'
import { Title } from '../parts/title.js'
import { Trend } from '../parts/trend.js'
import { change, hrefOf } from '../route.js'
import { countOf } from '../text.js'

const orders: readonly (readonly [order: string, title: string])[] = [
  ['worst', 'worst first'],
  ['behind', 'most records first'],
  ['name', 'by name'],
]

const neverSeen = 'none of its partitions could be seen with a commit'

const columns: readonly Column<GroupRow>[] = [
  {
    title: 'Group',
    isHead: true,
    cell: ({ group, link, verdict }) => (
      <>
        <Sign level={verdict.level} /> <a href={hrefOf(link)}>{group}</a>
      </>
    ),
  },
  {
    title: 'How it stands',
    isHead: true,
    cell: ({ group, verdict }) => <span class="told">{shortened(verdict.text, group)}</span>,
  },
  {
    title: 'Behind',
    isFigure: true,
    cell: ({ lagMs, lag }) => <Time ms={lagMs} why={lag === null ? neverSeen : 'not watched for long enough'} />,
  },
  { title: 'Records', isFigure: true, cell: ({ lag }) => (lag === null ? <Unknown why={neverSeen} /> : countOf(lag)) },
  { title: 'Trend', cell: ({ trend }) => <Trend values={trend} /> },
  { title: 'Members', isFigure: true, cell: ({ members }) => countOf(members) },
  {
    title: 'Partitions',
    isFigure: true,
    cell: ({ partitions, unknown }) => `${countOf(partitions)}${unknown === 0 ? '' : ` (${countOf(unknown)} –)`}`,
  },
  {
    title: 'State',
    cell: ({ state, type }) => <span class="soft">{[state ?? 'not described', type].filter(Boolean).join(' · ')}</span>,
  },
]

/** The name stands beside it already. */
function shortened(text: string, group: string): string {
  return text.startsWith(`${group} `) ? text.slice(group.length + 1) : text
}

interface Parts {
  readonly groups: GroupsView | null
  readonly query: Readonly<Record<string, string>>
}

export function GroupsPage({ groups, query }: Parts) {
  return (
    <>
      <Title text="Groups" />
      <div class="controls">
        <Filter what="Filter by name" value={query['filter'] ?? ''} />
        <label class="field">
          Order
          <select
            value={query['order'] ?? 'worst'}
            onChange={({ currentTarget }) => change({ order: currentTarget.value })}
          >
            {orders.map(([order, title]) => (
              <option key={order} value={order}>
                {title}
              </option>
            ))}
          </select>
        </label>
      </div>
      {groups === null ? <Waiting what="Looking at the groups" /> : <Groups groups={groups} />}
    </>
  )
}

function Groups({ groups: { rows, matching, groups } }: { readonly groups: GroupsView }) {
  if (groups === 0) {
    return <Nothing text="No group has ever committed here." next="Start one, or check the address of the cluster." />
  }
  if (rows.length === 0) return <Nothing text="No group has such a name." next="Take something from the filter away." />
  return (
    <>
      <Table
        caption="Groups"
        columns={columns}
        rows={rows}
        all={matching}
        keyOf={({ group }) => group}
        levelOf={({ verdict }) => verdict.level}
      />
      <More shown={rows.length} matching={matching} what="groups" />
    </>
  )
}
