import type { Driver } from '../../src/driver/driver.js'
import type { ContractCase } from '../../src/testing/contract/contract-case.js'
import type { ContractHost } from '../../src/testing/contract/contract-host.js'
import { driverContract } from '../../src/testing/contract/driver-contract.js'

/** What is promised of reading, from whichever replica. */
export const casesOfReading: readonly ContractCase[] = driverContract.filter(({ group }) =>
  ['reading', 'flow', 'transactions and holes', 'brokers'].includes(group),
)

/** Cases wait 15 s at the most, and a follower that copies nothing is noticed only when metadata are old. */
const longestMetadataMs = 5_000

/** The same host, and every consumer says that it is in that rack. */
export function inRack(rackId: string, host: ContractHost): ContractHost {
  const { driver } = host
  const changed: Driver = {
    name: driver.name,
    runtime: driver.runtime,
    createProducer: (...given) => driver.createProducer(...given),
    createConsumer(settings, listener) {
      const metadataMaxAgeMs = Math.min(settings.metadataMaxAgeMs, longestMetadataMs)
      return driver.createConsumer({ ...settings, rackId, metadataMaxAgeMs }, listener)
    },
    createAdmin: (...given) => driver.createAdmin(...given),
  }
  return { ...host, driver: changed }
}
