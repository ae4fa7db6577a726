import type { Producer } from '../producer/producer.js'
import type { Backoff } from '../runtime/backoff.js'
import type { Runtime } from '../runtime/runtime.js'
import { onAbort } from '../runtime/on-abort.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { Telemetry } from '../telemetry/guard.js'
import type { Lease } from './lease.js'
import type { OutboxBacklog, OutboxRow, OutboxStore } from './outbox-store.js'
import { RelayLanes } from './relay-lanes.js'
import type { ResolvedRelayOptions } from './relay-options.js'
import { RowSender } from './row-sender.js'
import { SentMarks } from './sent-marks.js'
import { inTime } from './store-call.js'

export interface RelayTermParts {
  readonly store: OutboxStore
  readonly producer: Pick<Producer, 'send'>
  readonly runtime: Runtime
  readonly telemetry: Telemetry
  readonly options: ResolvedRelayOptions
  readonly lease: Lease
  readonly backoff: Backoff
  readonly onSent: (topic: string, rows: number) => void
  readonly onBacklog: (backlog: OutboxBacklog) => void
  /** The database does not answer. */
  readonly onUnreachable: (error: unknown) => void
  readonly onReached: () => void
  readonly onNotSent: (topic: string, error: unknown) => void
  /** Ends early when there may be more to do. */
  readonly pause: (ms: number) => Promise<void>
}

/** Rows of one look at the table, without what they hold. */
const pageRows = 500
/** Most rows, and bytes, whose content is fetched at a time. */
const contentRows = 100
const contentBytes = 4 * 1_048_576
/** A topic whose share is full and of which nothing ends for so long is passed over, until something does. */
const stillAfterMs = 2_000
const countEveryMs = 5_000
/** It rests so many times as long as it took. */
const countShare = 10

interface Choice {
  readonly rows: readonly OutboxRow[]
  /** Where in the page it goes on. */
  readonly next: number
}

/** What a relay does from when it got the lease until it is over. */
export class RelayTerm {
  readonly #parts: RelayTermParts
  readonly #lanes: RelayLanes
  readonly #marks: SentMarks
  readonly #sender: RowSender
  #countAt = -Infinity

