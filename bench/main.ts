import { parseArgs } from 'node:util'
import { isSuite, suiteNames, type SuiteName } from './suites.js'

const help = `npm run bench -- [--against commit] ${suiteNames.join(' | ')}

Prints tables and ratios, never fails on an absolute time.
--against   this version beside the one of a commit, in place of other clients
`

const suites: Readonly<Record<SuiteName, () => Promise<void>>> = {
  core: async () => (await import('./core.js')).runCore(),
  produce: async () => (await import('./produce.js')).runProduce(),
  consume: async () => (await import('./consume.js')).runConsume(),
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { against: { type: 'string' } } })
const wanted = positionals.filter(isSuite)
if (wanted.length === 0 || wanted.length < positionals.length) {
  const unknown = positionals.filter((name) => !isSuite(name))
  process.stderr.write(`${unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n` : ''}${help}`)
  process.exit(2)
}
if (values.against !== undefined) await (await import('./against.js')).runAgainst(values.against, wanted)
else for (const name of wanted) await suites[name]()
