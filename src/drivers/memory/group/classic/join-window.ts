import type { Clock, Timer } from '../../../../runtime/clock.js'
import { setBrokerTimer } from '../../cluster/broker-timer.js'

type WindowState =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open' }
  /** The first rebalance of an empty group waits for more members to come, and each that comes prolongs the wait. */
  | { readonly kind: 'initial'; readonly remainingMs: number; sawNewMember: boolean }

/** How long a group waits for its members to join. */
export class JoinWindow {
  readonly #clock: Clock
  readonly #settings: { readonly initialRebalanceDelayMs: number }
  /** The time is over. */
  readonly #onEnd: () => void
  #state: WindowState = { kind: 'closed' }
  #timer: Timer | null = null

  constructor(clock: Clock, settings: { readonly initialRebalanceDelayMs: number }, onEnd: () => void) {
    this.#clock = clock
    this.#settings = settings
    this.#onEnd = onEnd
  }

  /** It goes on even when all who are known have joined. */
  get waitsForStrangers(): boolean {
    return this.#state.kind === 'initial'
  }

  noteNewMember(): void {
    if (this.#state.kind === 'initial') this.#state.sawNewMember = true
  }

  open(forMs: number): void {
    this.#state = { kind: 'open' }
    this.#endIn(forMs)
  }

  /** @param longestMs what the slowest member allows */
  openForFirstMembers(longestMs: number): void {
    const delayMs = this.#settings.initialRebalanceDelayMs
    this.#waitOn(delayMs, Math.max(longestMs - delayMs, 0))
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#state = { kind: 'closed' }
  }

  #waitOn(forMs: number, remainingMs: number): void {
    this.#state = { kind: 'initial', remainingMs, sawNewMember: false }
    this.#endIn(forMs)
  }

  #end(): void {
    const state = this.#state
    if (state.kind === 'initial' && state.sawNewMember) {
      const nextMs = Math.min(this.#settings.initialRebalanceDelayMs, state.remainingMs)
      if (nextMs > 0) {
        this.#waitOn(nextMs, state.remainingMs - nextMs)
        return
      }
    }
    this.close()
    this.#onEnd()
  }

  #endIn(ms: number): void {
    this.#timer?.cancel()
    this.#timer = setBrokerTimer(this.#clock, ms, () => this.#end())
  }
}
