import type { LetterTopic } from '../../../letters/letter-topics.js'
import type { RedriveView } from '../../letters/redrives.js'
import type { RestingRedrive } from '../../model/redrive-group.js'
import type { Level } from '../../model/verdict.js'
import { Nothing, Waiting } from '../parts/said.js'
import { Sign } from '../parts/sign.js'
import { Table } from '../parts/table.js'
import { Title } from '../parts/title.js'
import { hrefOf, linkTo } from '../route.js'
import { countOf } from '../text.js'
import { LettersOf } from './letters-of.js'

interface Parts {
  /** Empty: all of them. */
  readonly topic: string
  readonly query: Readonly<Record<string, string>>
  readonly topics: readonly LetterTopic[] | null
  readonly resting: readonly RestingRedrive[]
  readonly redrives: readonly RedriveView[]
}

export function LettersPage({ topic, query, topics, resting, redrives }: Parts) {
  if (topic !== '') {
    const ofTopic = resting.filter((one) => one.topic === topic)
    return <LettersOf topic={topic} query={query} resting={ofTopic} redrives={redrives} />
  }
  return (
    <>
      <Title text="Dead letters" />
      {topics === null ? <Waiting what="Looking for dead-letter topics" /> : <Topics topics={topics} />}
    </>
  )
}

function Topics({ topics }: { readonly topics: readonly LetterTopic[] }) {
  if (topics.length === 0) {
    return (
      <Nothing
        text="No topic is called as dead-letter topics are: orders.dlq, orders-dlt, orders.dead-letters."
        next="Give a consumer one with deadLetter."
      />
    )
  }
  return (
    <Table
      caption="Dead-letter topics"
      columns={[
        {
          title: 'Topic',
          isHead: true,
          cell: ({ topic, letters, unseen }) => (
            <>
              <Sign level={levelOf({ letters, unseen })} /> <a href={hrefOf(linkTo('letters', topic))}>{topic}</a>
            </>
          ),
        },
        { title: 'Letters at most', isFigure: true, cell: ({ letters }) => countOf(letters) },
        { title: 'Partitions', isFigure: true, cell: ({ partitions }) => countOf(partitions) },
        { title: 'Without leader', isFigure: true, cell: ({ unseen }) => countOf(unseen.length) },
      ]}
      rows={[...topics].sort((one, other) => other.letters - one.letters)}
      keyOf={({ topic }) => topic}
      levelOf={levelOf}
    />
  )
}

function levelOf({ letters, unseen }: Pick<LetterTopic, 'letters' | 'unseen'>): Level {
  return letters + unseen.length === 0 ? 'ok' : 'watch'
}
