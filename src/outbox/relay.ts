import { StateError } from '../errors.js'
import { optionProblem, timeLimit, type Rules } from '../input/option-rules.js'
import type { Producer } from '../producer/producer.js'
import { exponential } from '../runtime/backoff.js'
import { deferred } from '../runtime/deferred.js'
import { onAbort } from '../runtime/on-abort.js'
import type { Runtime } from '../runtime/runtime.js'
import { StateMachine } from '../runtime/state-machine.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { Telemetry } from '../telemetry/guard.js'
import { tell } from '../telemetry/tell.js'
import type { StandingTrouble } from '../telemetry/troubles.js'
import { Lease } from './lease.js'
import type { OutboxBacklog, OutboxStore } from './outbox-store.js'
import type { ResolvedRelayOptions } from './relay-options.js'
import { RelayTerm } from './relay-term.js'

/** More may come. */
export type RelayState = 'new' | 'standby' | 'active' | 'stopping' | 'stopped'

const moves = {
  new: ['standby', 'stopped'],
  /** Another relay sends, or the database does not answer. */
  standby: ['active', 'stopping'],
  /** It has the lease, and sends. */
  active: ['standby', 'stopping'],
  stopping: ['stopped'],
  stopped: [],
} as const satisfies Record<RelayState, readonly RelayState[]>

/** How a relay stands. Plain data. */
export interface RelayFacts {
  readonly state: RelayState
  /** Rows that are not sent yet, as they were counted last; `null`: not yet, or another relay counts them. */
  readonly rows: number | null
  readonly held: number | null
  /** Age of the oldest row when they were counted last, ms; `null` when there was none. */
  readonly oldestAgeMs: number | null
  /** Rows that this relay sent since it started. */
  readonly sent: number
  /** Rows that are being sent, or whose end is not on record. */
  readonly inHand: number
  /** What lasts: told as an event, and not ended. */
  readonly troubles: readonly StandingTrouble[]
}

/** How `relay.stop` ends. */
export interface RelayStopOptions {
  /** Most time for what is being sent. Default 25,000. */
  readonly timeoutMs?: number | undefined
}

const stopRules: Rules<RelayStopOptions> = { timeoutMs: timeLimit }

export interface RelayParts {
  readonly store: OutboxStore
  readonly producer: Producer
  readonly runtime: Runtime
  readonly telemetry: Telemetry
  readonly options: ResolvedRelayOptions
  readonly onStopped: () => void
}

/** To give the lease back, beyond the time for what is being sent. */
const lastWordMs = 250
const troubleBackoff = exponential({ initialMs: 250, maxMs: 10_000 })

/**
 * Sends what an outbox holds, at least once, each row with its id, and the rows of a key in order. Of several relays of one
 * outbox one sends at a time; another takes over when its lease has run out.
 */
export class OutboxRelay implements AsyncDisposable {
  readonly #parts: RelayParts
  readonly #state = new StateMachine<RelayState>('outbox relay', 'new', moves)
  readonly #stopping = new AbortController()
  #term: RelayTerm | null = null
  #backlog: OutboxBacklog | null = null
  #sent = 0
  #isUnreachable = false
  /** Topics whose last row was not sent. */
  readonly #notSentTopics = new Set<string>()
  /** Resolved from when it is woken until it looks at the table. */
  #waking = deferred<void>()
  #running: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | null = null
  #stopDeadline = Infinity

  /** @internal */
  constructor(parts: RelayParts) {
    this.#parts = parts
  }

  /** Begins, and resolves at once: neither the database nor Kafka need be there yet. */
  start(): Promise<void> {
    if (this.#state.current !== 'new') {
      const message = `start was called on a relay that is ${this.#state.current}; make a new one`
      return Promise.reject(new StateError('already-started', message))
    }
    this.#state.to('standby')
    this.#running = this.#run() // never rejects
    return Promise.resolve()
  }

