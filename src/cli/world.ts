import type { Environment } from '../config/environment-reader.js'
import type { LoadedConfig } from '../config/load-config.js'
import type { Driver } from '../driver/driver.js'
import type { Terminal } from './terminal.js'

/** All that a run of the command has from outside. */
export interface World {
  readonly terminal: Terminal
  readonly environment: Environment
  /** Where `tidemark.config.*` is looked for. */
  readonly directory: string
  /** Ends what lasts, as ctrl-C does. */
  readonly signal: AbortSignal
  /** Where the page of the console was built to. */
  readonly pageFolder: string
  readonly driverOf: (kafka: LoadedConfig['kafka']) => Driver
}
