import { timeText } from '../../../text/figures.js'
import type { LevelSight, ShedTopic, ShedView } from '../../model/shed-view.js'
import { useAsked } from '../ask.js'
import { Answered } from '../parts/answered.js'
import { ReadAgain } from '../parts/read-again.js'
import { Moment, Nothing, Unknown } from '../parts/said.js'
import { Sign } from '../parts/sign.js'
import { Table, type Column } from '../parts/table.js'
import { countOf } from '../text.js'

const levels: readonly Column<LevelSight>[] = [
  {
    title: 'Set by',
    isHead: true,
    cell: ({ topic, level, leftMs }) => (
      <>
        <Sign level={level > 0 && leftMs > 0 ? 'watch' : 'ok'} /> {topic}
      </>
    ),
  },
  { title: 'Level in force', isFigure: true, cell: ({ level }) => countOf(level) },
  {
    title: 'Set',
    cell: ({ setAt }) => (setAt === null ? <Unknown why="nobody has set one that is kept" /> : <Moment at={setAt} />),
  },
  { title: 'Holds for', isFigure: true, cell: ({ leftMs }) => (leftMs === 0 ? 'ended' : timeText(leftMs)) },
]

const topics: readonly Column<ShedTopic>[] = [
  { title: 'Topic', isHead: true, cell: ({ topic }) => topic },
  { title: 'Records at most', isFigure: true, cell: ({ records }) => countOf(records) },
  { title: 'What they were', cell: ({ byOutcome }) => countsText(byOutcome) },
  { title: 'From', cell: ({ byOrigin }) => countsText(byOrigin) },
  {
    title: 'Newest',
    cell: ({ newestAt }) => (newestAt === null ? <Unknown why="none was read" /> : <Moment at={newestAt} />),
  },
]

function countsText(counts: Readonly<Record<string, number>>): string {
  const named = Object.entries(counts).map(([name, count]) => `${countOf(count)} × ${name}`)
  return named.length === 0 ? '–' : named.join(', ')
}

export function ShedPage() {
  const { value, problem, isAsking, again } = useAsked<ShedView>('api/shed', {})
  return (
    <>
      <Answered title="Shed" waiting="Reading the newest notices" verdict={value?.verdict ?? null} problem={problem} />
      {value === null ? null : (
        <>
          <div class="controls">
            <ReadAgain at={value.at} isAsking={isAsking} again={again} />
          </div>
          {value.levels.length + value.topics.length === 0 ? (
            <Nothing
              text="No topic here is called as those of degraded handling are: alerts.control, alerts.shed."
              next="Give a consumer a degrade policy to handle the most important records first."
            />
          ) : null}
          {value.levels.length === 0 ? null : (
            <>
              <h2>Levels</h2>
              <Table caption="Levels" columns={levels} rows={value.levels} keyOf={({ topic }) => topic} />
            </>
          )}
          {value.topics.length === 0 ? null : (
            <>
              <h2>What lies aside</h2>
              <Table
                caption="Topics of what was shed"
                columns={topics}
                rows={value.topics}
                keyOf={({ topic }) => topic}
              />
              <p class="soft">By the newest 500 records of each partition.</p>
            </>
          )}
        </>
      )}
    </>
  )
}
