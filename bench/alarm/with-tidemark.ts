import { deliver } from '../../examples/alarm/access/access.js'
import { alert } from '../../examples/alarm/alert/alert.js'
import { detect } from '../../examples/alarm/detect/detect.js'
import { jsonTopics } from '../../examples/alarm/topics.js'
import { createMessaging, type Driver, type Messaging } from 'tidemark'
import { sqlOutbox } from 'tidemark/sql'
import { until } from '../../test/support/waiting.js'
import type { RunningStages, Task } from './run.js'

/** The services of the example as they are, each with a client of its own. */
export async function withTidemark(driver: Driver, { arrivals, book, stores }: Task): Promise<RunningStages> {
  const clientOf = (clientId: string): Messaging =>
    createMessaging({ driver, clientId, profile: 'cp', logger: 'silent' })
  const [access, detecting, alerting] = [clientOf('access'), clientOf('detect'), clientOf('alert')]
  await access.ensureTopics(Object.values(jsonTopics))
  const first = detect({ messaging: detecting, store: stores.detect, ...book })
  const second = alert({ messaging: alerting, store: stores.alert })
  await Promise.all([first.start(), second.start()])
  await until('both have their partitions', () => first.lag() !== null && second.lag() !== null)
  return {
    deliver: () => deliver({ name: 'w2', arrivals }, { messaging: access, store: stores.access }),
    progress: () => {
      const { accepted, repeated, conflicts, sent } = first.counts()
      const untold = async (): Promise<number> => (await sqlOutbox(stores.alert.db).backlog()).rows
      return { judged: accepted + repeated + conflicts, decided: sent, applied: second.counts().received, untold }
    },
    stop: async () => {
      for (const client of [access, detecting, alerting]) await client.close()
    },
  }
}
