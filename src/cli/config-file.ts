import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { LoadedConfig } from '../config/load-config.js'
import type { Driver } from '../driver/driver.js'
import { withMethods } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'
import { nearest } from '../input/suggestion.js'
import type { Topic } from '../topic/topic.js'
import { thrownText } from '../runtime/thrown.js'
import { WrongUse } from './wrong-use.js'

/** What `tidemark.config.ts` exports as its default, or `tidemark.config.json` holds. */
export interface ConfigFile {
  /** Brokers, TLS and SASL, as `kafkajs` takes them. */
  readonly kafka?: Partial<LoadedConfig['kafka']> | undefined
  /** Instead of `kafka`: a driver that is ready, for example with tokens of `tidemark/auth`. */
  readonly driver?: Driver | undefined
  readonly clientId?: string | undefined
  readonly profile?: LoadedConfig['messaging']['profile']
  /** For `topics`: what `defineTopic` returned, or in JSON its fields without the serde. */
  readonly topics?: readonly TopicInFile[] | undefined
}

export type TopicInFile = Pick<Topic, 'name'> &
  Partial<Pick<Topic, 'partitions' | 'replicationFactor' | 'configs' | 'delays'>> & {
    readonly deadLettersOf?: string | undefined
  }

const names = ['ts', 'mts', 'js', 'mjs', 'json'].map((ending) => `tidemark.config.${ending}`)
const fields: readonly string[] = ['kafka', 'driver', 'clientId', 'profile', 'topics'] satisfies (keyof ConfigFile)[]
const isDriver = withMethods('a driver', ['createProducer', 'createConsumer', 'createAdmin'])

/** The file that is named, else the one that lies in the directory; `{}` where there is none. */
export async function readConfigFile(directory: string, named: string | undefined): Promise<ConfigFile> {
  const path =
    named === undefined
      ? names.map((name) => join(directory, name)).find((candidate) => existsSync(candidate))
      : resolve(directory, named)
  return path === undefined ? {} : checked(path, await load(path))
}

async function load(path: string): Promise<unknown> {
  try {
    if (path.endsWith('.json')) return JSON.parse(readFileSync(path, 'utf8')) as unknown
    const loaded = (await import(pathToFileURL(path).href)) as { readonly default?: unknown }
    return loaded.default
  } catch (error) {
    const hint = /\.m?ts$/.test(path)
      ? "; files of TypeScript need Node 22.18 or newer, or the package tsx and NODE_OPTIONS='--import tsx'"
      : ''
    throw new WrongUse(`${path} could not be loaded: ${thrownText(error).message}${hint}`, { cause: error })
  }
}

function checked(path: string, loaded: unknown): ConfigFile {
  if (!isRecord(loaded)) throw new WrongUse(`${path} has no settings: export them as default, { kafka: { brokers } }`)
  const unknown = Object.keys(loaded).find((name) => !fields.includes(name))
  if (unknown !== undefined) {
    const meant = nearest(unknown, fields)
    const fix = meant === undefined ? `it may have ${fields.join(', ')}` : `did you mean ${meant}?`
    throw new WrongUse(`${path}: ${unknown} is no setting; ${fix}`)
  }
  const { kafka, driver, topics } = loaded
  if (kafka !== undefined && !isRecord(kafka)) throw new WrongUse(`${path}: kafka is to be an object with brokers`)
  if (driver !== undefined && !isDriver.accepts(driver)) {
    throw new WrongUse(`${path}: driver is to be what kafkajs(config) returned`)
  }
  const isListed =
    Array.isArray(topics) && topics.every((topic) => isRecord(topic) && typeof topic['name'] === 'string')
  if (topics !== undefined && !isListed) throw new WrongUse(`${path}: topics is to be a list of topics with names`)
  return loaded as ConfigFile
}
