import type { RedriveView } from '../letters/redrives.js'
import type { About } from '../server/app.js'
import type { Live } from '../server/live.js'
import { Nothing } from './parts/said.js'
import type { Route } from './route.js'
import { Title } from './parts/title.js'
import { GroupPage } from './views/group.js'
import { GroupsPage } from './views/groups.js'
import { LettersPage } from './views/letters.js'
import { OverviewPage } from './views/overview.js'
import { PartitionPage } from './views/partition.js'
import { RecordPage } from './views/record.js'
import { RedrivePage } from './views/redrive.js'
import { ResetPage } from './views/reset.js'
import { ShedPage } from './views/shed.js'
import { TopicsPage } from './views/topics.js'
import { TransactionsPage } from './views/transactions.js'

interface Parts {
  readonly route: Route
  /** `null`: nothing has come for this view yet. */
  readonly live: Live | null
  /** `null`: not told yet. */
  readonly redrives: readonly RedriveView[] | null
  readonly about: About | null
}

export function View({ route, live, redrives, about }: Parts) {
  const [one = '', two = '', three = ''] = route.names
  const { query } = route
  switch (route.view) {
    case 'overview':
      return <OverviewPage overview={live?.view === 'overview' ? live.overview : null} />
    case 'groups':
      return <GroupsPage groups={live?.view === 'groups' ? live.groups : null} query={query} />
    case 'group': {
      const view = live?.view === 'group' ? live : null
      return <GroupPage key={one} name={one} group={view?.group} query={query} />
    }
    case 'partition': {
      const view = live?.view === 'partition' ? live : null
      const place = { group: one, topic: two, partition: Number(three) }
      return <PartitionPage key={`${one} ${two} ${three}`} {...place} view={view?.partition} about={about} />
    }
    case 'reset':
      return <ResetPage key={one} group={one} query={query} />
    case 'letters':
      return (
        <LettersPage
          key={one}
          topic={one}
          query={query}
          topics={live?.view === 'letters' ? live.topics : null}
          resting={live?.view === 'letters' ? live.resting : []}
          redrives={redrives ?? []}
        />
      )
    case 'redrive':
      return <RedrivePage key={one} topic={one} query={query} about={about} redrives={redrives} />
    case 'record':
      return <RecordPage key={`${one} ${two} ${three}`} topic={one} partition={two} offset={three} about={about} />
    case 'topics':
      return <TopicsPage />
    case 'transactions':
      return <TransactionsPage />
    case 'shed':
      return <ShedPage />
    default:
      return (
        <>
          <Title text="Nothing is here" />
          <Nothing text="There is no such view." next={<a href="#/overview">To the overview</a>} />
        </>
      )
  }
}
