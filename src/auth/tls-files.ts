import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { ConfigError, TidemarkError } from '../errors.js'
import { optionIssues, type Rule, type Rules } from '../input/option-rules.js'
import { isText } from '../input/shapes.js'
import { guarded } from '../telemetry/guard.js'
import type { Logger } from '../telemetry/logger.js'
import { noMetrics } from '../telemetry/metrics.js'
import { standardLogger } from '../telemetry/standard-logger.js'

/** What `tlsFiles` is given. */
export interface TlsFileOptions {
  /** Path of a PEM file with the authorities that the brokers' certificates are signed by. Default: Node's. */
  readonly ca?: string | undefined
  /** Path of a PEM file with this client's certificate, and those between it and its authority. */
  readonly cert?: string | undefined
  /** Path of a PEM file with its key. */
  readonly key?: string | undefined
  /** Of the key. */
  readonly passphrase?: string | undefined
  /** Where it is told that files cannot be used and the last good ones are. Default: warnings to standard error. */
  readonly logger?: Logger | undefined
}

/** PEM texts, as `tls.connect` takes them. */
export interface TlsFiles {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
}

const path: Rule = { expected: 'the path of a PEM file, or leave it out', accepts: isText }
const isPem = (value: unknown) => typeof value === 'string' && value.includes('-----BEGIN ')

const rules: Rules<TlsFileOptions> = {
  ca: path,
  cert: path,
  key: path,
  passphrase: { expected: 'text, or leave it out', accepts: (value) => typeof value === 'string' },
  logger: {
    expected: 'a logger with warn',
    accepts: (value) => typeof (value as Partial<Logger>)?.warn === 'function',
  },
}

/**
 * Certificates in files that are exchanged while the process runs (as Kubernetes and cert-manager do), as `ssl` of kafkajs's
 * configuration: `kafkajs({ brokers, ssl: tlsFiles({ ca, cert, key }) })`. They are read by each new connection; those that
 * stand go on. Files that cannot be read or do not belong together (one of them was exchanged and the other was not yet)
 * leave the last good ones in use, which is told at `warn`.
 *
 * @throws ConfigError with every problem of the options. What it gives rejects with `TidemarkError` `no-certificate` as long
 * as no files were good; then the connection is tried again.
 */
export function tlsFiles(options: TlsFileOptions): () => Promise<TlsFiles> {
  const issues = optionIssues(options, rules)
  for (const name of ['ca', 'cert', 'key'] as const) {
    if (!isPem(options?.[name])) continue
    const fix = 'write the path of the file that holds it, or give the text to kafkajs: ssl: { ca, cert, key }'
    issues.push({ path: name, message: 'is PEM text', fix })
  }
  if ((options?.cert === undefined) !== (options?.key === undefined)) {
    const lacking = options.cert === undefined ? 'cert' : 'key'
    issues.push({ path: lacking, message: 'is missing', fix: 'give cert and key, or none of them' })
  }
  if (issues.length > 0) throw new ConfigError('tlsFiles', issues)
  const { passphrase } = options
  const { logger } = guarded(options.logger ?? standardLogger(process.env['TIDEMARK_LOG']), noMetrics, 'tlsFiles')
  let held: TlsFiles | null = null
  return async () => {
    try {
      const { ca, cert, key } = await texts(options)
      if (held !== null && held.ca === ca && held.cert === cert && held.key === key) return held
      const given = { ca, cert, key, passphrase }
      const now = Object.fromEntries(Object.entries(given).filter(([, text]) => text !== undefined)) as TlsFiles
      requireUsable(now)
      held = now
    } catch (cause) {
      if (held === null) throw notGood(cause)
      logger.warn({ err: notGood(cause) }, 'the files of tlsFiles cannot be used; the last good ones are')
    }
    return held
  }
}

async function texts({ ca, cert, key }: TlsFileOptions) {
  const textOf = (file: string | undefined) => (file === undefined ? undefined : readFile(file, 'utf8'))
  const [caText, certText, keyText] = await Promise.all([textOf(ca), textOf(cert), textOf(key)])
  return { ca: caText, cert: certText, key: keyText }
}

function requireUsable(files: TlsFiles): void {
  const { ca, cert, key, passphrase } = files
  // Node passes over authorities that are none, and over empty files.
  if (ca !== undefined) new X509Certificate(ca)
  if (cert !== undefined) new X509Certificate(cert)
  if (key !== undefined) createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) })
  createSecureContext(files)
}

/** What Node says of a key may quote it; its code says enough. */
function notGood(cause: unknown): TidemarkError {
  const { code = 'no code', path: file } = cause as { readonly code?: string; readonly path?: string }
  const what =
    file === undefined
      ? `hold what cannot be used (${code}); check that they are PEM, that key and cert belong together, and the passphrase`
      : `cannot be read: ${file} (${code})`
  return new TidemarkError('no-certificate', `the files of tlsFiles ${what}`, { retriable: true })
}
