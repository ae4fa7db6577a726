import { administrationCases } from './contract/administration-cases.js'
import { assignorCases } from './contract/assignor-cases.js'
import { brokerCases } from './contract/broker-cases.js'
import { committingCases } from './contract/committing-cases.js'
import { contentCases } from './contract/content-cases.js'
import type { ContractCase } from './contract/contract-case.js'
import { doubtfulBatchCases } from './contract/doubtful-batch-cases.js'
import { flowCases } from './contract/flow-cases.js'
import { logCases } from './contract/log-cases.js'
import { losingCases } from './contract/losing-cases.js'
import { producingCases } from './contract/producing-cases.js'
import { readingCases } from './contract/reading-cases.js'
import { rebalancingCases } from './contract/rebalancing-cases.js'
import { refusedBatchCases } from './contract/refused-batch-cases.js'
import { releasingCases } from './contract/releasing-cases.js'
import { staticMemberCases } from './contract/static-member-cases.js'

/** Everything a `Driver` promises, as cases for any test runner. Run one with `runContractCase`. */
export const driverContract: readonly ContractCase[] = [
  ...producingCases,
  ...refusedBatchCases,
  ...doubtfulBatchCases,
  ...contentCases,
  ...readingCases,
  ...flowCases,
  ...committingCases,
  ...rebalancingCases,
  ...releasingCases,
  ...losingCases,
  ...staticMemberCases,
  ...assignorCases,
  ...logCases,
  ...brokerCases,
  ...administrationCases,
]
