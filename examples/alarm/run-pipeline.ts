import { createMessaging, type Driver, type Messaging } from 'tidemark'
import { deliver, type DeliverOptions } from './access/access.js'
import type { Input } from './access/arrivals.js'
import type { ConvergeBook } from './converge/converge-rules.js'
import type { RuleBook } from './detect/judge-batch.js'
import { drained } from './drained.js'
import { Lives } from './lives.js'
import type { ServiceReports } from './service.js'
import { instanceId, profileOf, readerNames, services, type ReaderName, type ServiceName } from './services.js'
import type { Channels } from './notice/channels.js'
import { readReplay, type Source } from './sources.js'
import { isTold, type Stores } from './stores.js'
import { jsonTopics, type AlarmTopics } from './topics.js'

/** What each service has counted, over all its lives. */
export type PipelineCounts = Readonly<Record<ReaderName, Readonly<Record<string, number>>>>

/** What may be done to a pipeline while it runs. */
export interface RunningPipeline {
  counts(): PipelineCounts
  lag(service: ReaderName): number | null
  /** Ends the service's life as kill -9 would, by `cut`, and begins the next after `downMs`. */
  restart(service: ReaderName, cut: () => void, downMs: number): Promise<void>
}

export interface PipelineOptions {
  /** The way to the cluster that each service, or its next life, is given. */
  readonly driver: Driver | ((service: ServiceName) => Driver)
  readonly stores: Stores
  readonly sources: readonly Source[]
  /** What comes in, in place of the rows of the sources. */
  readonly input?: Input
  readonly book?: RuleBook
  /** What is folded, in place of what the demo folds by. */
  readonly folding?: ConvergeBook
  readonly spread?: ReadonlyMap<number, number>
  readonly topics?: AlarmTopics
  /** How people are told. Default: by lines on the console. */
  readonly channels?: Channels
  /** How often each of them may be told in a minute. */
  readonly perMinute?: number
  /** Its reason is what the run then throws. */
  readonly signal?: AbortSignal
  /** Members keep their names: the next run, or life, has their partitions at once. */
  readonly continues?: boolean
  /** Deaths on purpose need no lines in the log. */
  readonly logger?: 'silent' | undefined
  readonly onTrouble?: ServiceReports['onTrouble']
  /** Told after each chunk of rows that was acknowledged. */
  readonly onProgress?: DeliverOptions['onProgress']
  /** Told when all services run, before the first row. */
  readonly onRunning?: (pipeline: RunningPipeline) => void
}

/** For replays: months go by in seconds, and how often somebody is told in a minute says nothing of them. */
export const untold = { channels: { pager: async (): Promise<void> => undefined }, perMinute: Infinity }

/** Longer than a fetch waits for records, so a quiet service has looked at the log at least once. */
const quietMs = 400

/** All services in this process, until all rows went through. */
export async function runPipeline({ driver, stores, sources, ...options }: PipelineOptions): Promise<PipelineCounts> {
  const { topics = jsonTopics, onTrouble, onProgress } = options
  const failed = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal
  // One client a service, as if each ran in a process of its own.
  const clientOf = (service: ServiceName): Messaging =>
    createMessaging({
      driver: driver instanceof Function ? driver(service) : driver,
      clientId: service,
      profile: profileOf(service),
      logger: options.logger,
    })
  const livesOf = (name: ReaderName): Lives =>
    new Lives(
      (onStopped) => {
        const client = clientOf(name)
        const membership = options.continues === true ? { groupInstanceId: instanceId(name) } : {}
        const reports = { onStopped, ...(onTrouble && { onTrouble }) }
        const { channels, perMinute } = options
        const told = { ...(channels && { channels }), ...(perMinute !== undefined && { perMinute }) }
        const parts = {
          messaging: client,
          store: stores[name],
          topics,
          ...membership,
          ...reports,
          ...options.book,
          ...options.folding,
          ...told,
        }
        return { client, service: services[name](parts) }
      },
      (error) => failed.abort(error),
    )
  const lives = Object.fromEntries(readerNames.map((name) => [name, livesOf(name)])) as Record<ReaderName, Lives>
  const counts = (): PipelineCounts =>
    Object.fromEntries(readerNames.map((name) => [name, lives[name].counts()])) as PipelineCounts
  const access = clientOf('access')
  try {
    await access.ensureTopics(Object.values(topics))
    await Promise.all(readerNames.map((name) => lives[name].start()))
    options.onRunning?.({
      counts,
      lag: (name) => lives[name].lag(),
      restart: (name, cut, downMs) => lives[name].restart(cut, downMs, signal),
    })
    const delivery = { messaging: access, store: stores.access, topics, signal, ...(onProgress && { onProgress }) }
    const how = { ...delivery, ...(options.spread && { spread: options.spread }) }
    await deliver(options.input ?? (await readReplay(sources)), how)
    for (const name of readerNames) {
      const received = (): number => lives[name].counts()['received'] ?? 0
      const isDone = () => isTold(stores[name])
      await drained({ lag: () => lives[name].lag(), received, isDone }, { quietMs, signal })
    }
    return counts()
  } catch (error) {
    // Whoever waited was woken by the abort; its reason tells what happened.
    throw signal.aborted ? signal.reason : error
  } finally {
    await access.close()
    // Writers of a topic before its readers.
    for (const name of readerNames) await lives[name].end()
  }
}
