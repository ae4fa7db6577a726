import { ConfigError, type ConfigIssue } from '../../errors.js'
import { came } from '../../input/came.js'
import {
  anything,
  flag,
  optionIssues,
  optionProblem,
  withMethods,
  type Rule,
  type Rules,
} from '../../input/option-rules.js'
import { isRecord, isText } from '../../input/shapes.js'
import type { Logger } from '../../telemetry/logger.js'
import type { ConnectionConfig } from './tls-options.js'
import { addressCame, parseAddress } from './addresses.js'

/** What `kafkajs` takes beside kafkajs's own configuration. */
export interface KafkajsOptions {
  /**
   * Where lines about connections go, kafkajs's own among them unless `config.logCreator` is set. Default: at `debug` to the
   * logger of `createMessaging`, since what matters of them is told by the clients.
   */
  readonly logger?: Logger | undefined
}

const password = ['username', 'password']
/** What each mechanism needs as text. */
const textsOf: Readonly<Record<string, readonly string[]>> = {
  plain: password,
  'scram-sha-256': password,
  'scram-sha-512': password,
  aws: ['authorizationIdentity', 'accessKeyId', 'secretAccessKey'],
}
const mechanisms = [...Object.keys(textsOf), 'oauthbearer']

const duration: Rule = {
  expected: 'milliseconds above 0, or leave it out for the default',
  accepts: (value) => typeof value === 'number' && value > 0 && Number.isFinite(value),
}
const aFunction: Rule = { expected: 'a function', accepts: (value) => typeof value === 'function' }

/** What kafkajs knows; `brokers` and `sasl` have checks of their own. */
const configRules: Rules<ConnectionConfig> = {
  brokers: anything,
  sasl: anything,
  clientId: { expected: 'text that is not empty', accepts: isText },
  ssl: {
    expected: 'true, false, the options of tls.connect: { ca, cert, key, … }, or a function that gives them',
    accepts: (value) =>
      typeof value === 'boolean' ||
      value === null ||
      (isRecord(value) && !(value instanceof Promise)) ||
      typeof value === 'function',
  },
  connectionTimeout: duration,
  authenticationTimeout: duration,
  reauthenticationThreshold: duration,
  requestTimeout: duration,
  enforceRequestTimeout: flag,
  retry: { expected: "kafkajs's retry options, or leave it out: it has no effect", accepts: isRecord },
  socketFactory: aFunction,
  logLevel: { expected: 'a logLevel of kafkajs', accepts: (value) => typeof value === 'number' },
  logCreator: aFunction,
}

const optionRules: Rules<KafkajsOptions> = {
  logger: withMethods('a logger with debug, info, warn, error', ['debug', 'info', 'warn', 'error']),
}

/** @throws ConfigError with every problem that can be seen without a broker. */
export function checkConfig(config: ConnectionConfig): void {
  const own = isRecord(config) ? [...brokerIssues(config.brokers), ...saslIssues(config.sasl)] : []
  const issues = [...own, ...optionIssues(config, configRules)]
  if (issues.length > 0) throw new ConfigError('kafkajs(config)', issues)
}

/** @throws ConfigError with every problem of what is not kafkajs's own. */
export function checkOptions(options: KafkajsOptions): void {
  const problem = optionProblem('kafkajs(config, options)', options, optionRules)
  if (problem !== null) throw problem
}

function brokerIssues(brokers: unknown): ConfigIssue[] {
  if (typeof brokers === 'function') return []
  const fix = "give at least one 'host:port'"
  if (!Array.isArray(brokers) || brokers.length === 0) {
    const message = `expected a list of brokers or a function that gives one, and it ${came(brokers)}`
    return [{ path: 'brokers', message, fix }]
  }
  return brokers.flatMap((broker: unknown, index) =>
    parseAddress(broker) === undefined
      ? [{ path: `brokers.${index}`, message: `expected 'host:port', got ${addressCame(broker)}`, fix }]
      : [],
  )
}

function saslIssues(sasl: unknown): ConfigIssue[] {
  if (sasl === undefined || sasl === null) return []
  if (!isRecord(sasl)) {
    const fix = 'write { mechanism, username, password }, or what oauth({ … }) or mskIam({ … }) of tidemark/auth gives'
    return [{ path: 'sasl', message: came(sasl), fix }]
  }
  const { mechanism } = sasl
  if (typeof mechanism === 'string' && 'authenticationProvider' in sasl) return []
  const name = typeof mechanism === 'string' ? mechanism.toLowerCase() : ''
  const texts = Object.hasOwn(textsOf, name) ? textsOf[name] : undefined
  if (texts !== undefined) {
    return texts.flatMap((part) =>
      isText(sasl[part]) ? [] : [{ path: `sasl.${part}`, message: partCame(sasl[part]), fix: 'write it as text' }],
    )
  }
  if (name === 'oauthbearer') {
    const { oauthBearerProvider } = sasl
    if (typeof oauthBearerProvider === 'function') return []
    const fix =
      'write a function that gives { value }, or sasl: oauth({ tokenUrl, clientId, clientSecret }) of tidemark/auth'
    return [{ path: 'sasl.oauthBearerProvider', message: came(oauthBearerProvider), fix }]
  }
  // A password pasted into the wrong field must not be shown.
  const message = `expected a mechanism that kafkajs knows, and it ${typeof mechanism === 'string' ? 'is another text' : came(mechanism)}`
  return [
    { path: 'sasl.mechanism', message, fix: `take one of ${mechanisms.join(', ')}, or add an authenticationProvider` },
  ]
}

/** A password of digits is still a secret. */
function partCame(part: unknown): string {
  if (part === '') return 'is empty'
  return typeof part === 'number' ? 'is a number' : came(part)
}
