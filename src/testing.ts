/** Subpath `tidemark/testing`: tests of applications; time that moves when told, and simulations that repeat by their seed. */
export { untilIdle, type IdleOptions } from './testing/application/until-idle.js'
export { memoryRegistry, type MemoryRegistry, type MemoryRegistryOptions } from './testing/registry/memory-registry.js'
export { recordsOf } from './testing/application/records-of.js'
export { handleOne, type HandledOne, type HandleOneOptions } from './testing/application/handle-one.js'
export {
  virtualClock,
  type RunLimit,
  type VirtualClock,
  type VirtualClockOptions,
} from './testing/time/virtual-clock.js'
export { seededRandom, type Random } from './runtime/random.js'
export type { Runtime } from './runtime/runtime.js'
export {
  simulate,
  SimulationError,
  type Simulation,
  type SimulationOptions,
  type SimulationReport,
} from './testing/simulation/simulate.js'
export type { Disturbance } from './testing/simulation/disturbances.js'
export type { Nemesis, NemesisOptions } from './testing/simulation/nemesis.js'
export type { SimulatedProcess } from './testing/simulation/process.js'
