import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, inject, it } from 'vitest'
import { boundedOutOfOrderness } from '../../src/event-time.js'
import { createMessaging, DeadLetter, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { redrive } from '../../src/redrive.js'
import { seededRandom } from '../../src/runtime/random.js'
import { brokerPropertiesFor, cellProtocols, memberOptionsFor, type CellProtocol } from '../faults/group-protocols.js'
import { startCluster } from '../support/kafka-cluster.js'
import { dieWithUs, removeWithUs } from '../support/reaper.js'
import { until } from '../support/waiting.js'

/** `TIDEMARK_FULL=1`: 200,000 records. */
const isFull = process.env['TIDEMARK_FULL'] === '1'
const count = isFull ? 200_000 : 40_000
const partitions = 4
const boundMs = 2_000
const perSecond = isFull ? 12_000 : 5_000
/** Records that must have come for the first time before the next kill. */
const perLife = count / 4

interface Stored {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  /** Behind the newest before it by more than the bound. */
  readonly isBeyond: boolean
}

interface Line {
  readonly kind: string
  readonly epoch: number
  readonly timestamp: number
  readonly partition: number
  readonly offset: number
}

/** Each partition a record a millisecond, disordered by up to the bound; one in two hundred by up to five times as much. */
function timesOf(partition: number, base: number): number[] {
  const random = seededRandom(partition + 1)
  return Array.from({ length: count / partitions }, (_, index) => {
    const most = random.next() < 0.005 ? boundMs * 5 : boundMs
    return base + index - Math.floor(random.next() * most)
  })
}

function storedFrom(base: number): Stored[] {
  return Array.from({ length: partitions }, (_, partition) => partition).flatMap((partition) => {
    let max = -Infinity
    return timesOf(partition, base).map((timestamp, offset) => {
      const isBeyond = timestamp < max - boundMs
      max = Math.max(max, timestamp)
      return { partition, offset, timestamp, isBeyond }
    })
  })
}

const inOrder = (one: Line, other: Line) =>
  one.timestamp - other.timestamp || one.partition - other.partition || one.offset - other.offset

/** Under the `consumer` protocol the broker says how long who was killed keeps its partitions. */
const startDividing = () =>
  startCluster({
    properties: brokerPropertiesFor('consumer', { sessionTimeoutMs: 3_000, heartbeatIntervalMs: 300 }),
  })

async function livesAreKilled(protocol: CellProtocol): Promise<void> {
  await using cluster = protocol === 'consumer' ? await startDividing() : null
  const brokers = [...(cluster?.brokers ?? inject('kafkaBrokers'))]
  const topic = defineTopic({
    name: `event-time-${process.pid}-${Date.now()}`,
    value: string(),
    partitions,
    replicationFactor: 1,
  })
  const messaging = createMessaging({ driver: kafkajs({ brokers }), logger: 'silent', durability: 'off' })
  await messaging.ensureTopics([topic])
  const base = Date.now() - 3_600_000
  const stored = storedFrom(base)
  const producer = messaging.producer()
  for (let at = 0; at < stored.length; at += 10_000) {
    const some = stored.slice(at, at + 10_000)
    await Promise.all(
      some.map(({ partition, offset, timestamp }) => producer.send(topic, `${offset}`, { partition, timestamp })),
    )
  }

  const folder = mkdtempSync(join(tmpdir(), 'tidemark-event-time-'))
  removeWithUs(folder)
  const files: string[] = []
  const path = fileURLToPath(new URL('../support/event-time-process.ts', import.meta.url))
  const begin = (member: string): ChildProcess => {
    const file = join(folder, `${files.length}-${member}`)
    writeFileSync(file, '')
    files.push(file)
    const membership = JSON.stringify({
      ...memberOptionsFor(protocol, { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 2_000 }),
      // Static: whoever comes after a kill is the same member, so no session is waited for. A coordinator that divides gives
      // the name to nobody before that is over.
      ...(protocol === 'consumer' ? {} : { groupInstanceId: member }),
    })
    const args = [brokers.join(','), topic.name, file, membership, String(boundMs), String(perSecond)]
    const child = fork(path, args, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    dieWithUs(child)
    return child
  }
  const ended = (child: ChildProcess) => new Promise((resolve) => child.once('close', resolve))
  const linesOf = (file: string) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes(' '))
      .map(toLine)
  const hasStarted = (file: string) => readFileSync(file, 'utf8').includes('started')
  const places = () => new Set(files.flatMap(linesOf).map(({ partition, offset }) => partition * count + offset))

  let killed = begin('killed')
  let kills = 0
  let rebalances = 0
  let guest: ChildProcess | null = null
  while (places().size < stored.length) {
    await until('a life has begun', () => hasStarted(files.filter((file) => file.endsWith('killed')).at(-1) as string))
    const enough = Math.min(stored.length, places().size + perLife)
    await until('it and its guest have handled some', () => places().size >= enough, {
      everyMs: 200,
      seen: () => `${places().size} of ${stored.length} handled in ${files.length} lives`,
    })
    killed.kill('SIGKILL')
    await ended(killed)
    kills += 1
    killed = begin('killed')
    // Another member comes and goes: partitions move while records of them are kept back.
    if (kills % 2 === 0) {
      rebalances += 1
      if (guest === null) guest = begin('guest')
      else {
        guest.send('stop')
        await ended(guest)
        guest = null
      }
    }
  }
  for (const child of [killed, guest]) {
    if (child === null) continue
    child.kill('SIGKILL')
    await ended(child)
  }
  await messaging.close()

  const lines = files.map(linesOf)
  const byPlace = new Map(stored.map((one) => [one.partition * count + one.offset, one]))
  const missing = new Set(byPlace.keys())
  for (const { partition, offset } of lines.flat()) missing.delete(partition * count + offset)
  expect(missing.size).toBe(0)
  let disorder = 0
  for (const life of lines) {
    const last = new Map<number, Line>()
    for (const line of life.filter(({ kind }) => kind === 'in-time')) {
      const before = last.get(line.epoch)
      if (before !== undefined && inOrder(before, line) >= 0) disorder += 1
      last.set(line.epoch, line)
    }
  }
  expect(disorder).toBe(0)
  const late = lines.flat().filter(({ kind }) => kind === 'late')
  expect(late.filter(({ partition, offset }) => !byPlace.get(partition * count + offset)?.isBeyond)).toEqual([])
  expect(late.length).toBeGreaterThan(0)
  const handled = lines.flat().length
  const beyond = stored.filter(({ isBeyond }) => isBeyond).length
  console.log(
    `${protocol}: ${stored.length} records, ${kills} kills, ${rebalances} rebalances, ${handled - stored.length} repeated, ` +
      `${late.length} late of ${beyond} beyond the bound`,
  )
  expect(kills).toBeGreaterThanOrEqual(2)
  // A kill repeats what was handled since the last commit, and what a snapshot cannot tell.
  expect(handled - stored.length).toBeLessThan(stored.length / 2)
}

it.each(cellProtocols)(
  'in event-time order over kills and rebalances nothing is missing, nothing out of order, and late only what is: %s',
  livesAreKilled,
  300_000,
)

it('what comes back by a redrive has the time of its origin: it is in order, and makes nothing else late', async () => {
  const name = `detour-${process.pid}-${Date.now()}`
  const events = defineTopic({ name, value: string(), partitions: 2, replicationFactor: 1 })
  const dlq = defineTopic({ name: `${name}.dlq`, value: string(), deadLettersOf: events, replicationFactor: 1 })
  const brokers = [...inject('kafkaBrokers')]
  const messaging = createMessaging({ driver: kafkajs({ brokers }), logger: 'silent', durability: 'off' })
  await messaging.ensureTopics([events, dlq])
  const base = Date.now() - 3_600_000
  const most = 400
  const producer = messaging.producer()
  const isRefused = (at: number) => at % 10 === 3
  await Promise.all(
    Array.from({ length: most }, (_, at) =>
      producer.send(events, String(at), { key: `key ${at}`, partition: at % 2, timestamp: base + at * 100 }),
    ),
  )
  const refusing = messaging.consumer({
    group: `${name}.first`,
    topics: [events],
    deadLetter: { topic: dlq, breaker: false },
    handle: ({ value }) => {
      if (isRefused(Number(value))) throw new DeadLetter('not yet')
    },
  })
  await refusing.start()
  await until('all is settled', () => refusing.lag() === 0)
  await refusing.stop()
  const group = `${name}.redrive`
  expect(await redrive(messaging, { from: dlq, allow: [events], group })).toMatchObject({ redriven: most / 10 })
  // Newer ones follow behind what came back.
  await Promise.all(
    Array.from({ length: 100 }, (_, at) =>
      producer.send(events, String(most + at), { partition: at % 2, timestamp: base + (most + at) * 100 }),
    ),
  )

  const handled: { readonly at: number; readonly timestamp: number; readonly isLate: boolean }[] = []
  const ordered = messaging.consumer({
    group: `${name}.ordered`,
    topics: [events],
    // As long as the detour took, in event time.
    reorder: { watermark: boundedOutOfOrderness(most * 100) },
    handle: ({ value }, { order }) => {
      handled.push({ at: Number(value), timestamp: order?.timestamp ?? 0, isLate: order?.late !== null })
    },
  })
  await ordered.start()
  await until('all is handled', () => handled.length === most + most / 10 + 100)
  await messaging.close()
  expect(handled.filter(({ isLate }) => isLate)).toEqual([])
  const expected = Array.from({ length: most + 100 }, (_, at) => (at < most && isRefused(at) ? [at, at] : [at])).flat()
  expect(handled.map(({ at }) => at)).toEqual(expected)
  expect(handled.map(({ timestamp }) => timestamp)).toEqual(expected.map((at) => base + at * 100))
})

function toLine(line: string): Line {
  const [kind = '', epoch, timestamp, partition, offset] = line.split(' ')
  return {
    kind,
    epoch: Number(epoch),
    timestamp: Number(timestamp),
    partition: Number(partition),
    offset: Number(offset),
  }
}
