import { systemClock, type Clock } from './clock.js'
import { systemRandom, type Random } from './random.js'

/** Time and chance, handed to every part that needs them. */
export interface Runtime {
  readonly clock: Clock
  readonly random: Random
}

export const systemRuntime: Runtime = { clock: systemClock, random: systemRandom }
