import { createMessaging, type Driver, type Messaging } from 'tidemark'
import { replay } from './access/access.js'
import { alert } from './alert/alert.js'
import { detect } from './detect/detect.js'
import { drained } from './drained.js'
import { noDataRules, rules } from './rules.js'
import { instanceId, type ServiceMembership, type ServiceReports } from './service.js'
import type { Source } from './sources.js'
import type { Stores } from './stores.js'
import { jsonTopics, type AlarmTopics } from './topics.js'

export interface PipelineProgress {
  /** Rows detect has stored. */
  readonly rows: number
  /** Events detect has sent. */
  readonly events: number
  /** Alerts opened. */
  readonly opened: number
}

export interface PipelineOptions {
  readonly driver: Driver
  readonly stores: Stores
  readonly sources: readonly Source[]
  readonly topics?: AlarmTopics
  /** Its reason is what the run then throws. */
  readonly signal?: AbortSignal
  /** The Kafka outlives this process: the members keep their names, and the next run has their partitions at once. */
  readonly continues?: boolean
  readonly onTrouble?: ServiceReports['onTrouble']
  /** Told some ten times a second, and once at the end. */
  readonly onProgress?: (progress: PipelineProgress) => void
}

/** Longer than a fetch waits for records, so a quiet service has looked at the log at least once. */
const quietMs = 400
const lookEveryMs = 100

/** The three services in this process, until all rows went through. */
export async function runPipeline({ driver, stores, sources, ...options }: PipelineOptions): Promise<void> {
  const { topics = jsonTopics } = options
  const failed = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal
  const reports: ServiceReports = {
    onStopped: (error) => failed.abort(error),
    ...(options.onTrouble && { onTrouble: options.onTrouble }),
  }
  const membership = (service: 'detect' | 'alert'): ServiceMembership =>
    options.continues === true ? { groupInstanceId: instanceId(service) } : {}
  // One client a service, as if each ran in a process of its own.
  const clients = {
    access: createMessaging({ driver, clientId: 'access', profile: 'cp' }),
    detect: createMessaging({ driver, clientId: 'detect', profile: 'cp' }),
    alert: createMessaging({ driver, clientId: 'alert', profile: 'cp' }),
  }
  try {
    await clients.access.ensureTopics([topics.rawEvents, topics.rawEventsDeadLetters, topics.alerts])
    const detecting = detect({
      messaging: clients.detect,
      store: stores.detect,
      topics,
      rules,
      noDataRules,
      ...membership('detect'),
      ...reports,
    })
    const alerting = alert({
      messaging: clients.alert,
      store: stores.alert,
      topics,
      ...membership('alert'),
      ...reports,
    })
    await Promise.all([detecting.start(), alerting.start()])

    const { onProgress } = options
    const rowsJudged = (): number => {
      const { accepted, repeated, conflicts } = detecting.counts()
      return accepted + repeated + conflicts
    }
    const look = (): void =>
      onProgress?.({
        rows: rowsJudged(),
        events: detecting.counts().sent,
        opened: alerting.counts().open,
      })
    const ticker = setInterval(look, lookEveryMs)
    try {
      const sent = await replay({ messaging: clients.access, store: stores.access, sources, topics, signal })
      await drained({ lag: detecting.lag, received: rowsJudged }, { expected: sent, quietMs, signal })
      await drained(
        { lag: alerting.lag, received: () => alerting.counts().received },
        { expected: detecting.counts().sent, quietMs, signal },
      )
    } finally {
      clearInterval(ticker)
      look()
    }
  } catch (error) {
    // Whoever waited was woken by the abort; its reason tells what happened.
    throw signal.aborted ? signal.reason : error
  } finally {
    await closeInOrder(clients)
  }
}

/** Writers of a topic before its readers. */
async function closeInOrder(clients: Readonly<Record<'access' | 'detect' | 'alert', Messaging>>): Promise<void> {
  await clients.access.close()
  await clients.detect.close()
  await clients.alert.close()
}
