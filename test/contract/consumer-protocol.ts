import type { Driver } from '../../src/driver/driver.js'
import type { ContractCase } from '../../src/testing/contract/contract-case.js'
import type { ContractHost } from '../../src/testing/contract/contract-host.js'
import { driverContract } from '../../src/testing/contract/driver-contract.js'

/**
 * Promises that the other protocol does not make: its coordinator divides, sets the session timeout, and fences the second of
 * two; a partition that stays is not given up and taken again.
 */
const classicOnly: readonly RegExp[] = [
  /assignor/,
  /session timeout that the broker does not allow/,
  /static member that leads/,
  /dies without a word/,
  /with different topics/,
  /also when the partition has come back/,
  /static id in use twice fences the first/,
]

/** What is promised of groups, whichever protocol they have. */
export const casesOfGroups: readonly ContractCase[] = driverContract.filter(
  ({ group, name }) =>
    ['committing', 'rebalancing', 'group administration'].includes(group) &&
    !classicOnly.some((each) => each.test(name)),
)

/** The same host, and all members of its groups have the `consumer` protocol. */
export function withConsumerProtocol(host: ContractHost): ContractHost {
  const { driver } = host
  const ours: Driver = {
    name: driver.name,
    runtime: driver.runtime,
    createProducer: (...given) => driver.createProducer(...given),
    createConsumer: (settings, listener) => driver.createConsumer({ ...settings, groupProtocol: 'consumer' }, listener),
    createAdmin: (...given) => driver.createAdmin(...given),
  }
  return { ...host, driver: ours }
}
