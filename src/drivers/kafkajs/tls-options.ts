import type { ConnectionOptions } from 'node:tls'
import type { KafkaConfig } from 'kafkajs'
import { RequestError } from '../../connection/request-error.js'
import { TidemarkError } from '../../errors.js'
import { came } from '../../input/came.js'
import { isRecord } from '../../input/shapes.js'

/** Asked by each new connection, so that certificates can be exchanged. */
export type TlsProvider = () => ConnectionOptions | Promise<ConnectionOptions>

/** kafkajs's configuration, and what is more here. */
export type ConnectionConfig = Omit<KafkaConfig, 'ssl'> & {
  readonly ssl?: KafkaConfig['ssl'] | TlsProvider | undefined
}

/** Of one attempt to connect; `ssl: true` means TLS with Node's defaults. */
export type TlsOptions = ConnectionOptions | boolean | undefined

export async function tlsOptionsOf({ ssl }: Pick<ConnectionConfig, 'ssl'>): Promise<TlsOptions> {
  if (typeof ssl !== 'function') return ssl
  let options: unknown
  try {
    options = await ssl()
  } catch (error) {
    // Its text may tell the way to a vault, password and all; what is thrown here tells nothing secret.
    const what = error instanceof TidemarkError ? `failed: ${error.message}` : `threw ${nameOf(error)}; see its cause`
    throw new RequestError('cannot-connect', 'never', `the function of config.ssl ${what}`, error)
  }
  if (isRecord(options)) return options
  const message = `config.ssl: expected a function that gives the options of tls.connect, and what it gave ${came(options)}`
  throw new RequestError('refused', 'never', message)
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}
