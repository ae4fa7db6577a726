import type { Driver } from '../../driver/driver.js'
import { createProtocolDriver } from '../../protocol/driver.js'
import type { Runtime } from '../../runtime/runtime.js'
import { createMemoryCluster, type MemoryCluster } from './memory-cluster.js'
import { requireMemoryOptions } from './memory-options.js'

export interface MemoryOptions {
  /** Default: a new cluster, seen by the clients of this driver alone. */
  readonly cluster?: MemoryCluster
  /** Time and chance of the clients. Default the cluster's. */
  readonly runtime?: Runtime
}

/** An in-process Kafka under the client code that runs in production: nothing to install, nothing left behind. */
export function memory(options: MemoryOptions = {}): Driver {
  requireMemoryOptions(options)
  const { cluster, runtime } = options
  const served = cluster ?? createMemoryCluster(runtime === undefined ? {} : { runtime })
  return createProtocolDriver(served.connectionFactory(), runtime ?? served.runtime)
}
