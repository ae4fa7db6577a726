import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, inject, it } from 'vitest'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { dieWithUs, removeWithUs } from '../support/reaper.js'
import { until } from '../support/waiting.js'

const records = 120
const kills = 3
/** Records that each life works before it is killed between work and commit. */
const dieAfter = 20

async function run(form: 'loop' | 'handlers') {
  const brokers = [...inject('kafkaBrokers')]
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-loop-'))
  removeWithUs(folder)
  const file = join(folder, 'lines')
  writeFileSync(file, '')
  const topic = defineTopic({
    name: `killed-${form}-${process.pid}-${Date.now()}`,
    value: string(),
    partitions: 1,
    replicationFactor: 1,
  })
  const messaging = createMessaging({ driver: kafkajs({ brokers }), logger: 'silent', durability: 'off' })
  await messaging.ensureTopics([topic])
  const producer = messaging.producer()
  const values = Array.from({ length: records }, (_, index) => `r-${index}`)
  await Promise.all(values.map((value) => producer.send(topic, value)))

  const lines = () => readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const path = fileURLToPath(new URL('../support/loop-process.ts', import.meta.url))
  const begin = (most: number): ChildProcess => {
    const args = ['--import', 'tsx', path, brokers.join(','), topic.name, file, values.at(-1)!, form, String(most)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
    dieWithUs(child)
    return child
  }
  const committedOffset = async () => {
    const [committed] = await messaging.admin.committedOffsets(topic.name, [{ topic: topic.name, partition: 0 }])
    return committed?.offset ?? -1
  }
  /** What was worked since the last kill and is not known to be on record, when the process was killed; and what is. */
  const lives: { readonly worked: string[]; readonly confirmed: string[]; readonly onRecord: number }[] = []
  for (let kill = 1; kill <= kills; kill += 1) {
    const before = lines().length
    const child = begin(dieAfter)
    const signal = await new Promise((resolve) => child.once('close', (_, by) => resolve(by)))
    expect([signal, lines().at(-1)?.split(' ')[0]]).toEqual(['SIGKILL', 'worked'])
    const said = lines().slice(before)
    const of = (what: string) => said.filter((line) => line.startsWith(what)).map((line) => line.slice(what.length + 1))
    lives.push({ worked: of('worked'), confirmed: of('committed'), onRecord: await committedOffset() })
  }
  begin(Infinity)
  await until('all is handled', () => lines().at(-1) === 'ended', { timeoutMs: 60_000 })
  const worked = lines()
    .filter((line) => line.startsWith('worked'))
    .map((line) => line.slice('worked '.length))
  await messaging.close()
  return { values, lives, worked, onRecord: lives.map(({ onRecord }) => onRecord) }
}

/** How often each was worked. */
function times(worked: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of worked) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

it('a loop that is killed between work and commit repeats that batch and nothing that it had committed', async () => {
  const { values, lives, worked } = await run('loop')
  const counts = times(worked)
  expect([...counts.keys()]).toEqual(values)
  for (const { worked: begun, confirmed, onRecord } of lives) {
    expect(confirmed.length).toBeGreaterThan(0)
    for (const value of confirmed) expect(values.indexOf(value)).toBeLessThan(onRecord)
    const open = begun.filter((value) => !confirmed.includes(value))
    expect(open.length).toBeGreaterThan(0)
    expect(open.length).toBeLessThanOrEqual(5)
  }
  const confirmed = lives.flatMap((life) => life.confirmed)
  // What was open at one kill was worked again, and confirmed in a later life.
  const open = lives.flatMap((life) => life.worked.filter((value) => !life.confirmed.includes(value)))
  for (const value of confirmed.filter((one) => !open.includes(one))) expect(counts.get(value), value).toBe(1)
  expect(worked.length - values.length).toBeLessThanOrEqual(kills * 5)
})

it("with commit: 'confirmed' a killed process repeats the one record in hand", async () => {
  const { values, worked } = await run('handlers')
  expect([...times(worked).keys()]).toEqual(values)
  expect(worked.length - values.length).toBeGreaterThan(0)
  expect(worked.length - values.length).toBeLessThanOrEqual(kills)
})
