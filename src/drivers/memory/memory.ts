import type { Driver } from '../../driver/driver.js'
import { optionProblem, withMethods, type Rules } from '../../input/option-rules.js'
import { createProtocolDriver } from '../../protocol/driver.js'
import type { Runtime } from '../../runtime/runtime.js'
import { createMemoryCluster, type MemoryCluster } from './memory-cluster.js'
import { runtimeRule } from './memory-options.js'

/** What `memory` is given. */
export interface MemoryOptions {
  /** Default: a new cluster, seen by the clients of this driver alone. */
  readonly cluster?: MemoryCluster | undefined
  /** Time and chance of the clients. Default the cluster's. */
  readonly runtime?: Runtime | undefined
}

const memoryRules: Rules<MemoryOptions> = {
  cluster: withMethods('what createMemoryCluster returned', ['connectionFactory', 'createTopic']),
  runtime: runtimeRule,
}

/** An in-process Kafka under the client code that runs in production: nothing to install, nothing left behind. */
export function memory(options: MemoryOptions = {}): Driver {
  const problem = optionProblem('memory', options, memoryRules)
  if (problem !== null) throw problem
  const { cluster, runtime } = options
  const served = cluster ?? createMemoryCluster(runtime === undefined ? {} : { runtime })
  return createProtocolDriver(served.connectionFactory(), runtime ?? served.runtime)
}
