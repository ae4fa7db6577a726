import { timeText } from '../../../text/figures.js'
import type { PartitionView } from '../../model/group-views.js'
import type { About } from '../../server/app.js'
import { Fact } from '../parts/fact.js'
import { PlaceInLog } from '../parts/place-in-log.js'
import { Nothing, Said, Time, Unknown, Waiting } from '../parts/said.js'
import { Title } from '../parts/title.js'
import { Trend } from '../parts/trend.js'
import { hrefOf, linkTo } from '../route.js'
import { countOf } from '../text.js'
import { RecordPart } from './record.js'

interface Parts {
  readonly group: string
  readonly topic: string
  readonly partition: number
  /** `null`: the group has no such partition; `undefined`: it was not told yet. */
  readonly view: PartitionView | null | undefined
  readonly about: About | null
}

const noFacts = 'its process is not asked: give its health server as --members'

export function PartitionPage({ group, topic, partition, view, about }: Parts) {
  const title = `${topic}-${partition} of ${group}`
  if (view === undefined || view === null) {
    return (
      <>
        <Title text={title} />
        {view === undefined ? (
          <Waiting what="Looking at the partition" />
        ) : (
          <Nothing
            text={`${group} has committed nothing on ${topic}-${partition}, or nobody leads it.`}
            next={<a href={hrefOf(linkTo('group', group))}>All its partitions</a>}
          />
        )}
      </>
    )
  }
  const { verdict, sight, standsMs, atLeast, at, place } = view
  const { facts } = sight
  return (
    <>
      <Title text={title} level={verdict.level} />
      <Said verdict={verdict} />
      <PlaceInLog sight={sight} />
      <dl class="facts">
        <Fact name="Owner">{sight.owner ?? <Unknown why="nobody has it" />}</Fact>
        <Fact name="Behind">
          <Time ms={sight.lagMs} why={sight.committed === null ? 'never committed' : 'not watched for long enough'} />
        </Fact>
        <Fact name="Records">
          {sight.committed === null && facts === null ? (
            <Unknown why="never committed" />
          ) : (
            <>
              {countOf(sight.lag)} <Trend values={sight.lags} />
            </>
          )}
        </Fact>
        <Fact name="Stands still">
          {standsMs === null ? 'no' : `${atLeast ? 'for at least ' : 'for '}${timeText(standsMs)}`}
        </Fact>
        <Fact name="Waits for">{facts === null ? <Unknown why={noFacts} /> : (facts.waitsFor ?? 'nothing')}</Fact>
        <Fact name="In flight">
          {facts === null ? (
            <Unknown why={noFacts} />
          ) : (
            `${countOf(facts.unsettled)}: ${countOf(facts.running)} run, ${countOf(facts.queued)} queued`
          )}
        </Fact>
        <Fact name="Paused by">
          {facts === null ? <Unknown why={noFacts} /> : facts.pausedBy.join(', ') || 'nobody'}
        </Fact>
        <Fact name="Leader">
          {place === null ? (
            <Unknown why="brokers do not tell" />
          ) : (
            `${place.leader === null ? 'none' : `broker ${place.leader}`}, in sync ${place.inSync.join(', ')} of ${place.replicas.join(', ')}`
          )}
        </Fact>
      </dl>
      <h2>{at === null ? 'Record in hand' : `Record in hand, at ${countOf(at)}`}</h2>
      {at === null ? (
        <Nothing text="There is none: all is done, or nothing was ever committed." next="" />
      ) : (
        <RecordPart key={at} topic={topic} partition={String(partition)} offset={String(at)} about={about} />
      )}
      <p>
        <a href={hrefOf(linkTo('group', group))}>All partitions of {group}</a>
      </p>
    </>
  )
}
