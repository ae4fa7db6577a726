import { readFileSync } from 'node:fs'
import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { optionProblem, type Rules } from '../input/option-rules.js'
import { nearest } from '../input/suggestion.js'
import { parseBrokerAddress } from './broker-addresses.js'
import { EnvironmentReader, type Environment } from './environment-reader.js'
import { hideWhenPrinted } from './hide-when-printed.js'
import { profiles, type Profile, type ProfileName } from './profiles.js'

/** Certificates as `KAFKA_SSL_*` variables give them, in PEM. */
export interface TlsFromEnvironment {
  readonly ca?: string[]
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
}

/** Credentials as `KAFKA_SASL_*` variables give them. */
export type SaslFromEnvironment = {
  readonly [Mechanism in 'plain' | 'scram-sha-256' | 'scram-sha-512']: {
    readonly mechanism: Mechanism
    readonly username: string
    readonly password: string
  }
}['plain' | 'scram-sha-256' | 'scram-sha-512']

/** What the environment says, in the two halves it is used for: `createMessaging({ driver: kafkajs(kafka), ...messaging })`. */
export interface LoadedConfig {
  /** For a driver. Secrets are there, but hidden when the object is printed or turned into JSON. */
  readonly kafka: {
    readonly brokers: string[]
    readonly clientId?: string
    readonly ssl?: boolean | TlsFromEnvironment
    readonly sasl?: SaslFromEnvironment
  }
  readonly messaging: {
    readonly clientId?: string
    readonly profile?: ProfileName
    readonly durability?: Profile['durability']
    readonly groupProtocol?: 'classic' | 'consumer' | 'auto'
  }
  /** What works but is probably not meant. */
  readonly warnings: readonly string[]
}

/** How `loadConfig` reads. */
export interface LoadConfigOptions {
  /** Reads a file named by a `KAFKA_SSL_*` variable. Default: from disk. */
  readonly readFile?: ((path: string) => string) | undefined
}

const optionRules: Rules<LoadConfigOptions> = {
  readFile: { expected: 'a function: (path) => text', accepts: (value) => typeof value === 'function' },
}

/** Every variable that `loadConfig` reads, and what it means. */
export const environmentVariables = {
  KAFKA_BROKERS: 'brokers to begin with: host:port, separated by commas (required)',
  KAFKA_CLIENT_ID: 'name of this client in broker logs and quotas',
  KAFKA_SSL: 'TLS, yes or no; yes when a certificate is given',
  KAFKA_SSL_CA: 'certificate authorities: a path, or PEM text',
  KAFKA_SSL_CERT: 'client certificate: a path, or PEM text',
  KAFKA_SSL_KEY: 'key of the client certificate: a path, or PEM text',
  KAFKA_SSL_KEY_PASSPHRASE: 'passphrase of that key',
  KAFKA_SASL_MECHANISM: 'plain, scram-sha-256 or scram-sha-512',
  KAFKA_SASL_USERNAME: 'user name',
  KAFKA_SASL_PASSWORD: 'password',
  TIDEMARK_PROFILE: 'ap, cp or transactional',
  TIDEMARK_DURABILITY: 'refuse, warn or off: when the cluster cannot keep the promise of the profile',
  TIDEMARK_GROUP_PROTOCOL: 'classic, consumer or auto: who divides the partitions of a group',
  TIDEMARK_LOG: 'silent, error, warn, info or json: what is written to standard error without a logger',
} as const

/**
 * Typed configuration from environment variables (see {@link environmentVariables}). Throws `ConfigError` with all problems
 * at once; no message shows the content of a secret.
 */
export function loadConfig(environment: Environment = process.env, options: LoadConfigOptions = {}): LoadedConfig {
  requireEnvironment(environment)
  const problem = optionProblem('loadConfig', options, optionRules)
  if (problem !== null) throw problem
  const { readFile = (path) => readFileSync(path, 'utf8') } = options
  const read = new EnvironmentReader(environment)
  const clientId = read.text('KAFKA_CLIENT_ID')
  const brokers = readBrokers(read)
  const ssl = readTls(read, readFile)
  const sasl = readSasl(read)
  const messaging = readMessaging(read)
  const warnings = [...clearTextWarning(ssl, sasl), ...misspelt(read, environment)]
  if (read.issues.length > 0) throw new ConfigError('environment', read.issues)
  const named = clientId === undefined ? {} : { clientId }
  return {
    kafka: { brokers, ...named, ...(ssl === undefined ? {} : { ssl }), ...(sasl === undefined ? {} : { sasl }) },
    messaging: { ...named, ...messaging },
    warnings,
  }
}

function requireEnvironment(environment: unknown): void {
  if (typeof environment === 'object' && environment !== null && !Array.isArray(environment)) return
  const fix = 'give an object of variables, or leave it out for process.env'
  throw new ConfigError('loadConfig', [{ path: 'environment', message: came(environment), fix }])
}

function readBrokers(read: EnvironmentReader): string[] {
  const entries = (read.text('KAFKA_BROKERS') ?? '').split(',').map((entry) => entry.trim())
  const parsed = entries.filter((entry) => entry !== '').map(parseBrokerAddress)
  const fix = 'write for example KAFKA_BROKERS=kafka-1:9092,kafka-2:9092'
  if (parsed.length === 0) read.refuse('KAFKA_BROKERS', 'is missing', fix)
  for (const broker of parsed) {
    if ('problem' in broker) read.refuse('KAFKA_BROKERS', broker.problem, fix)
  }
  return parsed.flatMap((broker) => ('address' in broker ? [broker.address] : []))
}

