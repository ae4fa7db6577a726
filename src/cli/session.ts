import { createMessaging, type Messaging } from '../messaging.js'
import { readConfigFile, type ConfigFile } from './config-file.js'
import type { Paint } from './paint.js'
import { askProcesses, type AskedProcess } from '../members/process-facts.js'
import { exitCode, type ExitCode } from './exit-code.js'
import { leaderlessText, type Leaderless } from '../operations/places.js'
import type { Reading } from '../letters/read-records.js'
import { printableJson, printableLines } from '../text/printable.js'
import { progressOn, type OnProgress } from './progress.js'
import { paintOf, type Report } from './report.js'
import { factsToken, settingsOf, type ConnectionFlags, type Settings } from './settings.js'
import type { Terminal } from './terminal.js'
import type { World } from './world.js'
import { WrongUse } from './wrong-use.js'

/** Carries out what a command line asks for, and shows what it has to say. */
export type Execute = (work: (session: Session) => Promise<Report>, options?: ExecuteOptions) => Promise<void>

export interface ExecuteOptions {
  /** It heeds the signal of its session, and has something to say when it is interrupted. Others end at once. */
  readonly endsItself: boolean
}

export interface GlobalFlags extends ConnectionFlags {
  readonly config?: string | undefined
  readonly json?: boolean | undefined
  /** For each call to the cluster. */
  readonly timeout: number
}

/** How long a cluster that is left is waited for. */
const closeMs = 2_000
/** A process that does not answer keeps nobody waiting as a cluster may. */
const mostAskMs = 2_000
const mostAnswerBytes = 16_777_216

/** One run of one command: its settings, and its way to the cluster, which is opened when it is asked for. */
export class Session {
  readonly #world: World
  readonly #flags: GlobalFlags
  #file: Promise<ConfigFile> | null = null
  #messaging: Messaging | null = null
  #changes = false

  constructor(world: World, flags: GlobalFlags) {
    this.#world = world
    this.#flags = flags
  }

  get terminal(): Terminal {
    return this.#world.terminal
  }

  get signal(): AbortSignal {
    return this.#world.signal
  }

  get json(): boolean {
    return this.#flags.json ?? false
  }

  get pageFolder(): string {
    return this.#world.pageFolder
  }

  /** Of health servers of members: a variable, and never an option. */
  get factsToken(): string | undefined {
    return this.#world.environment[factsToken] || undefined
  }

  /** For calls of the admin. */
  get call(): { readonly timeoutMs: number } {
    return { timeoutMs: this.#flags.timeout }
  }

  file(): Promise<ConfigFile> {
    return (this.#file ??= readConfigFile(this.#world.directory, this.#flags.config))
  }

  async settings(): Promise<Settings> {
    return settingsOf(this.#flags, this.#world.environment, await this.file())
  }

  /** What is wrong with the way there is thrown here; whether anybody is there the first call tells. */
  async cluster(): Promise<Messaging> {
    if (this.#messaging !== null) return this.#messaging
    const { driver, kafka, messaging, warnings } = await this.settings()
    for (const warning of warnings) this.note(`warning: ${warning}`)
    const isTold = (this.#world.environment['TIDEMARK_LOG'] ?? '') !== ''
    return (this.#messaging = createMessaging({
      ...messaging,
      driver: driver ?? this.#world.driverOf(kafka),
      durability: 'off',
      logger: isTold ? undefined : 'silent',
    }))
  }

  /** For what reads records: the cluster, and how long it may take. */
  async reading(): Promise<Reading> {
    return { messaging: await this.cluster(), timeoutMs: this.call.timeoutMs, signal: this.signal }
  }

  /** What processes tell of themselves. */
  processes(addresses: readonly URL[]): Promise<readonly AskedProcess[]> {
    const token = this.factsToken
    const timeoutMs = Math.min(mostAskMs, this.call.timeoutMs)
    return askProcesses(addresses, { token, timeoutMs, mostBytes: mostAnswerBytes, signal: this.signal })
  }

  /** One line beside the report; beside data it is data too. */
  note(text: string): void {
    this.terminal.writeError(`${this.json ? printableJson({ note: text }) : printableLines(text)}\n`)
  }

  /** Tells what could not be looked at; resolves to what the command ends with, if it has found nothing else. */
  noteUnseen(unseen: readonly Leaderless[]): ExitCode {
    if (unseen.length === 0) return exitCode.fine
    this.note(leaderlessText(unseen))
    return exitCode.found
  }

  /** Tells of work that may take long, as it goes; beside data nothing. */
  async watched<Value>(what: string, work: (onProgress: OnProgress) => Promise<Value>): Promise<Value> {
    if (this.json) return work(() => undefined)
    const { clock } = await this.cluster()
    const progress = progressOn(this.terminal, clock, what)
    try {
      return await work(progress.at)
    } finally {
      progress.end()
    }
  }

  /** A change has begun: an interruption waits for its end, so that who called hears what became of it. */
  get isChanging(): boolean {
    return this.#changes
  }

  /** All that changes something goes through here, once somebody has said yes. Not begun after an interruption. */
  async change<Value>(work: () => Promise<Value>): Promise<Value> {
    this.signal.throwIfAborted()
    this.#changes = true
    return work()
  }

  /**
   * Lets somebody say yes, unless `yes` was given.
   *
   * @param plan what would be done, shown before
   * @throws WrongUse when nobody did
   */
  async confirm(question: string, yes: boolean | undefined, plan?: (paint: Paint) => string): Promise<void> {
    if (yes === true) return
    if (plan !== undefined) this.terminal.writeError(`${plan(paintOf(this.terminal))}\n`)
    if (!this.terminal.isInteractive) throw new WrongUse(`${question}: nothing was changed; say so with --yes`)
    const answer = await this.terminal.ask(`${printableLines(question)}? (yes/no) `, this.signal)
    if (!/^y(es)?$/i.test(answer.trim())) throw new WrongUse('nothing was changed')
  }

  async close(): Promise<void> {
    // The report is there; what could not be closed in order ends with the process.
    await this.#messaging?.close({ timeoutMs: closeMs }).catch(() => undefined)
  }
}
