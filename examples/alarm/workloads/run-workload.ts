import type { Driver } from 'tidemark'
import type { Arrival } from '../access/arrivals.js'
import { formatReport, readReport } from '../report.js'
import { noDataRules, rules, type NoDataRule, type Rule } from '../rules.js'
import { runPipeline, untold, type PipelineCounts, type PipelineOptions } from '../run-pipeline.js'
import { readArrivals, sources } from '../sources.js'
import { storedPoints } from '../stores.js'
import { formatVerdicts } from '../verify/verify.js'
import { catchUp } from './catch-up.js'
import { chaos } from './chaos.js'
import { openFreshDriver, withStores } from './fresh.js'
import { dirty, fanOut, skewed } from './inputs.js'
import { compare, comparedRules } from './reference-figures.js'
import { storm } from './storm.js'

const mostNamed = 5

export interface WorkloadOptions {
  readonly brokers: string | undefined
  /** A server whose database is empty, and is again in the end; else files that are thrown away. */
  readonly db?: string | undefined
  readonly seed: number
  readonly hosts: number
  readonly rows: number
  readonly backlog: number
  readonly spread: ReadonlyMap<number, number>
}

export interface Outcome {
  readonly text: string
  readonly holds: boolean
}

/** Each prints what it found, and says whether what must hold did. The same seed gives the same input. */
export const workloads: Readonly<Record<string, (options: WorkloadOptions) => Promise<Outcome>>> = {
  ...{ w1, w2, w3, w4, w5, w6, w7 },
}

/** The reference figures, beside ours. */
async function w1({ brokers, db }: WorkloadOptions): Promise<Outcome> {
  return withStores(async (stores) => {
    await runPipeline({
      ...{ driver: await openFreshDriver(brokers), stores, sources, ...untold },
      book: { rules: comparedRules, noDataRules },
    })
    const dbs = { detectDb: stores.detect.db, alertDb: stores.alert.db }
    const lines = await readReport({ sources, rules: comparedRules, noDataRules, ...dbs })
    const { text, equal } = compare(lines, noDataRules[0] as NoDataRule)
    return { text: `${text}\n\n${formatReport(lines)}`, holds: equal }
  }, db)
}

/** Many hosts: how fast, and is each row accounted for? */
async function w2(options: WorkloadOptions): Promise<Outcome> {
  return measured(await fanOut(options.hosts, options.rows, options.seed), options)
}

/** Hosts of a rack go silent within seconds: one cause, few notices, and nothing is lost. */
async function w3({ brokers, db, hosts, seed }: WorkloadOptions): Promise<Outcome> {
  const { rules: ofHosts, folding, arrivals, ...expected } = storm(hosts, seed)
  return withStores(async (stores) => {
    const startedAt = performance.now()
    await runPipeline({
      ...{ driver: await openFreshDriver(brokers), stores, sources: [], folding },
      ...{ input: { name: `w3/${seed}`, arrivals }, book: { rules: ofHosts, noDataRules: [] } },
      ...untold,
    })
    const seconds = (performance.now() - startedAt) / 1_000
    const alerts = await stores.alert.db.selectFrom('alert').select('alert_id').execute()
    const windows = await stores.converge.db.selectFrom('converge_instance').selectAll().execute()
    const members = await stores.converge.db.selectFrom('converge_relation').selectAll().execute()
    const notices = await stores.notice.db.selectFrom('notice').select('notice_id').execute()
    const causeOf = (one: (typeof windows)[number]) =>
      members.find(({ alert_id }) => alert_id === one.root_cause)?.target
    const causes = windows.map(causeOf)
    const holds =
      alerts.length === expected.alerts &&
      members.length === expected.alerts &&
      causes.join() === expected.cause &&
      notices.length <= expected.notices
    const found = `${alerts.length} alerts, ${members.length} of them in ${windows.length} window(s), caused by ${some(causes)}`
    return { text: `${arrivals.length} events in ${seconds.toFixed(1)} s: ${found}; ${notices.length} notices`, holds }
  }, db)
}

/** Each service dies twice while rows come in: the end is that of a run without faults. */
async function w6({ brokers, db, rows, seed }: WorkloadOptions): Promise<Outcome> {
  if (brokers !== undefined || db !== undefined)
    throw new Error('w6 cuts services off from the Kafka of its own process; it takes no --brokers and no --db')
  const { died, verdicts } = await chaos(rows, seed, withStores)
  const holds = verdicts.every(({ state }) => state !== 'broken')
  return { text: `died: ${died.join(', ')}\n${formatVerdicts(verdicts)}`, holds }
}

