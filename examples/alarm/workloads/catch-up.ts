import { setTimeout as sleep } from 'node:timers/promises'
import { createMessaging, type Driver, type Messaging } from 'tidemark'
import { followLevels, levelWatcher, type Level } from 'tidemark/degrade'
import { lagMonitor } from 'tidemark/lag'
import { disorderSeconds } from '../access/arrivals.js'
import { Intake } from '../access/intake.js'
import { shedding } from '../access/shedding.js'
import { alert } from '../alert/alert.js'
import { detect } from '../detect/detect.js'
import { drained } from '../drained.js'
import { storedPoints, type Stores } from '../stores.js'
import { jsonTopics, rawEvents } from '../topics.js'
import type { Finding } from '../verify/invariant.js'
import type { Look } from '../verify/kept.js'
import { raisedInTime } from '../verify/raised-in-time.js'
import { backlogOf, calmPeriods, type Backlog } from './backlog.js'

export interface CatchUpOptions {
  readonly driver: Driver
  readonly stores: Stores
  readonly hosts: number
  readonly seed: number
  /** Events that wait when detect begins; levels rise at a fifth, at two fifths and at all of it. */
  readonly backlog: number
  /** How often whoever watches the lag looks. Default 1 s. */
  readonly lookEveryMs?: number
}

/** What became of a backlog. */
export interface CaughtUp {
  /** As the watcher told them, each change once. */
  readonly levels: readonly Level[]
  /** Whether whoever watched raised in time, while detect was down and its group had never committed. */
  readonly raised: Finding
  readonly sent: number
  readonly shed: number
  readonly stored: number
  readonly seconds: { readonly toFill: number; readonly toLevel0: number }
  /** Of hosts whose alerts are fatal: episodes, and alerts that began and ended. */
  readonly fatal: { readonly owed: number; readonly began: number; readonly ended: number }
  /** Of all others: what began and has no end. */
  readonly openOthers: number
  readonly holds: boolean
}

const longestMs = 3_600_000

/**
 * W7: detect is down until `backlog` events wait, more come while it catches up, and access sheds by the level that whoever
 * watches the lag tells. Nothing fatal may be missed, what began must end, and the level must be 0 again.
 */
export async function catchUp({ driver, stores, hosts, seed, backlog, ...options }: CatchUpOptions): Promise<CaughtUp> {
  const { lookEveryMs = 1_000 } = options
  const input = backlogOf(hosts, seed)
  const clients: Messaging[] = []
  const clientOf = (clientId: string): Messaging => {
    const client = createMessaging({ driver, clientId, logger: 'silent' })
    clients.push(client)
    return client
  }
  const access = clientOf('access')
  const ends = new AbortController()
  const { signal } = ends
  const onStopped = (error: Error): void => ends.abort(error)
  try {
    await access.ensureTopics(Object.values(jsonTopics))
    const less = shedding(access)
    await followLevels(access, jsonTopics.control, less).start()
    const watch = watching(clientOf('watcher'), backlog, lookEveryMs, signal)
    const onTooLong = (): void =>
      onStopped(new Error(`expected it to be over within an hour, at level ${watch.level}`, { cause: watch.trouble }))
    setTimeout(onTooLong, longestMs).unref()
    const feed = new Feed(new Intake({ messaging: access, less }), input)

    const startedAt = performance.now()
    while (feed.accepted < backlog) await feed.next()
    await until(() => watch.level === 3 && less.level === 3, signal)
    const filledAt = performance.now()

    const first = detect({
      messaging: clientOf('detect'),
      store: stores.detect,
      rules: input.rules,
      noDataRules: [],
      onStopped,
    })
    const second = alert({ messaging: clientOf('alert'), store: stores.alert, onStopped })
    await Promise.all([first.start(), second.start()])
    while (watch.level > 0 || less.level > 0) {
      await feed.next()
      await sleep(2 * lookEveryMs, undefined, { signal })
    }
    const clearedAt = performance.now()
    const owed = input.fatal(feed.periods)
    for (let calm = 0; calm < calmPeriods; calm += 1) await feed.next(true)
    await feed.end()
    for (const service of [first, second]) {
      const watched = { lag: () => service.lag(), received: () => service.counts().received }
      await drained(watched, { quietMs: 1_000, signal })
    }
    const seconds = { toFill: (filledAt - startedAt) / 1_000, toLevel0: (clearedAt - filledAt) / 1_000 }
    const { sent, shed } = feed
    const { levels, looks } = watch
    return judge({ levels, raised: raisedInTime(looks), sent, shed, seconds, ...(await found(stores, owed)) })
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    ends.abort(new Error('it is over'))
    for (const client of clients.reverse()) await client.close()
  }
}

