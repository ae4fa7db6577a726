import { parseArgs } from 'node:util'
import { isSuite, suiteNames, type SuiteName } from './suites.js'

const help = `npm run bench -- [--against commit] ${suiteNames.join(' | ')}
npm run bench -- [--profile short|full] [--only part-of-a-row's-name] [--json file] sending | reading | latency | rest
npm run bench -- --json file chart
npm run bench -- json | serde | codecs | reorder | transactions | copier | retry | metrics | telemetry | once | failover | rebalance | alarm

Prints tables and ratios, never fails on an absolute time.
--against   this version beside the one of a commit, in place of other clients
--profile   of what users do: short (the rows that have goals, five minutes; default) or full (all rows, three rounds)
--only      of these, the rows that have it in their names
--json      a file that takes each figure as a line of JSON; of these, chart draws bench/goals.svg
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
  sending: () => users('sending'),
  reading: () => users('reading'),
  latency: () => users('latency'),
  rest: () => users('rest'),
  chart: async () => (await import('./users/chart.js')).drawChart(values.json ?? 'figures.jsonl'),
}

async function users(suite: 'sending' | 'reading' | 'latency' | 'rest'): Promise<void> {
  const { only, json, profile } = values
  if (profile !== 'short' && profile !== 'full') throw new Error(`the profile is short or full, not ${profile}`)
  await (await import('./users/suite.js')).runUsers(suite, { only, json, profile })
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'string' },
    profile: { type: 'string', default: 'short' },
  },
})
const wanted = positionals.filter(isSuite)
const isPart = (name: string) => values.against === undefined && Object.hasOwn(parts, name)
const unknown = positionals.filter((name) => !isSuite(name) && !isPart(name))
if (positionals.length === 0 || unknown.length > 0) {
  process.stderr.write(`${unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n` : ''}${help}`)
  process.exit(2)
}
if (values.against !== undefined) await (await import('./against.js')).runAgainst(values.against, wanted)
else for (const name of positionals) await (isSuite(name) ? suites[name] : parts[name]!)()
