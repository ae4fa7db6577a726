import { apiKeys, type ApiName } from './kafka-frames.js'

export interface Aim {
  readonly api: ApiName
  /** Counted from now, from 1. Default 1. */
  readonly nth?: number
}

/** A fault that waits for its frame. */
export interface Trap {
  /** Resolved when it has struck. */
  readonly struck: Promise<void>
  readonly hasStruck: boolean
}

export interface HeldRequest extends Trap {
  /** Delivers the request to the broker now, also when the client has given up and gone; before it was caught: lets it pass. */
  release(): void
}

/** Strikes at the n-th frame of its API from now on. */
export class ArmedTrap implements HeldRequest {
  readonly struck: Promise<void>
  #resolve: () => void = () => undefined
  #left: number
  #hasStruck = false
  #released = false
  onRelease: (() => void) | undefined

  constructor(
    private readonly apiKey: number,
    nth: number,
    private readonly disarm: (trap: ArmedTrap) => void,
  ) {
    this.#left = nth
    this.struck = new Promise((resolve) => (this.#resolve = resolve))
  }

  get hasStruck(): boolean {
    return this.#hasStruck
  }

  strikes(apiKey: number): boolean {
    if (apiKey !== this.apiKey || --this.#left > 0) return false
    this.disarm(this)
    this.#hasStruck = true
    this.#resolve()
    return true
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.disarm(this)
    this.onRelease?.()
  }
}

export function arm(traps: Set<ArmedTrap>, { api, nth = 1 }: Aim): ArmedTrap {
  const trap = new ArmedTrap(apiKeys[api], nth, (spent) => traps.delete(spent))
  traps.add(trap)
  return trap
}

export function firstThatStrikes(traps: Set<ArmedTrap>, apiKey: number): ArmedTrap | undefined {
  for (const trap of traps) if (trap.strikes(apiKey)) return trap
  return undefined
}
