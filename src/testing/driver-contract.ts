import { administrationCases } from './contract/administration-cases.js'
import { brokerCases } from './contract/broker-cases.js'
import { committingCases } from './contract/committing-cases.js'
import { contentCases } from './contract/content-cases.js'
import type { ContractCase } from './contract/contract-case.js'
import { flowCases } from './contract/flow-cases.js'
import { logCases } from './contract/log-cases.js'
import { producingCases } from './contract/producing-cases.js'
import { readingCases } from './contract/reading-cases.js'
import { rebalancingCases } from './contract/rebalancing-cases.js'

/** Everything a `Driver` promises, as cases for any test runner. Run one with `runContractCase`. */
export const driverContract: readonly ContractCase[] = [
  ...producingCases,
  ...contentCases,
  ...readingCases,
  ...flowCases,
  ...committingCases,
  ...rebalancingCases,
  ...logCases,
  ...brokerCases,
  ...administrationCases,
]
