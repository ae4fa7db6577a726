import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { logLevel } from 'kafkajs'
import { describe, expect, inject, it } from 'vitest'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { parseCommitMetadata } from '../../src/offsets/commit-metadata.js'
import { completedRangesSection, parseCompletedRanges } from '../../src/offsets/completed-ranges.js'
import { dieWithUs, removeWithUs } from '../support/reaper.js'

const records = 360
const keys = 20
const partitions = 3
const kills = 2

type Kind = 'good' | 'shaky' | 'poison'
const kindOf = (at: number): Kind => (at % 17 === 5 ? 'poison' : at % 11 === 4 ? 'shaky' : 'good')

/** Something that a life said of a record. */
interface Line {
  readonly what: 'begun' | 'handled' | 'lettered'
  readonly place: string
  readonly attempt: number
}

interface Life {
  readonly lines: readonly Line[]
  /** By place: the group knows, after the kill, that it is settled. */
  readonly isOnRecord: (place: string) => boolean
}

/** Kills a consumer so many times at that point, and lets one more end. */
async function run(dieAt: 'handled' | 'lettered' | 'asleep', after: number) {
  const brokers = [...inject('kafkaBrokers')]
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-killed-'))
  removeWithUs(folder)
  const file = join(folder, 'lines')
  writeFileSync(file, '')
  const name = `killed-${dieAt}-${process.pid}-${Date.now()}`
  const topic = defineTopic({ name, value: string(), partitions, replicationFactor: 1 })
  const letters = defineTopic({ name: `${name}.dlq`, value: string(), partitions, replicationFactor: 1 })
  const messaging = createMessaging({
    driver: kafkajs({ brokers, logLevel: logLevel.NOTHING }),
    logger: 'silent',
    durability: 'off',
  })
  await messaging.ensureTopics([topic, letters])
  const producer = messaging.producer()
  const receipts = await Promise.all(
    Array.from({ length: records }, (_, at) => producer.send(topic, `${kindOf(at)} ${at}`, { key: `k${at % keys}` })),
  )
  const atOf = new Map(receipts.map(({ partition, offset }, at) => [`${partition} ${offset}`, at]))

  const path = fileURLToPath(new URL('../support/failing-process.ts', import.meta.url))
  const live = async (point: string): Promise<Life> => {
    const from = readFileSync(file, 'utf8').length
    const args = ['--import', 'tsx', path, brokers.join(','), name, file, point, String(after)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
    dieWithUs(child)
    const signal = await new Promise((resolve) => child.once('close', (_, by) => resolve(by)))
    expect(signal).toBe(point === 'never' ? null : 'SIGKILL')
    const said = readFileSync(file, 'utf8').slice(from).split('\n').slice(0, -1)
    expect(said.at(-1) === 'ended').toBe(point === 'never')
    const lines = said.filter((line) => line !== 'ended').map(parseLine)
    return { lines, isOnRecord: await onRecord() }
  }
  const onRecord = async () => {
    const committed = await messaging.admin.committedOffsets(name)
    const settled = new Map(
      committed.map(({ partition, offset, metadata }) => {
        const text = parseCommitMetadata(metadata).get(completedRangesSection)
        return [partition, { offset, ranges: parseCompletedRanges(text, offset) }]
      }),
    )
    return (place: string) => {
      const [partition, offset] = place.split(' ').map(Number) as [number, number]
      const known = settled.get(partition)
      if (known === undefined) return false
      return offset < known.offset || known.ranges.some(({ from, to }) => offset >= from && offset < to)
    }
  }
  const lives: Life[] = []
  for (let kill = 1; kill <= kills; kill += 1) lives.push(await live(dieAt))
  lives.push(await live('never'))
  const stored: number[] = []
  const reader = messaging.consumer({
    group: null,
    topics: [letters],
    from: 'earliest',
    handle: ({ value }) => void stored.push(Number(value.split(' ')[1])),
  })
  await reader.start()
  while (reader.lag() !== 0) await new Promise((resolve) => setTimeout(resolve, 20))
  await messaging.close()
  return { lives, atOf, stored }
}

function parseLine(text: string): Line {
  const [what, partition, offset, attempt] = text.split(' ')
  return { what: what as Line['what'], place: `${partition} ${offset}`, attempt: Number(attempt) }
}

type Run = Awaited<ReturnType<typeof run>>

/** Nothing lost, order per key kept, and repeated only what the group did not know. Gives what was repeated. */
function judged({ lives, atOf, stored }: Run) {
  const timesHandled = new Map<number, number>()
  const timesLettered = new Map<number, number>()
  const count = (times: Map<number, number>, at: number) => times.set(at, (times.get(at) ?? 0) + 1)
  let atRisk = 0
  for (const [index, { lines }] of lives.entries()) {
    for (const { what, place } of lines) {
      const at = atOf.get(place)!
      if (what === 'begun') {
        for (const earlier of lives.slice(0, index)) expect(earlier.isOnRecord(place), place).toBe(false)
        for (let before = at - keys; before >= 0; before -= keys) {
          const isDone = timesHandled.has(before) || timesLettered.has(before)
          expect(isDone, `record ${at} begins, and ${before} of its key is not done`).toBe(true)
        }
      } else count(what === 'handled' ? timesHandled : timesLettered, at)
    }
  }
  for (const { lines, isOnRecord } of lives.slice(0, -1)) {
    atRisk += lines.filter(({ what, place }) => what !== 'begun' && !isOnRecord(place)).length
  }
  const all = Array.from({ length: records }, (_, at) => at)
  const sorted = (numbers: Iterable<number>) => [...numbers].sort((one, other) => one - other)
  const poison = all.filter((at) => kindOf(at) === 'poison')
  expect(sorted(timesHandled.keys())).toEqual(all.filter((at) => kindOf(at) !== 'poison'))
  expect(sorted(new Set(stored))).toEqual(poison)
  const again = (times: ReadonlyMap<number, number>) => [...times.values()].reduce((sum, one) => sum + one - 1, 0)
  const handledAgain = again(timesHandled)
  const letteredAgain = stored.length - poison.length
  // A letter may be stored without a life that knows of it.
  expect(letteredAgain).toBeGreaterThanOrEqual(again(timesLettered))
  expect(handledAgain + again(timesLettered)).toBeLessThanOrEqual(atRisk)
  return { timesHandled, timesLettered, handledAgain, letteredAgain, atRisk }
}

const told = (where: string, { handledAgain, letteredAgain, atRisk }: ReturnType<typeof judged>) =>
  console.log(
    `killed ${kills} times ${where}: of ${records} records ${handledAgain} handled again and ${letteredAgain} letters ` +
      `stored again; ${atRisk} were done and not yet on record`,
  )

// Most of their time processes start.
describe('a consumer that is killed', { concurrent: true }, () => {
  it('between the end of a handler and the commit loses nothing and repeats only what was not on record', async () => {
    const end = await run('handled', 90)
    const judgement = judged(end)
    told('between the end of a handler and the commit', judgement)
    for (const { lines, isOnRecord } of end.lives.slice(0, kills)) {
      const last = lines.findLast(({ what }) => what === 'handled')!
      expect(isOnRecord(last.place)).toBe(false)
      expect(judgement.timesHandled.get(end.atOf.get(last.place)!)).toBeGreaterThan(1)
    }
  })

  it('between a stored letter and the commit stores that letter again and passes nothing', async () => {
    const end = await run('lettered', 5)
    const judgement = judged(end)
    told('between a letter and the commit', judgement)
    for (const { lines, isOnRecord } of end.lives.slice(0, kills)) {
      const last = lines.at(-1)!
      expect(last.what).toBe('lettered')
      expect(isOnRecord(last.place)).toBe(false)
      expect(judgement.timesLettered.get(end.atOf.get(last.place)!)).toBeGreaterThan(1)
    }
  })

  it('in a retry that sleeps begins its attempts anew and passes nothing', async () => {
    const end = await run('asleep', 12)
    const judgement = judged(end)
    told('in a sleeping retry', judgement)
    for (const { lines } of end.lives) {
      const first = new Map<string, number>()
      for (const { what, place, attempt } of lines) if (what === 'begun' && !first.has(place)) first.set(place, attempt)
      expect(new Set(first.values())).toEqual(new Set([1]))
    }
    const cutShort = end.lives.slice(0, kills).filter(({ lines }) => {
      const open = new Set(lines.filter(({ what }) => what === 'begun').map(({ place }) => place))
      for (const { what, place } of lines) if (what !== 'begun') open.delete(place)
      return [...open].some((place) => kindOf(end.atOf.get(place)!) !== 'good')
    })
    expect(cutShort).toHaveLength(kills)
  })
})
