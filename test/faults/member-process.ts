import { spawn, type ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CompiledProgram } from '../support/compiled-program.js'
import { dieWithUs } from '../support/reaper.js'
import { projectRoot, sourcesOf } from '../support/source-tree.js'
import { until } from '../support/waiting.js'
import { monotonicMs, parseLog, type MemberEvent, type MemberTask } from './member-log.js'

/** Of tidemark that a member runs: the one of this folder, or the one of an older commit. */
export type MemberVersion = 'present' | 'former'

/** What members of the former version run. */
export const formerCommit = '0514c04'

export class MemberProgram implements AsyncDisposable {
  private constructor(
    readonly version: MemberVersion,
    private readonly program: CompiledProgram,
  ) {}

  static async compile(version: MemberVersion): Promise<MemberProgram> {
    const root = version === 'present' ? projectRoot : await sourcesOf(formerCommit)
    return new MemberProgram(version, await CompiledProgram.compile(root, 'test/faults/member.ts', `member-${version}`))
  }

  start(task: Omit<MemberTask, 'logFile'>): MemberProcess {
    const logFile = join(this.program.folder, `${task.group}-${task.name}.log`)
    return new MemberProcess({ ...task, logFile }, this.version, this.program.file)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program[Symbol.asyncDispose]()
  }
}

/** How a member came to its end, as far as it has. */
export type MemberFate =
  | { readonly kind: 'running' }
  | { readonly kind: 'told-to-leave'; readonly at: number }
  | { readonly kind: 'killed'; readonly at: number }

export class MemberProcess {
  readonly #child: ChildProcess
  readonly #gone: Promise<void>
  readonly pauses: { readonly from: number; to: number }[] = []
  fate: MemberFate = { kind: 'running' }
  exitCode: number | null = null
  #errors = ''

  constructor(
    readonly task: MemberTask,
    readonly version: MemberVersion,
    program: string,
  ) {
    const child = spawn(process.execPath, [program, JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'pipe'] })
    dieWithUs(child)
    child.stderr
      .setEncoding('utf8')
      .on('data', (chunk: string) => (this.#errors = (this.#errors + chunk).slice(-2_000)))
    this.#gone = new Promise((resolve) =>
      child.once('exit', (code) => {
        this.exitCode = code
        resolve()
      }),
    )
    this.#child = child
  }

  get name(): string {
    return this.task.name
  }

  /** What it wrote to its standard error: nothing, when all is well. */
  get errors(): string {
    return this.#errors
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /**
   * SIGTERM, once it has begun to work: drains, commits, leaves the group. Before that the signal ends it as it would any
   * process. False when it had to be killed because it did not end in time.
   */
  async leave(withinMs: number): Promise<boolean> {
    this.fate = { kind: 'told-to-leave', at: monotonicMs() }
    await until(`${this.name} works`, async () => !this.isRunning || (await this.events()).length > 0, { everyMs: 20 })
    this.fate = { kind: 'told-to-leave', at: monotonicMs() }
    this.#child.kill('SIGTERM')
    const limit = setTimeout(() => this.#child.kill('SIGKILL'), withinMs)
    await this.#gone
    clearTimeout(limit)
    return this.#child.signalCode !== 'SIGKILL'
  }

  /** SIGKILL; resolved when it is gone. */
  async kill(): Promise<void> {
    if (!this.isRunning) return
    this.#child.kill('SIGKILL')
    await this.#gone
    if (this.fate.kind === 'running') this.fate = { kind: 'killed', at: monotonicMs() }
  }

  /** SIGSTOP. */
  pause(): void {
    this.pauses.push({ from: monotonicMs(), to: Infinity })
    this.#child.kill('SIGSTOP')
  }

  /** SIGCONT. */
  resume(): void {
    const pause = this.pauses.at(-1)
    if (pause !== undefined) pause.to = monotonicMs()
    this.#child.kill('SIGCONT')
  }

  async events(): Promise<MemberEvent[]> {
    return parseLog(await readFile(this.task.logFile, 'utf8').catch(() => ''))
  }
}
