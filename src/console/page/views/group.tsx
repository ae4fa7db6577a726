import { timeText } from '../../../text/figures.js'
import type { GroupView, MemberRow, PartitionRow } from '../../model/group-views.js'
import { Bar } from '../parts/bar.js'
import { Fact } from '../parts/fact.js'
import { Filter, More } from '../parts/filter.js'
import { LagChart } from '../parts/lag-chart.js'
import { Nothing, Said, Time, Unknown, Waiting } from '../parts/said.js'
import { Sign } from '../parts/sign.js'
import { Table, type Column } from '../parts/table.js'
import { Title } from '../parts/title.js'
import { Trend } from '../parts/trend.js'
import { hrefOf, linkTo } from '../route.js'
import { countOf, plural } from '../text.js'

interface Parts {
  readonly name: string
  /** `null`: nobody knows it; `undefined`: it was not told yet. */
  readonly group: GroupView | null | undefined
  readonly query: Readonly<Record<string, string>>
}

export function GroupPage({ name, group, query }: Parts) {
  if (group === undefined || group === null) {
    return (
      <>
        <Title text={name} />
        {group === undefined ? (
          <Waiting what="Looking at the group" />
        ) : (
          <Nothing text={`No group ${name} is known.`} next={<a href="#/groups">All groups</a>} />
        )}
      </>
    )
  }
  return (
    <>
      <Title text={name} level={group.verdict.level} />
      <Said verdict={group.verdict} />
      <dl class="facts">
        <Fact name="Behind">
          <Time ms={group.lagMs} why="not watched for long enough, or never committed" />
        </Fact>
        <Fact name="Records">
          {group.lag === null ? (
            <Unknown why="never committed, or not seen" />
          ) : (
            <>
              {countOf(group.lag)} <Part group={group} />
            </>
          )}
        </Fact>
        <Fact name="Caught up in">
          <Time ms={group.drainMs} why="it does not shrink, or not yet long enough to tell" />
        </Fact>
        <Fact name="State">{group.state ?? <Unknown why="its coordinator did not describe it" />}</Fact>
        <Fact name="Divided by">{dividedBy(group)}</Fact>
        <Fact name="Coordinator">
          {group.coordinator === null ? <Unknown why="not described" /> : `broker ${group.coordinator}`}
        </Fact>
      </dl>
      <LagChart
        lines={[{ group: name, level: group.verdict.level, samples: group.history }]}
        sentence={`Lag of ${name}, over the last hour at most`}
      />
      <h2>Partitions</h2>
      <div class="controls">
        <Filter what="Filter by topic and number" value={query['filter'] ?? ''} />
        <a class="button" href={hrefOf(linkTo('reset', name))} data-action>
          Where it would start after a reset
        </a>
      </div>
      <Partitions group={group} />
      <h2>Members</h2>
      {group.members.length === 0 ? (
        <Nothing text="It has no members." next="Start its consumers; with records waiting nobody reads them." />
      ) : (
        <Table
          caption={`Members of ${name}`}
          columns={memberColumns}
          rows={group.members}
          keyOf={({ memberId }) => memberId}
        />
      )}
    </>
  )
}

/** What is not known is in no figure. */
function Part({ group: { unknown, partitions } }: { readonly group: GroupView }) {
  if (unknown === 0) return null
  return (
    <span class="soft">
      on {countOf(partitions - unknown)} of {countOf(partitions)} partitions
    </span>
  )
}

function dividedBy({ type, epoch }: GroupView): string {
  if (type === null) return '–'
  const by = type === 'consumer' ? 'its coordinator' : 'one of its members'
  return epoch === null ? by : `${by}, epoch ${epoch}`
}

