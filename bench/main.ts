import { parseArgs } from 'node:util'
import { isSuite, suiteNames, type SuiteName } from './suites.js'
import { UsageError } from './usage-error.js'
import { userSuites, type UserSuite } from './users/rows.js'
import { isProfile, profileNames } from './users/profiles.js'

const help = `npm run bench -- [--profile ${profileNames.join('|')}] [--only part-of-a-row's-name] [--json file] ${userSuites.join(' | ')}
npm run bench -- --json file table | chart
npm run bench -- footprint | scale
npm run bench -- [--against commit] ${suiteNames.join(' | ')}
npm run bench -- json | serde | codecs | reorder | transactions | copier | retry | metrics | telemetry | once | failover | rebalance | alarm

Prints tables and ratios, never fails on an absolute time.
--profile   of what users do: trial (all rows and all clients once, a second each: does everything run here?
            some ten minutes), short (one round of a few seconds, five minutes a suite; default), goals (three rounds of
            what goals speak of: half an hour for all suites, which it takes when none is named) or full (all rows, all
            clients, three rounds: hours)
--only      of these, the rows that have it in their names
--json      a file that takes each figure as a line of JSON; table and chart (bench/goals.svg) are made of it
--against   this version beside the one of a commit, in place of other clients
`

const suites: Readonly<Record<SuiteName, () => Promise<void>>> = {
  core: async () => (await import('./core.js')).runCore(),
  produce: async () => (await import('./produce.js')).runProduce(),
  consume: async () => (await import('./consume.js')).runConsume(),
}

/** Parts of their own, which have no other version beside them. */
const parts: Readonly<Record<string, () => Promise<void>>> = {
  json: async () => (await import('./json.js')).runJson(),
  serde: async () => (await import('./serde.js')).runSerde(),
  reorder: async () => (await import('./reorder.js')).runReorder(),
  copier: async () => (await import('./copier.js')).runCopiers(),
  transactions: async () => (await import('./transactions.js')).runTransactions(),
  codecs: async () => (await import('./compression.js')).runCompression(),
  retry: async () => (await import('./retry.js')).runRetry(),
  metrics: async () => (await import('./metrics.js')).runMetrics(),
  telemetry: async () => (await import('./telemetry-cost.js')).runTelemetryCost(),
  once: async () => (await import('./once.js')).runOnce(),
  failover: async () => (await import('./failover.js')).runFailover(),
  rebalance: async () => (await import('./rebalance.js')).runRebalance(),
  alarm: async () => (await import('./alarm/suite.js')).runAlarm(),
  footprint: async () => (await import('./footprint.js')).runFootprint(),
  scale: async () => (await import('./scale.js')).runScale(),
  chart: async () => (await import('./users/chart.js')).drawChart(values.json),
  table: async () => (await import('./users/chart.js')).tellGoals(values.json),
}

async function users(suites: readonly UserSuite[]): Promise<void> {
  const { only, json, profile = 'short' } = values
  if (!isProfile(profile)) usage(`the profile is ${profileNames.join(', ')}, not ${profile}`)
  await (await import('./users/suite.js')).runUsers({ suites, only, json, profile })
}

function usage(problem: string): never {
  process.stderr.write(`${problem}\n\n${help}`)
  process.exit(2)
}

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        against: { type: 'string' },
        only: { type: 'string' },
        json: { type: 'string' },
        profile: { type: 'string' },
      },
    })
  } catch (error) {
    return usage((error as Error).message)
  }
}

const { values, positionals } = commandLine()
const isUserSuite = (name: string): name is UserSuite => (userSuites as readonly string[]).includes(name)
const isKnown = (name: string) => isSuite(name) || isUserSuite(name) || Object.hasOwn(parts, name)
const unknown = positionals.filter((name) => !isKnown(name))
const named = positionals.length === 0 && values.profile === 'goals' ? userSuites : positionals
if (unknown.length > 0) usage(`unknown: ${unknown.join(', ')}`)
if (named.length === 0) usage('say what is to be measured')
const ofUsers = named.filter(isUserSuite)
if (ofUsers.length === 0 && (values.profile ?? values.only) !== undefined)
  usage(`--profile and --only are of ${userSuites.join(', ')} alone`)
if (values.against !== undefined && !named.every(isSuite)) usage(`--against is of ${suiteNames.join(', ')} alone`)

try {
  if (values.against !== undefined)
    await (await import('./against.js')).runAgainst(values.against, named.filter(isSuite))
  else {
    // Together, on one Kafka.
    if (ofUsers.length > 0) await users(ofUsers)
    for (const name of named) if (!isUserSuite(name)) await (isSuite(name) ? suites[name] : parts[name]!)()
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 2
}