  /** Looks at the table at once and not at the next poll: call it after a transaction that added rows is committed. */
  wake(): void {
    if (this.#state.current === 'active') this.#waking.resolve()
  }

  /** How it stands now; the rows as they were last counted, `null` before. Asks no database. */
  facts(): RelayFacts {
    const { rows = null, held = null, oldestAgeMs = null } = this.#backlog ?? {}
    return {
      state: this.#state.current,
      rows,
      held,
      oldestAgeMs,
      sent: this.#sent,
      inHand: this.#term?.inHand ?? 0,
      troubles: this.#parts.telemetry.troubles?.standing() ?? [],
    }
  }

  /** Takes no more rows, ends what is being sent, puts it on record and gives the lease to the next relay. Idempotent. */
  stop(options: RelayStopOptions = {}): Promise<void> {
    const problem = optionProblem('stop', options, stopRules)
    if (problem !== null) return Promise.reject(problem)
    this.#stopDeadline = Math.min(this.#stopDeadline, this.#now() + (options.timeoutMs ?? 25_000))
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(): Promise<void> {
    if (this.#state.current === 'new') this.#state.to('stopped')
    else {
      this.#state.to('stopping')
      this.#stopping.abort()
      const { clock } = this.#parts.runtime
      // A database that does not answer is not waited for; the lease runs out where it cannot be given back.
      const deadline = this.#stopDeadline + lastWordMs
      await withinDeadline(this.#running, { clock, deadline, onLate: () => undefined })
      this.#state.to('stopped')
    }
    await this.#parts.producer
      .close({ timeoutMs: Math.max(0, this.#stopDeadline - this.#now()) })
      .catch(() => undefined)
    this.#parts.onStopped()
  }

  async #run(): Promise<void> {
    const { runtime, options } = this.#parts
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      const lease = this.#newLease()
      try {
        if (await lease.take()) {
          this.#reached()
          failures = 0
          await this.#lead(lease)
          continue
        }
        failures = 0
        await this.#pause(options.leaseMs / 3)
      } catch (error) {
        failures += 1
        this.#unreachable(error)
        // It may have been given, and nobody would know.
        await lease.giveBack()
        await this.#pause(troubleBackoff(failures, runtime.random))
      }
    }
  }

  #newLease(): Lease {
    const { store, runtime, options } = this.#parts
    const { clock, random } = runtime
    const onUnreachable = (error: unknown) => this.#unreachable(error)
    return new Lease({ store, clock, random, leaseMs: options.leaseMs, onUnreachable })
  }

  async #lead(lease: Lease): Promise<void> {
    const { store, producer, runtime, telemetry, options } = this.#parts
    if (this.#stopping.signal.aborted) return lease.giveBack()
    this.#state.to('active')
    tell(telemetry, { kind: 'relay-leads' })
    const term = new RelayTerm({
      store,
      producer,
      runtime,
      telemetry,
      options,
      lease,
      backoff: troubleBackoff,
      onSent: (topic, rows) => this.#count(topic, rows),
      onBacklog: (backlog) => this.#counted(backlog),
      onUnreachable: (error) => this.#unreachable(error),
      onReached: () => this.#reached(),
      onNotSent: (topic, error) => this.#notSent(topic, error),
      pause: (ms) => this.#pauseUnlessWoken(ms, lease.signal),
    })
    this.#term = term
    const kept = lease.keep()
    await term.run(this.#stopping.signal)
    const isStopping = this.#stopping.signal.aborted
    await term.end(isStopping ? this.#stopDeadline : this.#now() + options.leaseMs)
    this.#term = null
    this.#backlog = null
    const endedBy = lease.endedBy
    await lease.giveBack()
    await kept
    if (isStopping) return
    this.#state.to('standby')
    tell(telemetry, { kind: 'relay-stands-by', why: endedBy ?? 'stopped' })
  }

  #count(topic: string, rows: number): void {
    this.#sent += rows
    if (this.#notSentTopics.delete(topic)) tell(this.#parts.telemetry, { kind: 'outbox-sent-again', topic })
    this.#parts.telemetry.metrics.count('tidemark_outbox_sent_total', { topic }, rows)
  }

  #counted(backlog: OutboxBacklog): void {
    const { metrics } = this.#parts.telemetry
    this.#backlog = backlog
    metrics.gauge('tidemark_outbox_rows', {}, backlog.rows)
    metrics.gauge('tidemark_outbox_held_rows', {}, backlog.held)
    metrics.gauge('tidemark_outbox_oldest_age_seconds', {}, (backlog.oldestAgeMs ?? 0) / 1_000)
  }

  #unreachable(error: unknown): void {
    if (this.#stopping.signal.aborted) return
    this.#isUnreachable = true
    tell(this.#parts.telemetry, { kind: 'outbox-unreachable', error })
  }

  #reached(): void {
    if (!this.#isUnreachable) return
    this.#isUnreachable = false
    tell(this.#parts.telemetry, { kind: 'outbox-reached' })
  }

  #notSent(topic: string, error: unknown): void {
    if (this.#stopping.signal.aborted) return
    this.#notSentTopics.add(topic)
    tell(this.#parts.telemetry, { kind: 'outbox-not-sent', topic, error })
  }

  async #pauseUnlessWoken(ms: number, signal: AbortSignal): Promise<void> {
    await this.#pause(ms, signal, this.#waking.promise)
    this.#waking = deferred<void>()
  }

  /** Ends early when it is told to stop, `signal` aborts, or `orWhen` resolves. */
  async #pause(ms: number, signal?: AbortSignal, orWhen?: Promise<void>): Promise<void> {
    const { clock } = this.#parts.runtime
    const { promise: ended, resolve: end } = deferred<void>()
    const stopListening = [this.#stopping.signal, ...(signal === undefined ? [] : [signal])].map((one) => {
      if (one.aborted) end()
      return onAbort(one, end)
    })
    void orWhen?.then(end) // never rejects
    await withinDeadline(ended, { clock, deadline: clock.now() + ms, onLate: () => undefined })
    for (const stop of stopListening) stop()
  }

  #now(): number {
    return this.#parts.runtime.clock.now()
  }
}