function Partitions({ group: { group, rows, matching, partitions, unseen, mostLag } }: { readonly group: GroupView }) {
  if (partitions === 0)
    return <Nothing text="It has committed nothing, and reads nothing." next="Start its consumers." />
  const columns = partitionColumns(mostLag)
  return (
    <>
      {unseen.length === 0 ? null : (
        <ul class="plain" aria-label="Partitions that could not be seen">
          {unseen.slice(0, 20).map((part) => (
            <li key={`${part.topic} ${part.partition}`} data-level="unjudged">
              <Sign level="unjudged" /> {part.topic}
              {part.partition === null ? '' : `-${part.partition}`} <Unknown why={whyOf(part)} />{' '}
              <span class="soft">{whyOf(part)}</span>
            </li>
          ))}
          {unseen.length > 20 ? <li class="soft">and {plural(unseen.length - 20, 'more')}</li> : null}
        </ul>
      )}
      {rows.length === 0 ? (
        <Nothing text="No partition has such a name." next="Take something from the filter away." />
      ) : (
        <Table
          caption={`Partitions of ${group}`}
          columns={columns}
          rows={rows}
          all={matching}
          keyOf={({ link }) => link}
          levelOf={({ verdict }) => verdict.level}
        />
      )}
      <More shown={rows.length} matching={matching} what="partitions" />
    </>
  )
}

const whys = {
  'no-leader': 'it has no leader: its brokers are down',
  'not-there': 'the group has committed there, and it does not exist any more',
} as const

function whyOf(part: GroupView['unseen'][number]): string {
  return part.reason === 'failed' ? `its broker did not tell: ${part.why}` : whys[part.reason]
}

const noFacts = 'its process is not asked: give its health server as --members'

function partitionColumns(mostLag: number): readonly Column<PartitionRow>[] {
  return [
    {
      title: 'Partition',
      isHead: true,
      cell: ({ topic, partition, link, verdict }) => (
        <>
          <Sign level={verdict.level} />{' '}
          <a href={hrefOf(link)}>
            {topic}-{partition}
          </a>
        </>
      ),
    },
    {
      title: 'Behind',
      isFigure: true,
      cell: ({ lagMs, lag }) => (
        <Time ms={lagMs} why={lag === null ? 'never committed' : 'not watched for long enough'} />
      ),
    },
    {
      title: 'Records',
      isFigure: true,
      cell: ({ lag }) =>
        lag === null ? (
          <Unknown why="never committed: where it would start only its process knows" />
        ) : (
          <>
            <Bar value={lag} most={mostLag} /> {countOf(lag)}
          </>
        ),
    },
    { title: 'Trend', cell: ({ trend }) => <Trend values={trend} /> },
    {
      title: 'In flight',
      isFigure: true,
      cell: ({ inFlight }) => (inFlight === null ? <Unknown why={noFacts} /> : countOf(inFlight)),
    },
    {
      title: 'Waits for',
      cell: ({ waitsFor, inFlight }) => waitsFor ?? (inFlight === null ? <Unknown why={noFacts} /> : 'nothing'),
    },
    {
      title: 'Committed',
      isFigure: true,
      cell: ({ committed }) => (committed === null ? <Unknown why="never committed" /> : countOf(committed)),
    },
    { title: 'Owner', cell: ({ owner }) => owner ?? <Unknown why="nobody has it" /> },
    { title: 'Stands still', isFigure: true, cell: ({ standsMs }) => (standsMs === null ? 'no' : timeText(standsMs)) },
  ]
}

const memberColumns: readonly Column<MemberRow>[] = [
  { title: 'Member', isHead: true, cell: ({ name }) => name },
  { title: 'Partitions', isFigure: true, cell: ({ partitions }) => countOf(partitions) },
  {
    title: 'In flight',
    isFigure: true,
    cell: ({ facts }) => (facts === null ? <Unknown why={noFacts} /> : countOf(facts.inFlight)),
  },
  {
    title: 'Oldest handler',
    isFigure: true,
    cell: ({ facts, oldestHandlerMs }) =>
      facts === null ? <Unknown why={noFacts} /> : oldestHandlerMs === null ? 'none runs' : timeText(oldestHandlerMs),
  },
  { title: 'Host', cell: ({ clientHost }) => clientHost.replace(/^\//, '') },
  { title: 'Client', cell: ({ clientId }) => clientId },
]