/** Too much waits: levels rise, what is fatal arrives all the same, and the level is 0 again. */
async function w7({ brokers, db, hosts, seed, backlog }: WorkloadOptions): Promise<Outcome> {
  const driver = await openFreshDriver(brokers)
  const { holds, ...found } = await withStores((stores) => catchUp({ driver, stores, hosts, seed, backlog }), db)
  const { levels, raised, sent, shed, stored, seconds, fatal, openOthers } = found
  const text = [
    `levels 0, ${levels.join(', ')}; ${raised.looked}${raised.wrong.map((one) => `; ${one}`).join('')}`,
    `${sent} events, ${shed} shed, ${stored} judged; ${seconds.toFill.toFixed(0)} s until ${backlog} wait and the level is 3, ${seconds.toLevel0.toFixed(0)} s until it is 0`,
    `fatal: ${fatal.owed} times wrong, ${fatal.began} alerts, ${fatal.ended} recovered; of all others ${openOthers} have no end`,
  ]
  return { text: text.join('\n'), holds }
}

/** One tenant has 60 % of the traffic. */
async function w5(options: WorkloadOptions): Promise<Outcome> {
  return measured(await skewed(options.hosts, options.rows, options.seed), options)
}

async function measured(arrivals: readonly Arrival[], options: WorkloadOptions): Promise<Outcome> {
  const tenants = new Set(arrivals.map(({ event }) => (event as { bk_biz_id: number }).bk_biz_id))
  const [rule] = rules.filter(({ strategyId }) => strategyId === 13)
  // The rule of the database's CPU, for each tenant.
  const book = { rules: [...tenants].map((bizId): Rule => ({ ...(rule as Rule), bizId })), noDataRules: [] }
  return withStores(async (stores) => {
    const startedAt = performance.now()
    const driver = await openFreshDriver(options.brokers)
    const input = { name: `${options.seed}`, arrivals }
    const counts = await runPipeline({ driver, stores, sources: [], input, book, spread: options.spread, ...untold })
    const seconds = (performance.now() - startedAt) / 1_000
    const rate = Math.round(arrivals.length / seconds)
    const stored = await storedPoints(stores)
    const holds = stored === arrivals.length && conserved(counts)
    const sum = `${arrivals.length} rows in ${seconds.toFixed(1)} s: ${rate} events/s from file to alert`
    return { text: `${sum}; ${stored} stored; ${JSON.stringify(counts)}`, holds }
  }, options.db)
}

/** Each clean row is stored once, whatever comes with it; what is no event is in the dead-letter topic. */
async function w4({ brokers, db, seed }: WorkloadOptions): Promise<Outcome> {
  const clean = await readArrivals(sources)
  const dirt = dirty(clean, seed)
  const run = async (driver: Driver, more: Partial<PipelineOptions>) =>
    withStores(async (stores) => {
      const counts = await runPipeline({ driver, stores, sources, ...untold, ...more })
      const rows = await stores.alert.db
        .selectFrom('alert')
        .select(['alert_id', 'status'])
        .orderBy('alert_id')
        .execute()
      return { counts, alerts: JSON.stringify(rows), points: await storedPoints(stores) }
    }, db)
  const expected = await run(await openFreshDriver(undefined), {})
  const found = await run(await openFreshDriver(brokers), { input: { name: `w4/${seed}`, arrivals: dirt.arrivals } })
  const { arrivals, ...what } = dirt
  const holds = found.points === expected.points + what.unknownMetrics && conserved(found.counts)
  // What is later than the watermark may come when its alert is over.
  const same = found.alerts === expected.alerts ? 'the same alerts' : 'other alerts, for what came too late,'
  return { text: `${arrivals.length} inputs, ${JSON.stringify(what)}: ${same} as of ${clean.length} clean rows`, holds }
}

/** What came in is where it belongs: nothing is left over. */
function conserved({
  detect: { received = 0, accepted = 0, repeated = 0, conflicts = 0, filtered = 0 },
}: PipelineCounts): boolean {
  return received === accepted + repeated + conflicts + filtered
}

/** The first few of many. */
function some(all: readonly unknown[]): string {
  const different = [...new Set(all)]
  const more = different.length - mostNamed
  return `${different.slice(0, mostNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