  constructor(parts: RelayTermParts) {
    this.#parts = parts
    const { store, producer, runtime, telemetry, options, lease, backoff, onUnreachable, onNotSent } = parts
    const { clock, random } = runtime
    this.#sender = new RowSender({
      producer,
      store,
      topics: options.topics,
      sendTimeoutMs: options.sendTimeoutMs,
      clock,
      storeTimeoutMs: options.leaseMs,
      telemetry,
      onNotSent,
      onUnreachable,
    })
    this.#marks = new SentMarks({
      store,
      clock,
      random,
      backoff,
      timeoutMs: options.leaseMs,
      onRecord: (rows) => {
        for (const row of rows) this.#lanes.letGo(row)
      },
      onUnreachable,
    })
    this.#lanes = new RelayLanes({
      now: () => clock.now(),
      send: (row, content) => this.#sender.send(row, content, lease),
      onStored: (row) => {
        parts.onSent(row.topic, 1)
        this.#marks.add(row)
      },
      restMs: (failures) => backoff(failures, random),
    })
  }

  get inHand(): number {
    return this.#lanes.inHand
  }

  /** Until the lease is over, or `stopping` aborts. Never rejects. */
  async run(stopping: AbortSignal): Promise<void> {
    const { lease, runtime, options, backoff, onUnreachable, onReached, pause } = this.#parts
    const mayGoOn = () => lease.isValid && !stopping.aborted
    // What is being sent goes on, and who waits for room waits no longer.
    const stopListening = onAbort(stopping, () => this.#lanes.close())
    let failures = 0
    while (mayGoOn()) {
      try {
        void this.#count() // never rejects
        const taken = await this.#pass(mayGoOn)
        onReached()
        failures = 0
        if (mayGoOn()) await pause(taken === 0 ? options.pollMs : 0)
      } catch (error) {
        failures += 1
        onUnreachable(error)
        await pause(backoff(failures, runtime.random))
      }
    }
    stopListening()
  }

  /** What is being sent ends, by `deadline` or not at all; what is stored is put on record. Never rejects. */
  async end(deadline: number): Promise<void> {
    const { runtime, lease } = this.#parts
    const { clock } = runtime
    this.#lanes.close()
    const onLate = () => undefined
    while (this.#lanes.sending > 0 && clock.now() < deadline) {
      await withinDeadline(this.#lanes.changed, { clock, deadline, onLate })
    }
    lease.end('stopped')
    await withinDeadline(this.#marks.whenIdle(), { clock, deadline, onLate })
    this.#marks.giveUp()
  }

  /** Once through the table; how many rows it took. */
  async #pass(mayGoOn: () => boolean): Promise<number> {
    /** Topics that have no room, and get none. */
    const passedOver = new Set<string>()
    let after = 0
    let taken = 0
    while (mayGoOn()) {
      const rows = await this.#call(this.#parts.store.pending(after, pageRows))
      for (let at = 0; at < rows.length && mayGoOn();) {
        const { rows: some, next } = this.#choose(rows, at, passedOver)
        at = next
        taken += some.length
        await this.#fetchAndStart(some)
        const row = rows[at]
        if (row !== undefined) await this.#roomFor(row.topic, passedOver, mayGoOn)
      }
      const last = rows.at(-1)
      if (last === undefined || rows.length < pageRows) return taken
      after = last.number
    }
    return taken
  }

  #choose(rows: readonly OutboxRow[], from: number, passedOver: Set<string>): Choice {
    const chosen: OutboxRow[] = []
    let bytes = 0
    let at = from
    for (; at < rows.length; at += 1) {
      const row = rows[at] as OutboxRow
      if (passedOver.has(row.topic) || !this.#lanes.mayTake(row)) continue
      const isFull = chosen.length >= contentRows || (chosen.length > 0 && bytes + row.sizeBytes > contentBytes)
      if (isFull || this.#lanes.roomFor(row.topic) !== 'free') break
      this.#lanes.take(row)
      chosen.push(row)
      bytes += row.sizeBytes
    }
    return { rows: chosen, next: at }
  }

  async #fetchAndStart(rows: readonly OutboxRow[]): Promise<void> {
    if (rows.length === 0) return
    try {
      const numbers = rows.map(({ number }) => number)
      const contents = new Map(
        (await this.#call(this.#parts.store.contents(numbers))).map((content) => [content.number, content]),
      )
      for (const row of rows) {
        const content = contents.get(row.number)
        if (content === undefined) this.#lanes.letGo(row)
        else this.#lanes.start(row, content)
      }
    } catch (error) {
      for (const row of rows) this.#lanes.letGo(row)
      throw error
    }
  }

  /** Waits for room. Of a topic that has none and gets none it passes over the rest. */
  async #roomFor(topic: string, passedOver: Set<string>, mayGoOn: () => boolean): Promise<void> {
    const { clock } = this.#parts.runtime
    const stillAt = clock.now() + stillAfterMs
    while (mayGoOn()) {
      const room = this.#lanes.roomFor(topic)
      if (room === 'free') return
      if (room === 'topic-full' && clock.now() >= stillAt) this.#lanes.standsStill(topic)
      if (room === 'topic-full' && this.#lanes.isFailing(topic)) return void passedOver.add(topic)
      const deadline = clock.now() + stillAfterMs
      await withinDeadline(this.#lanes.changed, { clock, deadline, onLate: () => undefined })
    }
  }

  /**
   * Beside all else: of a large table it takes long, and rows are sent meanwhile. Never rejects: that the database is away
   * is told by who asks it for rows.
   */
  async #count(): Promise<void> {
    const { store, runtime, onBacklog } = this.#parts
    const { clock } = runtime
    const began = clock.now()
    if (began < this.#countAt) return
    this.#countAt = Infinity
    const backlog = await this.#call(store.backlog()).catch(() => null)
    const ended = clock.now()
    this.#countAt = ended + Math.max(countEveryMs, countShare * (ended - began))
    if (backlog !== null && this.#parts.lease.isValid) onBacklog(backlog)
  }

  #call<Value>(call: Promise<Value>): Promise<Value> {
    return inTime(call, this.#parts.runtime.clock, this.#parts.options.leaseMs)
  }
}
