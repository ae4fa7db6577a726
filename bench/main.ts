import { parseArgs } from 'node:util'
import { isSuite, suiteNames, type SuiteName } from './suites.js'

const help = `npm run bench -- [--against commit] ${suiteNames.join(' | ')}
npm run bench -- json | serde | codecs | reorder | transactions | copier | retry | metrics | once | failover | rebalance

Prints tables and ratios, never fails on an absolute time.
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
  once: async () => (await import('./once.js')).runOnce(),
  failover: async () => (await import('./failover.js')).runFailover(),
  rebalance: async () => (await import('./rebalance.js')).runRebalance(),
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { against: { type: 'string' } } })
const wanted = positionals.filter(isSuite)
const isPart = (name: string) => values.against === undefined && Object.hasOwn(parts, name)
const unknown = positionals.filter((name) => !isSuite(name) && !isPart(name))
if (positionals.length === 0 || unknown.length > 0) {
  process.stderr.write(`${unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n` : ''}${help}`)
  process.exit(2)
}
if (values.against !== undefined) await (await import('./against.js')).runAgainst(values.against, wanted)
else for (const name of positionals) await (isSuite(name) ? suites[name] : parts[name]!)()