function readTls(
  read: EnvironmentReader,
  readFile: (path: string) => string,
): boolean | TlsFromEnvironment | undefined {
  const enabled = read.flag('KAFKA_SSL')
  const ca = readPem(read, 'KAFKA_SSL_CA', readFile)
  const cert = readPem(read, 'KAFKA_SSL_CERT', readFile)
  const key = readPem(read, 'KAFKA_SSL_KEY', readFile)
  const passphrase = read.secret('KAFKA_SSL_KEY_PASSPHRASE')
  requireTogether(read, 'KAFKA_SSL_CERT', 'KAFKA_SSL_KEY')
  if (passphrase !== undefined && read.secret('KAFKA_SSL_KEY') === undefined) {
    read.refuse('KAFKA_SSL_KEY_PASSPHRASE', 'is given without a key', 'give KAFKA_SSL_KEY, or take it out')
  }
  const details = {
    ...(ca === undefined ? {} : { ca: [ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
  }
  if (Object.keys(details).length === 0) return enabled
  if (enabled === false) {
    read.refuse('KAFKA_SSL', 'is no, but certificates are given', 'write KAFKA_SSL=yes, or take KAFKA_SSL_* out')
  }
  return hideWhenPrinted(details, ['key', 'passphrase'])
}

function readPem(read: EnvironmentReader, name: string, readFile: (path: string) => string): string | undefined {
  const value = read.secret(name)
  if (value === undefined) return undefined
  // Secret stores often hand out PEM on one line.
  const text = value.includes('-----BEGIN')
    ? value.replaceAll('\\n', '\n')
    : readPemFile(read, name, value.trim(), readFile)
  if (text !== undefined && !text.includes('-----BEGIN')) {
    read.refuse(name, 'leads to a file that is not PEM', 'give a file that has -----BEGIN … lines')
  }
  return text
}

function readPemFile(
  read: EnvironmentReader,
  name: string,
  path: string,
  readFile: (path: string) => string,
): string | undefined {
  try {
    return readFile(path)
  } catch (error) {
    // The path itself is not shown: a secret pasted without its BEGIN line would be taken for a path.
    const code = (error as NodeJS.ErrnoException).code ?? 'an error'
    read.refuse(name, `leads to a file that cannot be read (${code})`, 'give the path of a PEM file, or PEM text')
    return undefined
  }
}

function readSasl(read: EnvironmentReader): SaslFromEnvironment | undefined {
  const names = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const
  if (names.every((name) => read.secret(name) === undefined)) return undefined
  for (const name of names) {
    if (read.secret(name) === undefined) {
      read.refuse(name, 'is missing', `SASL needs ${names.join(', ')}: give all of them, or none`)
    }
  }
  const mechanism = read.choice('KAFKA_SASL_MECHANISM', ['plain', 'scram-sha-256', 'scram-sha-512'])
  const username = read.secret('KAFKA_SASL_USERNAME')
  const password = read.secret('KAFKA_SASL_PASSWORD')
  if (mechanism === undefined || username === undefined || password === undefined) return undefined
  return hideWhenPrinted({ mechanism, username, password }, ['password'])
}

function readMessaging(read: EnvironmentReader): LoadedConfig['messaging'] {
  const profile = read.choice('TIDEMARK_PROFILE', Object.keys(profiles) as ProfileName[])
  const durability = read.choice('TIDEMARK_DURABILITY', ['refuse', 'warn', 'off'])
  const groupProtocol = read.choice('TIDEMARK_GROUP_PROTOCOL', ['classic', 'consumer', 'auto'])
  return {
    ...(profile === undefined ? {} : { profile }),
    ...(durability === undefined ? {} : { durability }),
    ...(groupProtocol === undefined ? {} : { groupProtocol }),
  }
}

function requireTogether(read: EnvironmentReader, one: string, other: string): void {
  const [hasOne, hasOther] = [read.secret(one) !== undefined, read.secret(other) !== undefined]
  if (hasOne === hasOther) return
  const [given, missing] = hasOne ? [one, other] : [other, one]
  read.refuse(missing, `is missing, but ${given} is given`, 'a client certificate needs both; give both, or none')
}

function clearTextWarning(ssl: unknown, sasl: SaslFromEnvironment | undefined): string[] {
  const open = sasl?.mechanism === 'plain' && (ssl === undefined || ssl === false)
  return open
    ? ['KAFKA_SASL_MECHANISM=plain without TLS sends the password readable over the network: set KAFKA_SSL=yes']
    : []
}

/** Our own names are surely meant for us; other programs have KAFKA_ variables too, so those only warn. */
function misspelt(read: EnvironmentReader, environment: Environment): string[] {
  const known = Object.keys(environmentVariables)
  const warnings: string[] = []
  for (const name of Object.keys(environment)) {
    if (known.includes(name) || !/^(KAFKA|TIDEMARK)_/.test(name)) continue
    const meant = nearest(name, known)
    if (name.startsWith('TIDEMARK_')) {
      read.refuse(name, 'is not read by anything', meant === undefined ? 'take it out' : `did you mean ${meant}?`)
    } else if (meant !== undefined) {
      warnings.push(`${name} is not read; did you mean ${meant}?`)
    }
  }
  return warnings
}
