import type { Environment } from '../config/environment-reader.js'
import { loadConfig, type LoadedConfig } from '../config/load-config.js'
import type { ConfigLayer } from '../config/explain-config.js'
import type { Driver } from '../driver/driver.js'
import type { ConfigFile } from './config-file.js'

/** Options that every command takes, as they were typed. Passwords are none: what is typed is seen by whoever lists processes. */
export interface ConnectionFlags {
  readonly brokers?: string | undefined
  readonly clientId?: string | undefined
  readonly tls?: boolean | undefined
  readonly tlsCa?: string | undefined
  readonly tlsCert?: string | undefined
  readonly tlsKey?: string | undefined
  readonly saslMechanism?: string | undefined
  readonly saslUsername?: string | undefined
  readonly profile?: string | undefined
}

const variables: Readonly<Record<Exclude<keyof ConnectionFlags, 'tls'>, string>> = {
  brokers: 'KAFKA_BROKERS',
  clientId: 'KAFKA_CLIENT_ID',
  tlsCa: 'KAFKA_SSL_CA',
  tlsCert: 'KAFKA_SSL_CERT',
  tlsKey: 'KAFKA_SSL_KEY',
  saslMechanism: 'KAFKA_SASL_MECHANISM',
  saslUsername: 'KAFKA_SASL_USERNAME',
  profile: 'TIDEMARK_PROFILE',
}

export interface Settings extends LoadedConfig {
  /** Of the file, unless brokers are named by who comes before it. */
  readonly driver: Driver | null
  /** Who said what, the strongest first. */
  readonly layers: readonly ConfigLayer[]
}

/**
 * How the cluster is reached: an option of the command line goes before a variable, a variable before the file.
 *
 * @throws ConfigError with all that is wrong, by the names of variables
 */
export function settingsOf(flags: ConnectionFlags, environment: Environment, file: ConfigFile): Settings {
  const typed = variablesOf(flags)
  const { kafka = {}, clientId = kafka.clientId, profile } = file
  const given = { ...nonEmpty(environment), ...typed }
  const layers: readonly ConfigLayer[] = [
    { from: 'user', values: pathsOf(typed) },
    { from: 'environment', values: pathsOf(environment) },
    { from: 'file', values: { kafka, driver: file.driver && true, profile, clientId } },
  ]
  const fromFile = { ...(profile === undefined ? {} : { TIDEMARK_PROFILE: profile }) }
  if (file.driver !== undefined && given['KAFKA_BROKERS'] === undefined) {
    const name = given['KAFKA_CLIENT_ID'] ?? clientId
    const { messaging, warnings } = loadConfig({ KAFKA_BROKERS: unused, ...fromFile, ...ofMessaging(given) })
    return {
      driver: file.driver,
      kafka: { brokers: [] },
      messaging: { ...messaging, ...(name === undefined ? {} : { clientId: name }) },
      warnings,
      layers,
    }
  }
  const brokers = kafka.brokers === undefined ? {} : { KAFKA_BROKERS: kafka.brokers.join() }
  const loaded = loadConfig({ ...brokers, ...fromFile, ...given })
  const named = loaded.kafka.clientId ?? clientId
  const name = named === undefined ? {} : { clientId: named }
  return {
    driver: null,
    kafka: { ...kafka, ...loaded.kafka, ...name },
    messaging: { ...loaded.messaging, ...name },
    warnings: loaded.warnings,
    layers,
  }
}

/** A driver knows its brokers. */
const unused = 'driver:9092'

/** Of the command itself: it is no setting of a messaging. */
export const factsToken = 'TIDEMARK_FACTS_TOKEN'

function nonEmpty(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(([name, value]) => (value ?? '') !== '' && name !== factsToken),
  )
}

function ofMessaging(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith('TIDEMARK_')))
}

function variablesOf(flags: ConnectionFlags): Environment {
  const typed: Record<string, string | undefined> = {}
  for (const [flag, variable] of Object.entries(variables)) {
    const value = flags[flag as keyof typeof variables]
    if (value !== undefined) typed[variable] = value
  }
  if (flags.tls !== undefined) typed['KAFKA_SSL'] = flags.tls ? 'yes' : 'no'
  return typed
}

/** By the paths of the settings that variables stand for. */
function pathsOf(environment: Environment): object {
  const isSet = (...names: readonly string[]) =>
    names.some((name) => (environment[name] ?? '') !== '') ? true : undefined
  return {
    kafka: {
      brokers: isSet('KAFKA_BROKERS'),
      ssl: isSet('KAFKA_SSL', 'KAFKA_SSL_CA', 'KAFKA_SSL_CERT', 'KAFKA_SSL_KEY'),
      sasl: isSet('KAFKA_SASL_MECHANISM'),
    },
    clientId: isSet('KAFKA_CLIENT_ID'),
    profile: isSet('TIDEMARK_PROFILE'),
    durability: isSet('TIDEMARK_DURABILITY'),
    groupProtocol: isSet('TIDEMARK_GROUP_PROTOCOL'),
  }
}
