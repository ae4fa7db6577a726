import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { dieWithUs } from '../support/reaper.js'
import type { ClientName } from './clients.js'

export interface ConsumingTask {
  readonly client: ClientName
  readonly brokers: readonly string[]
  readonly topic: string
  readonly group: string
  readonly sessionTimeoutMs: number
}

/** A consumer in a process of its own, which can be killed and gets a successor at once, as a supervisor would give it. */
export class ProvenConsumer {
  readonly #handled: Uint8Array
  #child: ChildProcess
  #killedAt: number | undefined
  readonly #rebalances: { readonly at: number; readonly tookMs: number }[] = []
  #ended = false

  constructor(
    private readonly program: string,
    private readonly task: ConsumingTask,
    records: number,
  ) {
    this.#handled = new Uint8Array(records)
    this.#child = this.#start()
  }

  /** From the death of a member to the first record that its successor handled. */
  get rebalances(): readonly { readonly at: number; readonly tookMs: number }[] {
    return this.#rebalances
  }

  hasHandled(record: number): boolean {
    return this.#handled[record] === 1
  }

  killAndReplace(): void {
    this.#killedAt = performance.now()
    this.#child.kill('SIGKILL')
    this.#child = this.#start()
  }

  end(): void {
    this.#ended = true
    this.#child.kill('SIGKILL')
  }

  #start(): ChildProcess {
    const child = spawn(process.execPath, [this.program, JSON.stringify(this.task)], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, TIDEMARK_LOG: 'silent', KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    })
    dieWithUs(child)
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (child === this.#child) this.#isBack()
      for (const record of JSON.parse(line) as readonly number[]) this.#handled[record] = 1
    })
    child.once('exit', () => {
      // Whoever gives up by itself is started again too.
      if (!this.#ended && child === this.#child) this.killAndReplace()
    })
    return child
  }

  #isBack(): void {
    if (this.#killedAt === undefined) return
    this.#rebalances.push({ at: this.#killedAt, tookMs: performance.now() - this.#killedAt })
    this.#killedAt = undefined
  }
}
