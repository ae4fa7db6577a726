import { hrefOf } from '../route.js'
import type { Overview } from '../../model/overview.js'
import { LagChart } from '../parts/lag-chart.js'
import { Nothing, Said, Waiting } from '../parts/said.js'
import { Sign } from '../parts/sign.js'
import { Title } from '../parts/title.js'
import { countOf, plural } from '../text.js'

export function OverviewPage({ overview }: { readonly overview: Overview | null }) {
  if (overview === null) {
    return (
      <>
        <Title text="Overview" />
        <Waiting what="Looking at the cluster" />
      </>
    )
  }
  const { verdict, headlines, more, counts, groups, letters } = overview
  return (
    <>
      <Title text="Overview" level={verdict.level} />
      <Said verdict={verdict} />
      <ul class="tiles" aria-label="Groups by how they stand">
        <li>
          <Sign level="act" /> <strong>{countOf(counts.act)}</strong> standing still, or losing records
        </li>
        <li>
          <Sign level="watch" /> <strong>{countOf(counts.watch)}</strong> to watch
        </li>
        <li>
          <Sign level="unjudged" /> <strong>{countOf(counts.unjudged)}</strong> cannot be judged
        </li>
        <li>
          <Sign level="ok" /> <strong>{countOf(counts.ok)}</strong> keeping up
        </li>
        <li>
          <a href="#/groups">{plural(groups, 'group')}</a>
        </li>
        <li>
          <a href="#/letters">{plural(letters, 'dead letter')} at most</a>
        </li>
      </ul>
      <h2>What needs somebody</h2>
      {headlines.length === 0 ? (
        <Nothing text="Nothing needs anybody now." next={<a href="#/groups">All groups</a>} />
      ) : (
        <ul class="headlines">
          {headlines.map((one) => (
            <li key={`${one.level} ${one.link}`} data-row data-level={one.level}>
              <Sign level={one.level} /> <a href={hrefOf(one.link)}>{one.text}</a>
              {one.action === null ? null : <span class="soft"> → {one.action}</span>}
            </li>
          ))}
        </ul>
      )}
      {more === 0 ? null : (
        <p class="soft">
          and {countOf(more)} more: see <a href="#/groups">all groups</a>
        </p>
      )}
      <h2>How far behind</h2>
      <LagChart lines={overview.lags} sentence="Lag of the groups that are most behind, over the last hour at most" />
      <Brokers overview={overview} />
      <Processes overview={overview} />
    </>
  )
}

function Brokers({ overview: { brokers, down, withoutLeader, underReplicated } }: { readonly overview: Overview }) {
  const ids = [...brokers.map((id) => ({ id, isUp: true })), ...down.map((id) => ({ id, isUp: false }))]
  return (
    <section aria-labelledby="brokers">
      <h2 id="brokers">Brokers</h2>
      <ul class="tiles">
        {ids
          .sort((one, other) => one.id - other.id)
          .map(({ id, isUp }) => (
            <li key={id}>
              <Sign level={isUp ? 'ok' : 'act'} /> broker {id} {isUp ? 'is up' : 'does not answer'}
            </li>
          ))}
        <li>
          <strong>{countOf(withoutLeader)}</strong> {withoutLeader === 1 ? 'partition' : 'partitions'} without a leader
        </li>
        <li>
          <strong>{countOf(underReplicated)}</strong> {underReplicated === 1 ? 'partition' : 'partitions'} with a
          replica behind
        </li>
      </ul>
    </section>
  )
}

function Processes({ overview: { processes } }: { readonly overview: Overview }) {
  return (
    <section aria-labelledby="processes">
      <h2 id="processes">Members that are asked</h2>
      {processes.length === 0 ? (
        <Nothing
          text="No process is asked for what only it knows: what it waits for, and what is in flight."
          next="Start the console with --members and the addresses of their health servers."
        />
      ) : (
        <ul class="plain">
          {processes.map(({ address, failure }) => (
            <li key={address}>
              <Sign level={failure === null ? 'ok' : 'unjudged'} /> {address} {failure ?? 'answers'}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
