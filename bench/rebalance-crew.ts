import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { AssignorName } from '../src/driver/consumer.js'
import { CompiledProgram } from '../test/support/compiled-program.js'
import { dieWithUs } from '../test/support/reaper.js'
import { projectRoot } from '../test/support/source-tree.js'

export interface RebalanceTask {
  readonly client: 'tidemark' | 'kafkajs' | 'librdkafka'
  readonly brokers: readonly string[]
  readonly group: string
  readonly topic: string
  readonly name: string
  readonly instance: string | null
  /** `null`: the client's own default. */
  readonly assignors: readonly AssignorName[] | null
  /** `null`: the client's own default. */
  readonly groupProtocol: 'classic' | 'consumer' | null
}

export const nowMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

export const compileMember = (): Promise<CompiledProgram> =>
  CompiledProgram.compile(projectRoot, 'bench/rebalance-member.ts', 'rebalance')

const python = process.env['BENCH_PYTHON'] ?? 'python3'
const librdkafkaMember = join(projectRoot, 'bench', 'rebalance-librdkafka.py')

/** It is measured through its Python package, which brings it compiled, when that can be imported. */
export function hasLibrdkafka(): boolean {
  const { status } = spawnSync(python, ['-c', 'import confluent_kafka'], { stdio: 'ignore' })
  if (status !== 0) process.stderr.write('confluent-kafka cannot be imported by python3: librdkafka is left out\n')
  return status === 0
}

/** One member. What it has handled is told by its process as it happens. */
export class BenchMember {
  /** When a record of each partition was handled, by the clock that all processes of a machine share, in ms. */
  readonly #handled = new Map<number, number[]>()
  readonly #child: ChildProcess
  readonly #gone: Promise<void>

  constructor(
    program: string,
    readonly task: RebalanceTask,
  ) {
    const [command, file] =
      task.client === 'librdkafka' ? [python, librdkafkaMember] : ([process.execPath, program] as const)
    const child = spawn(command, [file, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'] })
    dieWithUs(child)
    this.#child = child
    this.#gone = new Promise((resolve) => child.once('exit', () => resolve()))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [what, partition, , at] = line.split(' ')
      if (what === 'handled') this.#handledAt(Number(partition), Number(at) / 1_000)
    })
  }

  #handledAt(partition: number, at: number): void {
    const times = this.#handled.get(partition)
    if (times) times.push(at)
    else this.#handled.set(partition, [at])
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.isRunning) return
    this.#child.kill(signal)
    await this.#gone
  }

  /** Ascending. */
  timesOf(partition: number): readonly number[] {
    return this.#handled.get(partition) ?? []
  }

  lastOf(partition: number): number {
    return this.timesOf(partition).at(-1) ?? 0
  }

  /** Partitions of which it handled something since then. */
  holds(sinceMs: number): ReadonlySet<number> {
    return new Set([...this.#handled.keys()].filter((partition) => this.lastOf(partition) >= sinceMs))
  }
}
