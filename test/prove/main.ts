import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { dark, light } from '../../src/pictures/theme.js'
import { proofPage } from './page/page.js'
import { readmePicture } from './page/readme-picture.js'
import { contradictions, format, type ProofData } from './proof-data.js'
import { prove, runMs, type Progress } from './run.js'
import { brokenPromises, figure, linesOf, sentenceOf } from './sentence.js'

const help = `npm run prove [-- [--rate n] [--seed n] [--out folder] [--draw file.json] [--pictures folder]]

Gives the same records at the same moments to kafkajs and to tidemark, on a real Kafka of three nodes, while answers are
lost, connections cut, consumers killed, a leader killed and a leader frozen. Writes proof.json and proof.html.

--rate n       records a second for each. Default 400
--seed n       which faults strike where. Default 1
--out folder   where the files go, made if need be. Default here
--pictures folder   beside the page, proof-light.svg and proof-dark.svg, as the README shows them
--draw file    draws proof.html of an earlier proof.json, and runs nothing
`

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: '.' },
    draw: { type: 'string' },
    pictures: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

async function main(): Promise<void> {
  // Before the run: what it takes a minute to measure must have a place to go.
  for (const folder of [values.out, values.pictures ?? values.out]) await mkdir(resolve(folder), { recursive: true })
  const data = values.draw === undefined ? await runIt() : await drawn(values.draw)
  const problems = contradictions(data)
  if (problems.length > 0) throw new Error(`the figures do not agree: ${problems.join('; ')}`)
  const page = resolve(values.out, 'proof.html')
  await writeFile(page, proofPage(data))
  if (values.pictures !== undefined) {
    for (const [name, theme] of Object.entries({ light, dark }))
      await writeFile(resolve(values.pictures, `proof-${name}.svg`), readmePicture(data, theme))
  }
  console.log(['', sentenceOf(data), ...linesOf(data), '', page].join('\n'))
  const broken = brokenPromises(data)
  if (broken.length > 0) throw new Error(`tidemark broke its promise: ${broken.join('; ')}`)
}

async function runIt(): Promise<ProofData> {
  const data = await prove({ seed: whole('seed', 0), perSecond: whole('rate', 100) }, show)
  await writeFile(resolve(values.out, 'proof.json'), `${JSON.stringify(data)}\n`)
  return data
}

async function drawn(file: string): Promise<ProofData> {
  const data = JSON.parse(await readFile(file, 'utf8')) as ProofData
  if (data.format !== format)
    throw new Error(`${file} should be of the format ${format}, and is ${String(data.format)}`)
  return data
}

function whole(name: 'seed' | 'rate', least: number): number {
  const number = Number(values[name])
  if (!Number.isInteger(number) || number < least)
    throw new Error(`--${name} takes a whole number of at least ${least}, not ${values[name]}`)
  return number
}

let shownAt = -Infinity
let shownPhase = ''

/** One line that is written over on a terminal, and now and then a line in a log. */
function show({ phase, atMs, clients }: Progress): void {
  const isTerminal = process.stdout.isTTY
  if (!isTerminal && phase === shownPhase && performance.now() - shownAt < 5_000) return
  shownAt = performance.now()
  shownPhase = phase
  const seconds = `${String(Math.round(Math.min(atMs, runMs) / 1_000)).padStart(2)} of ${runMs / 1_000} s`
  const each = clients.map(({ name, sent, acknowledged }) => `${name} ${figure(acknowledged)} of ${figure(sent)}`)
  const line = [...(clients.length === 0 ? [] : [seconds]), ...each, phase].join('  ')
  process.stdout.write(isTerminal ? `\r${line}\u001b[K` : `${line}\n`)
}

if (values.help) console.log(help)
else {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  process.env['NODE_NO_WARNINGS'] = '1'
  await main().then(
    // Sends of kafkajs that never end would keep the process alive.
    () => process.exit(),
    (error: unknown) => {
      console.error(`\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      process.exit(1)
    },
  )
}
