import { parseArgs } from 'node:util'
import { fullMatrix, shortMatrix } from './cells.js'
import { consumingCells, consumingLine, fullConsumingCells, runConsumingCells } from './consuming-cells.js'
import { copierCells, copierLine, fullCopierCells, runCopierCells } from './copier-cells.js'
import { hazards, runHazards } from './hazards.js'
import { openKafkajs } from './kafkajs-workload.js'
import { cellLine, runMatrix } from './matrix.js'
import { openTidemark } from './tidemark-workload.js'

const help = `npm run test:faults [-- [what] [--client tidemark|kafkajs] [--full] [--seed n]]

what:  nothing      the hazards of bare kafkajs, then the matrix, then the consuming cells and the copier
       hazards      only those;  D1 … D4: only one
       matrix       only the matrix
       consuming    only the consuming cells
       copier       only the copier: exactly once, while brokers and copiers are killed
       cp/sigkill   the cells whose name has this in it
--client kafkajs    runs the cells over bare kafkajs, which must be caught
--full              more and longer cells
--list              names everything and runs nothing
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    client: { type: 'string', default: 'tidemark' },
    full: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

const workloads = { tidemark: openTidemark, kafkajs: openKafkajs }

async function main(): Promise<void> {
  const open = workloads[values.client as keyof typeof workloads]
  if (open === undefined) throw new Error(`--client takes ${Object.keys(workloads).join(' or ')}, not ${values.client}`)
  const cells = chosen(values.full ? fullMatrix : shortMatrix, 'matrix')
  const shown = chosen(hazards, 'hazards')
  // A group's promises are tidemark's alone: bare kafkajs makes none that could be checked.
  const consuming =
    values.client === 'tidemark' ? chosen(values.full ? fullConsumingCells : consumingCells, 'consuming') : []
  const copying = values.client === 'tidemark' ? chosen(values.full ? fullCopierCells : copierCells, 'copier') : []
  if (cells.length + shown.length + consuming.length + copying.length === 0)
    throw new Error(`nothing is called ${positionals.join(' or ')}; see --list`)
  if (values.list) {
    for (const { name } of [...shown, ...cells, ...consuming, ...copying]) console.log(name)
    return
  }
  // kafkajs piles up listeners when connections fail at once, and Node warns of each.
  if (values.client === 'kafkajs') process.removeAllListeners('warning')
  let passed = 0
  const failed: string[] = []
  const count = (ok: boolean, line: string) => {
    console.log(line)
    if (ok) passed += 1
    else failed.push(line)
  }
  const startedAt = performance.now()
  if (shown.length > 0) {
    await runHazards(shown, ({ hazard, shown: ok, tries, report }) => {
      const { lost, doubled } = report.broken
      count(
        ok,
        `${ok ? 'ok    ' : 'FAILED'} ${hazard.name.padEnd(15)} ${hazard.title}: acknowledged ${report.acknowledged}  lost ${lost}  doubled ${doubled}  (try ${tries} of ${hazard.tries})`,
      )
    })
  }
  if (cells.length > 0) {
    console.log(`${cells.length} cells over ${values.client}, seed ${values.seed}`)
    await runMatrix(cells, open, Number(values.seed), (result) => {
      count(result.failures.length === 0, cellLine(result))
    })
  }
  if (consuming.length > 0) {
    await runConsumingCells(consuming, Number(values.seed), (result) => {
      count(result.failures.length === 0, consumingLine(result))
    })
  }
  if (copying.length > 0) {
    await runCopierCells(copying, (result) => {
      count(result.failures.length === 0, copierLine(result))
    })
  }
  console.log(`${Math.round((performance.now() - startedAt) / 1_000)} s`)
  process.exitCode = failed.length === 0 ? 0 : 1
  // Once more at the end, where a log that was cut still shows them.
  process.on('exit', () => console.log([...failed, `${passed} passed, ${failed.length} failed`].join('\n')))
  refuseToLinger((line) => count(false, line))
  // Nothing is left to do. Ended by hand: Node's own teardown of handles was seen to spin in uv_run for ever.
  process.once('beforeExit', () => process.exit())
}

/** What was closed keeps nothing alive; what does is a leak, and would hold up whoever waits for this process. */
function refuseToLinger(fail: (line: string) => void): void {
  const lingersAfterMs = 20_000
  const timer = setTimeout(() => {
    fail(`FAILED the process does not end: ${process.getActiveResourcesInfo().join(', ')}`)
    process.exit(1)
  }, lingersAfterMs)
  timer.unref()
}

/** All when nothing was asked for, all of a section by its name, else those with the asked text in their name. */
function chosen<T extends { readonly name: string }>(all: readonly T[], section: string): readonly T[] {
  if (positionals.length === 0 || positionals.includes(section)) return all
  return all.filter(({ name }) => positionals.some((text) => name.toLowerCase().includes(text.toLowerCase())))
}

if (values.help) console.log(help)
else {
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.stack : error)
    console.log('0 passed, 1 failed')
    process.exitCode = 1
  })
}
