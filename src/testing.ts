/** Subpath `tidemark/testing`: time that moves when told, seeded simulations, and the contract every driver keeps. */
export {
  virtualClock,
  type RunLimit,
  type VirtualClock,
  type VirtualClockOptions,
} from './testing/time/virtual-clock.js'
export { seededRandom } from './runtime/random.js'
export {
  simulate,
  SimulationError,
  type Simulation,
  type SimulationOptions,
  type SimulationReport,
} from './testing/simulation/simulate.js'
export type { Disturbance, Nemesis, NemesisOptions } from './testing/simulation/nemesis.js'
export type { ProcessObserver, SimulatedProcess } from './testing/simulation/process.js'
export type * from './connection/requests.js'
export type { RequestError, RequestFailure } from './connection/request-error.js'
export { driverContract } from './testing/contract/driver-contract.js'
export { casesFor, runContractCase, type ContractCase, type ContractGroup } from './testing/contract/contract-case.js'
export type {
  ContractAbilities,
  ContractAbility,
  ContractHost,
  HeldProduce,
  HostTopic,
} from './testing/contract/contract-host.js'
export type { ContractWorld } from './testing/contract/contract-world.js'
export type { News, NewsBody, RecordingConsumer } from './testing/contract/recording-consumer.js'