/** Gives access one period of all hosts after the other. */
class Feed {
  periods = 0
  sent = 0
  accepted = 0
  shed = 0

  constructor(
    private readonly intake: Intake,
    private readonly input: Backlog,
  ) {}

  async next(isCalm = false): Promise<void> {
    const rows = this.input.rowsOf(this.periods, isCalm)
    const { accepted, shed } = await this.intake.take(rows)
    await this.intake.tellTime(this.input.timeOf(this.periods))
    this.periods += 1
    this.sent += rows.length
    this.accepted += accepted
    this.shed += shed
  }

  /** Nothing more comes. */
  end(): Promise<void> {
    return this.intake.tellTime(this.input.timeOf(this.periods) + 2 * disorderSeconds)
  }
}

/** Looks at the lag of detect again and again, and tells the level. */
function watching(messaging: Messaging, backlog: number, lookEveryMs: number, signal: AbortSignal) {
  const monitor = lagMonitor(messaging, { groups: [{ group: 'detect', topics: [rawEvents.name] }] })
  const raiseAt = [Math.round(backlog / 5), Math.round((backlog * 2) / 5), backlog] as const
  const seen = { level: 0 as Level, levels: [] as Level[], looks: [] as Look[], trouble: null as unknown }
  let lag: number | null = null
  const look = async () => {
    lag = null
    const groups = await monitor.look()
    const [detecting] = groups
    if (detecting?.unseen.length === 0) lag = detecting.lag
    return groups
  }
  const watcher = levelWatcher(messaging, { monitor: { look }, topic: jsonTopics.control, raiseAt })
  const looking = async (): Promise<void> => {
    while (!signal.aborted) {
      // A look that fails is made up for by the next: a level lasts for several.
      const level = await watcher.look().catch((error: unknown) => {
        seen.trouble = error
        return seen.level
      })
      if (level !== seen.level) seen.levels.push(level)
      seen.level = level
      seen.looks.push({ kind: 'look', lag, raiseAt: raiseAt[0], level })
      await sleep(lookEveryMs)
    }
  }
  void looking()
  return seen
}

async function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
  while (!condition()) await sleep(20, undefined, { signal })
}

type Found = Pick<CaughtUp, 'fatal' | 'openOthers' | 'stored'> & { readonly isEachOwed: boolean }

async function found(stores: Stores, owed: ReadonlyMap<string, number>): Promise<Found> {
  const rows = await stores.alert.db.selectFrom('alert').select(['dimensions', 'severity', 'status']).execute()
  const fatal = rows.filter(({ severity }) => severity === 1)
  const began = new Map<string, number>()
  for (const { dimensions } of fatal) {
    const [host] = JSON.parse(dimensions) as { readonly value: string }[]
    began.set(host?.value ?? '', (began.get(host?.value ?? '') ?? 0) + 1)
  }
  return {
    fatal: {
      owed: [...owed.values()].reduce((sum, times) => sum + times, 0),
      began: fatal.length,
      ended: fatal.filter(({ status }) => status === 'RECOVERED').length,
    },
    isEachOwed: [...owed].every(([host, times]) => (began.get(host) ?? 0) === times),
    openOthers: rows.filter(({ severity, status }) => severity !== 1 && status === 'ABNORMAL').length,
    stored: await storedPoints(stores),
  }
}

function judge({ isEachOwed, ...all }: Omit<CaughtUp, 'holds'> & Found): CaughtUp {
  const { levels, raised, sent, shed, stored, fatal, openOthers } = all
  const isInTime = raised.looked !== '' && raised.wrong.length === 0
  const isRaised = isInTime && levels.slice(0, 3).join() === '1,2,3' && levels.at(-1) === 0
  const isKept = isEachOwed && fatal.owed > 0 && fatal.ended === fatal.began && fatal.began === fatal.owed
  return { ...all, holds: isRaised && isKept && openOthers === 0 && shed > 0 && stored + shed === sent }
}
