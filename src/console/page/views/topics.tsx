import type { SubjectView, TopicsView } from '../../model/topic-view.js'
import { useAsked } from '../ask.js'
import { Answered } from '../parts/answered.js'
import { Moment, Nothing, Time } from '../parts/said.js'
import { Sign } from '../parts/sign.js'
import { Table, type Column } from '../parts/table.js'
import { hrefOf } from '../route.js'

const columns: readonly Column<SubjectView>[] = [
  {
    title: 'Topic',
    isHead: true,
    cell: ({ subject, verdict }) => (
      <>
        <Sign level={verdict.level} /> {subject}
      </>
    ),
  },
  {
    title: 'What was found',
    isHead: true,
    cell: ({ findings }) =>
      findings.length === 0 ? (
        <span class="soft">nothing</span>
      ) : (
        <ul class="findings">
          {findings.map(({ code, reason, fix }) => (
            <li key={`${code} ${reason}`}>
              <span title={code}>{reason}</span>
              <br />
              <span class="soft">→ {fix}</span>
            </li>
          ))}
        </ul>
      ),
  },
  {
    title: 'Read by',
    cell: ({ readers }) =>
      readers.length === 0 ? (
        <span class="soft">no group</span>
      ) : (
        <ul class="findings">
          {readers.slice(0, 8).map(({ group, link, lagMs }) => (
            <li key={group}>
              <a href={hrefOf(link)}>{group}</a>{' '}
              <Time ms={lagMs} why="not watched for long enough, or never committed" />
            </li>
          ))}
          {readers.length > 8 ? <li class="soft">and {readers.length - 8} more</li> : null}
        </ul>
      ),
  },
]

export function TopicsPage() {
  const { value, problem, isAsking, again } = useAsked<TopicsView>('api/topics', {})
  return (
    <>
      <Answered
        title="Topics against their profile"
        waiting="Asking for the settings of all topics and brokers"
        verdict={value?.verdict ?? null}
        problem={problem}
      />
      {value === null ? null : (
        <>
          <div class="controls">
            <button type="button" disabled={isAsking} onClick={() => again({ again: 'yes' })}>
              {isAsking ? 'Looking …' : 'Look again'}
            </button>
            <span class="soft">
              looked at <Moment at={value.at} />; kept for 10 minutes, as it asks for the settings of every topic
            </span>
          </div>
          {value.unseen.length === 0 ? null : (
            <ul class="plain" aria-label="What could not be looked at">
              {value.unseen.map(({ what, why }) => (
                <li key={what}>
                  <Sign level="unjudged" /> {what}: {why}
                </li>
              ))}
            </ul>
          )}
          {value.subjects.length === 0 ? (
            <Nothing text="There is no topic." next="Make one with tidemark topics apply." />
          ) : (
            <Table
              caption="Topics"
              columns={columns}
              rows={value.subjects}
              keyOf={({ subject }) => subject}
              levelOf={({ verdict }) => verdict.level}
            />
          )}
        </>
      )}
    </>
  )
}
