import { appendFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import type { CellTask } from './cell.js'
import type { Figures } from './figures.js'
import { printRows, type Cell } from './report.js'
import { latencyRows, moreReadingRows, readingRows, restRows, sendingRows, type Row, type Task } from './rows.js'
import { BenchWorld, type Competitor } from './world.js'

export type UserSuite = 'sending' | 'reading' | 'latency' | 'rest'

const rowsOf: Readonly<Record<UserSuite, readonly Row[]>> = {
  sending: sendingRows,
  reading: [...readingRows, ...moreReadingRows],
  latency: latencyRows,
  rest: restRows,
}

export interface UserRun {
  /** Rows that have this in their names; all without it. */
  readonly only: string | undefined
  /** `short`: the rows that have goals, a round of a few seconds each: five minutes. */
  readonly profile: 'short' | 'full'
  /** A file that takes each cell as a line of JSON. */
  readonly json: string | undefined
}

const profiles = {
  short: { rounds: 1, warmMs: 1_500, ms: 3_000, records: 2_000_000, slowRecords: 60_000, restMs: 10_000 },
  full: { rounds: 3, warmMs: 5_000, ms: 30_000, records: 6_000_000, slowRecords: 200_000, restMs: 60_000 },
} as const

/** What users do, every client in turn within a round, each in a process of its own. */
export async function runUsers(suite: UserSuite, { only, profile, json }: UserRun): Promise<void> {
  const rows = rowsOf[suite].filter(({ name, short }) =>
    only === undefined ? profile === 'full' || short : name.includes(only),
  )
  if (rows.length === 0) throw new Error(`no row of ${suite} has ${JSON.stringify(only)} in its name`)
  const rounds = Number(process.env['BENCH_ROUNDS'] ?? profiles[profile].rounds)
  await using world = await BenchWorld.open()
  const bench = new UserBench(world, profile)
  const cells: Cell[] = []
  for (const row of rows) {
    for (let round = 1; round <= rounds; round += 1) {
      for (const competitor of row.competitors) {
        const load = loadavg()[0] ?? 0
        const figures = await bench.run(row, competitor)
        if (figures === null) continue
        process.stderr.write(`${row.name}: ${competitor}, round ${round} of ${rounds}\n`)
        const cell: Cell = { suite, row: row.name, competitor, round, load, ...figures }
        cells.push(cell)
        if (json !== undefined) await appendFile(json, `${JSON.stringify(cell)}\n`)
      }
    }
    printRows(
      [row],
      cells.filter((cell) => cell.row === row.name),
    )
  }
}

class UserBench {
  readonly #world: BenchWorld
  readonly #times: (typeof profiles)['short' | 'full']
  /** Topics that are only read, by what is in them. */
  readonly #filled = new Map<string, string>()
  #groups = 0

  constructor(world: BenchWorld, profile: 'short' | 'full') {
    this.#world = world
    this.#times = profiles[profile]
  }

  /** `null`: it is not here, or could not do it, which is told and leaves the others their figures. */
  async run(row: Row, competitor: Competitor): Promise<Figures | null> {
    try {
      return await this.#world.run(competitor, await this.#taskOf(row, competitor))
    } catch (error) {
      process.stderr.write(`${row.name}: ${competitor} failed: ${(error as Error).message}\n`)
      return null
    }
  }

  async #taskOf({ task, partitions }: Row, competitor: Competitor): Promise<CellTask> {
    const { warmMs, ms, restMs } = this.#times
    const topic = task.kind === 'reading' ? await this.#read(task, partitions) : await this.#world.topic(partitions)
    const open = { topic, group: `bench-${(this.#groups += 1)}`, partitions }
    switch (task.kind) {
      case 'sending':
        return { ...task, ...open, warmMs, ms }
      case 'latency':
        return { ...task, ...open, warmMs, ms: 2 * ms }
      case 'idle':
        return { ...task, ...open, settleMs: 3_000, ms: restMs }
      case 'reading': {
        const isSlow = task.way.endsWith('5 ms')
        // Without lanes of its own it has one for each partition.
        const way = competitor === 'tidemark' || competitor === 'former' ? task.way : withoutLanes(task.way)
        return { ...task, ...open, way, records: this.#recordsOf(task), mostMs: isSlow ? 2 * ms : 4 * ms }
      }
    }
  }

  async #read(task: Extract<Task, { kind: 'reading' }>, partitions: number): Promise<string> {
    const { compression, bytes } = task.filled ?? { compression: 'none', bytes: 200 }
    const records = this.#recordsOf(task)
    const name = `${partitions}-${compression}-${bytes}-${records}`
    let topic = this.#filled.get(name)
    if (topic === undefined) {
      topic = await this.#world.topic(partitions)
      await this.#world.fill(topic, records, true, bytes, compression)
      this.#filled.set(name, topic)
    }
    return topic
  }

  #recordsOf({ way, filled }: Extract<Task, { kind: 'reading' }>): number {
    const { records, slowRecords } = this.#times
    if (way.endsWith('5 ms')) return slowRecords
    return filled !== undefined && filled.bytes > 200 ? records / 4 : records
  }
}

const withoutLanes = (way: Extract<Task, { kind: 'reading' }>['way']) =>
  way.endsWith('5 ms') ? '5 ms' : way.startsWith('key') ? 'message' : way
