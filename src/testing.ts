/** Subpath `tidemark/testing`: time that moves when told, seeded simulations, and the contract every driver keeps. */
export { virtualClock, type VirtualClock } from './testing/virtual-clock.js'
export { seededRandom } from './runtime/random.js'
export {
  simulate,
  SimulationError,
  type Simulation,
  type SimulationOptions,
  type SimulationReport,
} from './testing/simulate.js'
export { driverContract } from './testing/driver-contract.js'
export { casesFor, runContractCase, type ContractCase } from './testing/contract/contract-case.js'
export type { ContractAbilities, ContractHost } from './testing/contract/contract-host.js'
