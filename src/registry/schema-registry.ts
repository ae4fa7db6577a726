import { ConfigError, type ConfigIssue } from '../errors.js'
import { anything, optionIssues, wholeNumber, withMethods, type Rules } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'
import { systemRuntime, type Runtime } from '../runtime/runtime.js'
import { HttpTransport, type HttpSettings, type RegistryCredentials, type RegistryTls } from './http-transport.js'
import { RegistryClient } from './registry-client.js'
import type { SchemaRegistry } from './schema.js'
import type { RegistryTransport } from './transport.js'

/** How a registry is reached. */
export interface SchemaRegistryOptions {
  /**
   * Where it is, with its path: `http://registry:8081`, `https://registry/apis/ccompat/v7`. Of several, the next is asked when
   * one fails.
   */
  readonly urls?: string | readonly string[] | undefined
  /** Instead of `urls`: how it is reached. `memoryRegistry()` of `tidemark/testing` is one. */
  readonly transport?: RegistryTransport | undefined
  /** Name and password, or a bearer token. Never shown. */
  readonly credentials?: RegistryCredentials | undefined
  /** For `https`: authorities to trust, and a certificate with its key where the registry asks for one. As `node:tls` takes them. */
  readonly tls?: RegistryTls | undefined
  /** With every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Of one request at one address. Default 5,000. */
  readonly timeoutMs?: number | undefined
  /** How often a request that failed is tried again, at the next address if there is one. Default 3. */
  readonly retries?: number | undefined
  /** Time and chance; for tests. */
  readonly runtime?: Runtime | undefined
}

const rules: Rules<SchemaRegistryOptions> = {
  urls: {
    expected: 'an address as http://registry:8081, or a list of them, with %40 for @ in a name or password and so on',
    accepts: isUrls,
  },
  transport: withMethods('what memoryRegistry() returned', ['send']),
  credentials: { expected: '{ username, password } or { token }', accepts: areCredentials },
  tls: { expected: 'options as node:tls takes them: { ca, cert, key }', accepts: isRecord },
  headers: {
    expected: 'an object of texts',
    accepts: (value) => isRecord(value) && Object.values(value).every((text) => typeof text === 'string'),
  },
  timeoutMs: wholeNumber(1),
  retries: wholeNumber(0, 100),
  runtime: anything,
}

/**
 * A client of a schema registry that speaks Confluent's API: Confluent's own, Apicurio (under `/apis/ccompat/v7`), Karapace,
 * Redpanda. Nothing is asked before it is needed; one client may serve any number of topics.
 *
 * @throws ConfigError with every problem
 *
 * @example
 * const registry = schemaRegistry({ urls: 'http://localhost:8081' })
 */
export function schemaRegistry(options: SchemaRegistryOptions): SchemaRegistry {
  const issues = optionIssues(options, rules)
  if (issues.length === 0) issues.push(...togetherIssues(options))
  if (issues.length > 0) throw new ConfigError('schemaRegistry()', issues)
  const { timeoutMs = 5_000, retries = 3, runtime = systemRuntime } = options
  return new RegistryClient({ transports: transportsOf(options), timeoutMs, retries, runtime })
}

function transportsOf({ urls = [], transport, credentials, tls, headers }: SchemaRegistryOptions): RegistryTransport[] {
  if (transport !== undefined) return [transport]
  const settings: HttpSettings = { credentials: credentials ?? null, tls: tls ?? null, headers: headers ?? {} }
  return listOf(urls).map((url) => new HttpTransport(new URL(url), settings))
}

function togetherIssues({ urls, transport, tls }: SchemaRegistryOptions): ConfigIssue[] {
  if (transport !== undefined && urls !== undefined) {
    return [{ path: 'transport', message: 'is given beside urls', fix: 'give one of them' }]
  }
  if (transport === undefined && urls === undefined) {
    return [{ path: 'urls', message: 'is missing', fix: 'write where the registry is, as http://registry:8081' }]
  }
  if (tls === undefined || listOf(urls ?? []).every((url) => url.startsWith('https:'))) return []
  return [{ path: 'tls', message: 'is given for an address without TLS', fix: 'write https: in urls, or take tls out' }]
}

function listOf(urls: string | readonly string[]): readonly string[] {
  return typeof urls === 'string' ? [urls] : urls
}

function isUrls(value: unknown): boolean {
  if (typeof value === 'string') return isUrl(value)
  return Array.isArray(value) && value.length > 0 && value.every(isUrl)
}

function isUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const { protocol, search, hash, username, password } = new URL(value)
  if (!isEncoded(username) || !isEncoded(password)) return false
  return (protocol === 'http:' || protocol === 'https:') && search === '' && hash === ''
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function areCredentials(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { username, password, token } = value
  if (token !== undefined) return username === undefined && (typeof token === 'function' || isText(token))
  return isText(username) && typeof password === 'string'
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}
