import { ConfigError } from '../errors.js'
import type { IsolationLevel } from '../connection/requests/fetch.js'
import { came } from '../input/came.js'
import {
  flag,
  optionIssues,
  optionProblem,
  timeLimit,
  wholeNumber,
  type Rule,
  type Rules,
} from '../input/option-rules.js'
import { isRecord, isText } from '../input/shapes.js'
import type { ResetPosition, ResetScope } from './group-offsets.js'

/** What every call of an admin takes. */
export interface AdminCallOptions {
  /** How long the call may take, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined
}

/** Which transactions to list. */
export interface ListTransactionsOptions extends AdminCallOptions {
  /** By Kafka's names, for example `Ongoing`. Default: all. */
  readonly states?: readonly string[] | undefined
  /** Default: all. */
  readonly producerIds?: readonly number[] | undefined
}

/** Which groups to list, by Kafka's names. */
export interface ListGroupsOptions extends AdminCallOptions {
  /** For example `Stable` or `Empty`. Default: all. */
  readonly states?: readonly string[] | undefined
  /** For example `classic`, `consumer` or `share`. Default: all. */
  readonly types?: readonly string[] | undefined
}

/** Where a group is to go on. */
export interface ResetOffsetsOptions extends AdminCallOptions, ResetScope {
  readonly to: ResetPosition
  /** Show only. Default true. */
  readonly dryRun?: boolean | undefined
}

/** A topic to make. */
export interface NewTopic {
  readonly name: string
  /** Default, as is -1: what the broker is set to. */
  readonly partitions?: number | undefined
  /** Default, as is -1: what the broker is set to. */
  readonly replicationFactor?: number | undefined
  /** Kafka's topic settings, for example `{ 'retention.ms': 86_400_000 }`. */
  readonly configs?: Readonly<Record<string, string | number | boolean>> | undefined
}

const anyText: Rule = { expected: 'text that is not empty', accepts: isText }

/** -1 is what the broker has for topics that do not say. */
const countOrDefault: Rule = {
  expected: 'a whole number from 1, or -1 for the default of the broker',
  accepts: (value) => value === -1 || wholeNumber(1).accepts(value),
}

const topicRules: Rules<NewTopic> = {
  name: anyText,
  partitions: countOrDefault,
  replicationFactor: countOrDefault,
  configs: {
    expected: "Kafka's topic settings by name, each text, a number, true or false",
    accepts: (value) => isRecord(value) && Object.values(value).every(isConfigValue),
  },
}

function isConfigValue(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
}

const callRules: Rules<AdminCallOptions & { readonly isolation?: IsolationLevel; readonly requireStable?: boolean }> = {
  timeoutMs: timeLimit,
  requireStable: flag,
  isolation: {
    expected: "'read-uncommitted' or 'read-committed'",
    accepts: (value) => value === 'read-uncommitted' || value === 'read-committed',
  },
}

const isPosition = (value: unknown): boolean =>
  value === 'earliest' ||
  value === 'latest' ||
  (isRecord(value) &&
    Object.keys(value).length === 1 &&
    (wholeNumber(0).accepts(value['timestamp']) ||
      wholeNumber(0).accepts(value['offset']) ||
      Number.isSafeInteger(value['shiftBy'])))

const anyList: Rule = { expected: 'a list', accepts: Array.isArray }

const resetRules: Rules<ResetOffsetsOptions> = {
  to: { expected: "'earliest', 'latest', { timestamp }, { offset } or { shiftBy }", accepts: isPosition },
  topics: anyList,
  partitions: anyList,
  dryRun: flag,
  timeoutMs: timeLimit,
}

/** Throws `ConfigError` unless all are text; a list that is none would reach the broker, or crash on the way. */
export function requireNames(call: string, names: unknown): void {
  if (!Array.isArray(names)) throw refused(call, 'topics', names, 'a list of topic names')
  names.forEach((name: unknown, index) => {
    if (typeof name !== 'string' || name === '') throw refused(call, `topics.${index}`, name, 'the name of a topic')
  })
}

export function requireNewTopics(call: string, topics: unknown): void {
  if (!Array.isArray(topics)) throw refused(call, 'topics', topics, 'a list of topics: [{ name, partitions, … }]')
  requireNames(
    call,
    topics.map((topic: unknown) => (topic as { readonly name?: unknown } | null | undefined)?.name),
  )
  for (const topic of topics as readonly NewTopic[]) {
    const subject = `${call}: topic ${topic.name}`
    const problem = optionProblem(subject, topic, topicRules)
    if (problem !== null) throw problem
  }
}

/** As the broker takes it. */
export function withDefaults({ name, partitions = -1, replicationFactor = -1, configs = {} }: NewTopic) {
  const texts = Object.entries(configs).map(([key, value]) => [key, String(value)] as const)
  return { name, partitions, replicationFactor, configs: Object.fromEntries(texts) }
}

export function requireCount(call: string, count: unknown): void {
  if (!Number.isInteger(count) || (count as number) < 1) throw refused(call, 'count', count, 'a whole number from 1')
}

export function requireText(call: string, path: string, value: unknown): void {
  if (!isText(value)) throw refused(call, path, value, anyText.expected)
}

export function requireIds(call: string, ids: unknown, path: 'ids' | 'groupIds' = 'ids'): void {
  if (!Array.isArray(ids))
    throw refused(call, path, ids, `a list of ${path === 'ids' ? 'transactional ids' : 'groups'}`)
  ids.forEach((id: unknown, index) => requireText(call, `${path}.${index}`, id))
}

export function requireGroupFilters(call: string, states: unknown, types: unknown): void {
  const isList = (list: unknown) => Array.isArray(list) && list.every(isText)
  if (!isList(states)) throw refused(call, 'states', states, "a list of states, for example ['Stable']")
  if (!isList(types)) throw refused(call, 'types', types, "a list of types, for example ['classic']")
}

export function requireConfigChanges(call: string, changes: unknown): void {
  const expected = 'settings by name, each text, a number, true, false, or null for what it is by default'
  if (!isRecord(changes) || Object.keys(changes).length === 0) throw refused(call, 'changes', changes, expected)
  for (const [name, value] of Object.entries(changes)) {
    if (value !== null && !isConfigValue(value)) throw refused(call, `changes.${name}`, value, expected)
  }
}

export function requireRecordsToDelete(call: string, records: unknown): void {
  if (!Array.isArray(records)) throw refused(call, 'records', records, 'a list of { topic, partition, before }')
  requirePlaces(call, records)
  records.forEach(({ before }: Readonly<Record<string, unknown>>, index) => {
    if (before === -1 || wholeNumber(0).accepts(before)) return
    throw refused(call, `records.${index}.before`, before, 'the first offset that stays, or -1 for the end')
  })
}

export function requireOffsets(call: string, offsets: unknown): void {
  if (!Array.isArray(offsets)) throw refused(call, 'offsets', offsets, 'a list of { topic, partition, offset }')
  requirePlaces(call, offsets)
  offsets.forEach(({ offset }: Readonly<Record<string, unknown>>, index) => {
    if (!wholeNumber(0).accepts(offset)) throw refused(call, `offsets.${index}.offset`, offset, 'a whole number from 0')
  })
}

export function requireReset(call: string, options: unknown): void {
  const problem = optionProblem(call, options, resetRules)
  if (problem !== null) throw problem
  const { to, topics, partitions } = options as ResetOffsetsOptions
  if (to === undefined) throw refused(call, 'to', to, resetRules.to.expected)
  if (topics !== undefined) requireNames(call, topics)
  if (partitions !== undefined) requirePlaces(call, partitions)
  if (topics !== undefined && partitions !== undefined)
    throw refused(call, 'partitions', partitions, 'either topics or partitions')
}

export function requireTransactionFilters(call: string, states: unknown, producerIds: unknown): void {
  if (!Array.isArray(states) || !states.every(isText)) {
    throw refused(call, 'states', states, "a list of states, for example ['Ongoing']")
  }
  if (!Array.isArray(producerIds) || !producerIds.every((id) => wholeNumber(0).accepts(id))) {
    throw refused(call, 'producerIds', producerIds, 'a list of producer ids, each a whole number')
  }
}

export function requireResourceType(call: string, type: unknown): void {
  if (type !== 'topic' && type !== 'broker' && type !== 'group')
    throw refused(call, 'type', type, "'topic', 'broker' or 'group'")
}

export function requirePlaces(call: string, places: unknown): void {
  if (!Array.isArray(places)) throw refused(call, 'partitions', places, 'a list of { topic, partition }')
  places.forEach((place: unknown, index) => {
    if (isRecord(place) && isText(place['topic']) && wholeNumber(0).accepts(place['partition'])) return
    throw refused(call, `partitions.${index}`, place, '{ topic, partition }: a name, and a whole number from 0')
  })
}

export function requirePosition(call: string, position: unknown): void {
  if (position === 'earliest' || position === 'latest') return
  if (isRecord(position) && wholeNumber(0).accepts(position['timestamp'])) return
  throw refused(call, 'position', position, "'earliest', 'latest' or { timestamp } in milliseconds since 1970")
}

export function requireCallOptions(call: string, options: unknown): void {
  const problem = optionProblem(call, options, callRules)
  if (problem !== null) throw problem
}

/** What a topic is like is said once, where it is defined. */
const saidOfTopic: readonly string[] = ['partitions', 'replicationFactor', 'configs'] satisfies (keyof NewTopic)[]

export function requireEnsureOptions(options: unknown): void {
  const rules: Rules<AdminCallOptions> = { timeoutMs: timeLimit }
  const issues = optionIssues(options, rules).map((issue) =>
    saidOfTopic.includes(issue.path)
      ? { ...issue, fix: `take it out, and write defineTopic({ name, ${issue.path}, … })` }
      : issue,
  )
  if (issues.length > 0) throw new ConfigError('ensureTopics', issues)
}

function refused(call: string, path: string, value: unknown, expected: string): ConfigError {
  return new ConfigError(call, [{ path, message: came(value), fix: `write ${expected}` }])
}
