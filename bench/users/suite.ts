import { existsSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import type { CellTask } from './cell.js'
import { UsageError } from '../usage-error.js'
import { peersFolder } from './client.js'
import type { Figures } from './figures.js'
import { profiles, type Profile, type ProfileName } from './profiles.js'
import { goalTable, printRows, type Cell } from './report.js'
import { rowsOf, type Row, type Task, type UserSuite } from './rows.js'
import { BenchWorld, isHere, type Competitor } from './world.js'

export interface UserRun {
  readonly suites: readonly UserSuite[]
  /** Rows that have this in their names; all without it. */
  readonly only: string | undefined
  readonly profile: ProfileName
  /** A file that takes each cell as a line of JSON. */
  readonly json: string | undefined
}

/** What users do, every client in turn within a round, each in a process of its own. */
export async function runUsers({ suites, only, profile: name, json }: UserRun): Promise<void> {
  const profile: Profile = profiles[name]
  const chosen = suites.flatMap((suite) => rowsOf[suite].map((row) => ({ suite, row })))
  const rows = chosen.filter(({ row }) => (only === undefined ? isIn(profile, row) : row.name.includes(only)))
  if (rows.length === 0)
    throw new UsageError(`no row of ${suites.join(', ')} has ${JSON.stringify(only)} in its name:\n${namesOf(chosen)}`)
  const wanted = (row: Row) => (profile.more === 'nothing' ? row.competitors.filter(isWanted(row)) : row.competitors)
  tellMissing(rows.flatMap(({ row }) => wanted(row)))
  const rounds = Number(process.env['BENCH_ROUNDS'] ?? profile.rounds)
  const run = new Date().toISOString()
  const startedAt = performance.now()
  await using world = await BenchWorld.open()
  const bench = new UserBench(world, profile)
  const cells: Cell[] = []
  for (const [index, { suite, row }] of rows.entries()) {
    for (let round = 1; round <= rounds; round += 1) {
      for (const competitor of wanted(row).filter(isHere)) {
        const load = loadavg()[0] ?? 0
        const figures = await bench.run(row, competitor)
        const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1)
        const place = `row ${index + 1} of ${rows.length}, round ${round} of ${rounds}`
        process.stderr.write(
          `${minutes} min · ${place} · ${row.name}: ${competitor}${figures ? '' : ', not measured'}\n`,
        )
        if (figures === null) continue
        const machine = { cores: availableParallelism(), kafka: world.kafkaVersion }
        const cell: Cell = { suite, row: row.name, competitor, round, load, run, ...machine, ...figures }
        cells.push(cell)
        if (json !== undefined) await appendFile(json, `${JSON.stringify(cell, shortNumbers)}\n`)
      }
    }
    printRows([row], cells)
  }
  process.stdout.write(`\n${goalTable(cells)}`)
}

/** No figure has more digits than it is good for. */
const shortNumbers = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value)

const namesOf = (rows: readonly { readonly row: Row }[]) => rows.map(({ row }) => `  ${row.name}`).join('\n')

function isIn({ more }: Profile, { short, goals }: Row): boolean {
  return more === 'everything' || (short && (more === 'of main rows' || goals.length > 0))
}

/** Those that a goal of this row speaks of. */
const isWanted =
  ({ goals }: Row) =>
  (competitor: Competitor): boolean =>
    competitor === 'tidemark' ||
    competitor === 'former' ||
    goals.some(({ beside }) => beside === competitor || (beside === 'best' && competitor !== 'java'))

function tellMissing(competitors: readonly Competitor[]): void {
  if (peersFolder !== undefined && !existsSync(peersFolder))
    throw new UsageError(`BENCH_PEERS names ${peersFolder}, which is not there`)
  const missing = [...new Set(competitors)].filter((one) => one !== 'former' && !isHere(one))
  if (missing.length > 0)
    process.stderr.write(
      `not here, so left out: ${missing.join(', ')} (bench/README.md says how they come: BENCH_PEERS)\n`,
    )
}

class UserBench {
  readonly #world: BenchWorld
  readonly #profile: Profile
  /** Topics that are only read, by what is in them. */
  readonly #filled = new Map<string, string>()
  #groups = 0

  constructor(world: BenchWorld, profile: Profile) {
    this.#world = world
    this.#profile = profile
  }

  /** `null`: it is not here, or could not do it, which is told and leaves the others their figures. */
  async run(row: Row, competitor: Competitor): Promise<Figures | null> {
    const topic = await this.#topicOf(row)
    try {
      return await this.#world.run(competitor, this.#taskOf(row, competitor, topic))
    } catch (error) {
      process.stderr.write(`${row.name}: ${competitor} failed: ${(error as Error).message}\n`)
      return null
    } finally {
      if (row.task.kind !== 'reading') await this.#world.deleteTopic(topic)
    }
  }

  #taskOf({ task, partitions }: Row, competitor: Competitor, topic: string): CellTask {
    const { warmMs, sendMs, sent, slowMs, awaitedMs, latencyMs, restMs } = this.#profile
    const open = { topic, group: `bench-${(this.#groups += 1)}`, partitions }
    switch (task.kind) {
      case 'sending': {
        const isAwaited = task.mode === 'awaited'
        const span = isAwaited
          ? { ms: awaitedMs, records: 0, slowMs: awaitedMs }
          : { ms: sendMs, records: sent, slowMs }
        return { ...task, ...open, warmMs, ...span }
      }
      case 'latency':
        return { ...task, ...open, warmMs, ms: latencyMs }
      case 'idle':
        return { ...task, ...open, settleMs: 3_000, ms: restMs }
      case 'reading': {
        // Without lanes of its own it has one for each partition.
        const way = competitor === 'tidemark' || competitor === 'former' ? task.way : withoutLanes(task.way)
        return { ...task, ...open, way, records: this.#recordsOf(task), warmMs, ms: 0, slowMs }
      }
    }
  }

  async #topicOf({ task, partitions }: Row): Promise<string> {
    if (task.kind === 'sending') return this.#world.warmTopic(partitions)
    if (task.kind !== 'reading') return this.#world.topic(partitions)
    const { compression, bytes } = filledWith(task)
    const records = this.#recordsOf(task)
    const name = `${partitions}-${compression}-${bytes}`
    let topic = this.#filled.get(name)
    if (topic === undefined) {
      topic = await this.#world.topic(partitions)
      await this.#world.fill(topic, records, true, bytes, compression)
      this.#filled.set(name, topic)
    }
    return topic
  }

  #recordsOf(task: ReadingRow): number {
    const { read } = this.#profile
    return filledWith(task).bytes > 200 ? read / 4 : read
  }
}

type ReadingRow = Extract<Task, { kind: 'reading' }>

const filledWith = ({ filled }: ReadingRow) => filled ?? { compression: 'none', bytes: 200 }

const withoutLanes = (way: ReadingRow['way']) =>
  way.endsWith('5 ms') ? '5 ms' : way.startsWith('key') ? 'message' : way
