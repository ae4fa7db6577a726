import { administrationCases } from './administration-cases.js'
import { assignorCases } from './assignor-cases.js'
import { brokerCases } from './broker-cases.js'
import { committingCases } from './committing-cases.js'
import { contentCases } from './content-cases.js'
import type { ContractCase } from './contract-case.js'
import { cutLogCases } from './cut-log-cases.js'
import { doubtfulBatchCases } from './doubtful-batch-cases.js'
import { flowCases } from './flow-cases.js'
import { groupAdministrationCases } from './group-administration-cases.js'
import { logCases } from './log-cases.js'
import { losingCases } from './losing-cases.js'
import { madeAnewCases } from './made-anew-cases.js'
import { producingCases } from './producing-cases.js'
import { readingCases } from './reading-cases.js'
import { rebalancingCases } from './rebalancing-cases.js'
import { refusedBatchCases } from './refused-batch-cases.js'
import { releasingCases } from './releasing-cases.js'
import { staticMemberCases } from './static-member-cases.js'

/** Everything a `Driver` promises, as cases for any test runner. Run one with `runContractCase`. */
export const driverContract: readonly ContractCase[] = [
  ...producingCases,
  ...refusedBatchCases,
  ...doubtfulBatchCases,
  ...contentCases,
  ...readingCases,
  ...madeAnewCases,
  ...cutLogCases,
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
  ...groupAdministrationCases,
]
