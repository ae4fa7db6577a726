import type { Clock, Timer } from '../runtime/clock.js'
import { pause } from '../runtime/pause.js'
import type { Random } from '../runtime/random.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { OutboxStore } from './outbox-store.js'
import { inTime } from './store-call.js'

/** Why a lease is over. */
export type LeaseEnd = 'another-leads' | 'not-renewed' | 'stopped'

export interface LeaseParts {
  readonly store: Pick<OutboxStore, 'lead' | 'resign'>
  readonly clock: Clock
  readonly random: Random
  readonly leaseMs: number
  /** It was not renewed, and may be later. */
  readonly onUnreachable: (error: unknown) => void
}

/** Of its time only so much is used: timers are late, and clocks run at different rates. */
const usedShare = 0.8

/**
 * The right to send, for a time that the clock of the database counts.
 *
 * | it is | news                                            | becomes |
 * |-------|-------------------------------------------------|---------|
 * | new   | the database gives it                           | valid until 80 % of its time have passed since it was asked |
 * | new   | another has it, or the database does not answer | of no use |
 * | valid | it is renewed, three times in its time          | valid for longer |
 * | valid | the database says that another has it           | over: `another-leads` |
 * | valid | its time is over                                | over: `not-renewed` |
 * | valid | it is given back                                | over: `stopped` |
 *
 * A process that sleeps while its lease runs out finds it over when it looks at it, which it does before each send; what it
 * had handed to a socket before it fell asleep may be stored beside what the next holder sends.
 */
export class Lease {
  readonly holder: string
  readonly #parts: LeaseParts
  readonly #end = new AbortController()
  #validUntil = -Infinity
  #timer: Timer | null = null
  #endedBy: LeaseEnd | null = null

  constructor(parts: LeaseParts) {
    this.#parts = parts
    this.holder = parts.random.uuid()
  }

  /** Aborts when it is over. */
  get signal(): AbortSignal {
    return this.#end.signal
  }

  get isValid(): boolean {
    return this.#endedBy === null && this.#parts.clock.now() < this.#validUntil
  }

  get endedBy(): LeaseEnd | null {
    return this.#endedBy
  }

  /** Rejects when the database does not answer. */
  async take(): Promise<boolean> {
    const { store, clock, leaseMs } = this.#parts
    const askedAt = clock.now()
    const isOurs = await inTime(store.lead(this.holder, leaseMs), clock, leaseMs)
    if (!isOurs || this.#endedBy !== null) return false
    this.#validUntil = Math.max(this.#validUntil, askedAt + leaseMs * usedShare)
    this.#arm()
    return true
  }

  /** Renews it until it is over. Never rejects. */
  async keep(): Promise<void> {
    const { clock, leaseMs, onUnreachable } = this.#parts
    while (this.#endedBy === null) {
      await pause(clock, leaseMs / 3, this.signal)
      if (this.#isOver()) return
      try {
        if (!(await this.take())) this.end('another-leads')
      } catch (error) {
        onUnreachable(error)
      }
    }
  }

  end(by: LeaseEnd): void {
    if (this.#endedBy !== null) return
    this.#endedBy = by
    this.#timer?.cancel()
    this.#end.abort(new Error(`the lease of the relay is over: ${by}`))
  }

  /** Never rejects: a lease that cannot be given back runs out. */
  async giveBack(): Promise<void> {
    const { store, clock, leaseMs } = this.#parts
    this.end('stopped')
    const wait = { clock, deadline: clock.now() + leaseMs, onLate: () => undefined }
    await withinDeadline(store.resign(this.holder), wait).catch(() => undefined) // runs out
  }

  /** May have changed while it waited. */
  #isOver(): boolean {
    return this.#endedBy !== null
  }

  #arm(): void {
    this.#timer?.cancel()
    const { clock } = this.#parts
    this.#timer = clock.setTimer(Math.max(0, this.#validUntil - clock.now()), () => this.end('not-renewed'))
  }
}
