import { z } from 'zod'
import type { TidemarkError } from '../../errors.js'
import { given } from '../../input/given.js'
import { isRecord } from '../../input/shapes.js'
import type { Message } from '../../message/message.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Topic } from '../../topic/topic.js'
import type { Classify } from '../handling/failure-class.js'
import type { Handler, Middleware } from '../handling/handler.js'
import type { Mark } from '../partition/back-pressure.js'
import type { OnAssigned, OnRevoked } from './consumer-options.js'
import type { DrainReport } from '../../telemetry/drain-report.js'

const isFunction = (value: unknown) => typeof value === 'function'
export const isTopic = (value: unknown) =>
  typeof value === 'object' && value !== null && 'name' in value && 'keyOf' in value && 'value' in value

/** What to write instead of what is no topic; by default what the description says. */
function topicMeant(given: unknown): string | undefined {
  if (given instanceof RegExp) return '...pattern(/…/, { value }) of tidemark/pattern'
  return Array.isArray(given) && given.every(isTopic) ? 'it with three dots before it' : undefined
}

const positive = () => z.int().positive()

const markSchema = (records: number, bytes: number) =>
  z.strictObject({
    records: positive().default(records).describe('a number of records, at least 1'),
    bytes: positive().default(bytes).describe('a number of bytes, at least 1'),
  })

const fetchSchema = z.strictObject({
  maxWaitMs: positive().default(250).describe('how long a broker may wait for minBytes before it answers, in ms'),
  minBytes: positive().default(1).describe('least bytes a broker collects before it answers'),
  maxBytes: positive().default(4_194_304).describe('most bytes of one fetch answer'),
  partitionMaxBytes: positive().default(1_048_576).describe('most bytes of one partition in a fetch answer'),
})

const defaultMaxMs = 2_000

const retrySchema = z.strictObject({
  retries: z.int().min(0).max(1_000).default(3).describe('attempts after the first one, from 0 to 1,000'),
  backoff: z
    .strictObject({
      initialMs: positive()
        .default(100)
        .describe('the first retry comes within so long, in ms; each later one doubles it'),
      maxMs: positive().default(defaultMaxMs).describe('no retry waits for longer than this, in ms'),
    })
    .prefault({})
    .describe('waits before retries, { initialMs, maxMs }; how much of each is waited is drawn'),
  budgetMs: positive().default(10_000).describe('no retry begins later than this after the first failure, in ms'),
})

const outageSchema = z.strictObject({
  decideAfterMs: positive()
    .default(60_000)
    .describe('when nothing has succeeded for so long, one record that fails is given up all the same, in ms'),
})

const optionFields = {
  group: z
    .string()
    .min(1)
    .nullable()
    .describe('name of the consumer group, or null to read every partition without one (nothing is committed)'),
  topics: z
    .array(
      z.custom<Topic>(isTopic, { error: ({ input }) => topicMeant(input) }).describe('a topic made by defineTopic'),
    )
    .min(1)
    .describe('topics made by defineTopic, at least one, or pattern(…) of tidemark/pattern'),
  handle: z
    .custom<Handler<Message>>(isFunction)
    .optional()
    .describe('a function (message, context) that ends when the message is done'),
  handleBatch: z
    .custom<Handler<readonly Message[]>>(isFunction)
    .optional()
    .describe('a function (messages, context) that ends when all of the batch is done'),
  loop: z
    .boolean()
    .default(false)
    .describe('true: no handler, batches are taken by `for await (const batch of consumer.batches())`'),
  batchMessages: positive()
    .default(1_000)
    .describe('most messages of one call of handleBatch, or of one batch of a loop'),
  use: z
    .array(z.custom<Middleware>(isFunction, 'a function (messages, context, next)'))
    .default([])
    .describe('middleware around every call of the handler, the first outermost'),
  order: z
    .enum(['partition', 'key', 'none'])
    .default('partition')
    .describe('what is handled one after another: records of a partition, of a key, or nothing'),
  concurrency: positive().default(64).describe('most handlers at the same time'),
  commit: z
    .union([
      z.literal('each'),
      z.literal('confirmed'),
      z.literal('closely'),
      z.strictObject({
        everyMs: positive().default(5_000).describe('settled work is committed at least so often, in ms'),
        everyMessages: positive().default(1_000).describe('or after so many settled messages'),
      }),
    ])
    .prefault({})
    .describe(
      "'each', 'confirmed' (each, before the next begins), 'closely' (at most every 100 ms), or { everyMs, everyMessages }; " +
        'only settled work is ever committed',
    ),
  from: z
    .union([z.enum(['earliest', 'latest']), z.date()])
    .default('earliest')
    .describe("where to start when the group has committed nothing: 'earliest', 'latest' or a Date"),
  onOutOfRange: z
    .enum(['stop', 'earliest', 'latest'])
    .default('stop')
    .describe("what to do when the log no longer has the next offset: 'stop' the partition, or jump"),
  missingTopics: z
    .enum(['wait', 'refuse'])
    .default('wait')
    .describe("what to do at the start when a topic does not exist: 'wait' for it, or 'refuse' to start"),
  handlerTimeoutMs: positive()
    .default(300_000)
    .describe('a handler that has not ended after this counts as failed, and its signal aborts, in ms'),
  retry: z
    .union([z.literal(false), retrySchema])
    .prefault({})
    .describe('how a record that failed is tried again: { retries, backoff, budgetMs }, or false for not at all'),
  outage: z
    .union([z.literal(false), outageSchema])
    .prefault({})
    .describe(
      'failures while nothing succeeds are an outage: { decideAfterMs }, or false to give such records up at once',
    ),
  classify: z
    .custom<Classify>(isFunction)
    .optional()
    .describe(
      "a function (error) that returns 'retryable', 'fatal', 'unavailable', 'cancelled', or undefined for the default",
    ),
  drainMs: positive()
    .default(30_000)
    .describe('how long running handlers may finish when partitions are given up, in ms'),
  stallWarningMs: z
    .int()
    .min(0)
    .default(30_000)
    .describe('work without progress for so long is logged as a stall, in ms; 0 logs none'),
  highMark: markSchema(100_000, 67_108_864)
    .prefault({})
    .describe('received and unsettled records, shared equally by the partitions: over its share a partition is paused'),
  lowMark: markSchema(50_000, 33_554_432).prefault({}).describe('at its share of this a paused partition goes on'),
  sessionTimeoutMs: positive()
    .default(45_000)
    .describe('silence after which the group gives our partitions away, in ms'),
  rebalanceTimeoutMs: positive().default(60_000).describe('how long a rebalance waits for this member, in ms'),
  heartbeatIntervalMs: positive().default(1_000).describe('how often the group hears from us, in ms'),
  requestTimeoutMs: positive().default(5_000).describe('how long one request to a broker may take, in ms'),
  metadataMaxAgeMs: positive().default(60_000).describe('how often new partitions are looked for, in ms'),
  groupInstanceId: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('a name for static membership: a restart within the session timeout keeps its partitions'),
  leaveGroup: z
    .boolean()
    .optional()
    .describe('a member that closes leaves its group; by default it does unless it has a groupInstanceId'),
  groupProtocol: z
    .enum(['classic', 'consumer', 'auto'])
    .default('classic')
    .describe(
      "who divides the partitions: a member ('classic'), the coordinator ('consumer'), or what the cluster agreed on ('auto')",
    ),
  remoteAssignor: z
    .string()
    .min(1)
    .optional()
    .describe("how the coordinator divides under the 'consumer' protocol, for example uniform or range"),
  assignors: z
    .array(z.enum(['cooperative-sticky', 'sticky', 'range', 'roundrobin', 'kafkajs-roundrobin']))
    .min(1)
    .default(['cooperative-sticky', 'sticky'])
    .describe('how a group shares partitions, in order of preference'),
  fetch: fetchSchema.prefault({}).describe('sizes and waits of fetch requests'),
  rackId: z
    .string()
    .min(1)
    .optional()
    .describe(
      "the rack or zone this consumer runs in, as the brokers' broker.rack names it: the nearest replica is read",
    ),
  isolation: z
    .enum(['read-uncommitted', 'read-committed'])
    .default('read-uncommitted')
    .describe("'read-committed' hides records of aborted and unfinished transactions"),
  onPartitionStopped: z
    .custom<(partition: TopicPartition, error: TidemarkError) => void>(isFunction)
    .optional()
    .describe('a function (partition, error) that is told when a partition stops at a record'),
  onDrained: z
    .custom<(report: DrainReport) => void>(isFunction)
    .optional()
    .describe('a function (report) that is told what became of the work when partitions were given up'),
  onAssigned: z
    .custom<OnAssigned>(isFunction)
    .optional()
    .describe(
      'a function (partitions, { signal }) that may say where partitions start: a list of { topic, partition, offset }',
    ),
  onRevoked: z
    .custom<OnRevoked>(isFunction)
    .optional()
    .describe('a function (partitions, { reason, signal }) that is awaited before partitions are given up'),
  hookTimeoutMs: positive().default(10_000).describe('most time for one call of onAssigned or onRevoked, in ms'),
  onFailed: z
    .custom<(error: TidemarkError) => void>(isFunction)
    .optional()
    .describe('a function (error) that is told when the consumer cannot go on'),
}

/** Options of a consumer: check, defaults and descriptions. Messaging extends it with the options of its own parts. */
export const consumerSchema = z.strictObject(optionFields).superRefine(checkTogether)

/** The same without the checks that span several options, to be extended; apply `checkTogether` afterwards. */
export const consumerShape = optionFields

export type ResolvedConsumerOptions = z.output<typeof consumerSchema>

/** The options with those defaults that follow from other options. */
export function withDependentDefaults(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { highMark, lowMark = {}, sessionTimeoutMs, retry } = options
  const dependent: Record<string, unknown> = {}
  if (isMark(highMark) && isMark(lowMark)) dependent['lowMark'] = { ...halfOf(highMark), ...given(lowMark) }
  if (typeof sessionTimeoutMs === 'number' && sessionTimeoutMs >= 3) {
    dependent['heartbeatIntervalMs'] =
      options['heartbeatIntervalMs'] ?? Math.min(1_000, Math.floor(sessionTimeoutMs / 3))
  }
  if (isRecord(retry)) dependent['retry'] = withLongerMost(retry)
  return { ...options, ...dependent }
}

/** A first wait that is longer than the default of the longest is the longest. */
function withLongerMost(retry: Readonly<Record<string, unknown>>): unknown {
  const { backoff } = retry
  if (!isRecord(backoff)) return retry
  const { initialMs, maxMs } = backoff
  if (maxMs !== undefined || typeof initialMs !== 'number') return retry
  return { ...retry, backoff: { ...backoff, maxMs: Math.max(defaultMaxMs, initialMs) } }
}

function isMark(value: unknown): value is Partial<Mark> {
  return typeof value === 'object' && value !== null
}

function halfOf({ records, bytes }: Partial<Mark>): Partial<Mark> {
  const half = (amount: unknown) => (typeof amount === 'number' && amount >= 2 ? Math.floor(amount / 2) : undefined)
  const [halfRecords, halfBytes] = [half(records), half(bytes)]
  return {
    ...(halfRecords !== undefined && { records: halfRecords }),
    ...(halfBytes !== undefined && { bytes: halfBytes }),
  }
}

interface Issues {
  addIssue(issue: { code: 'custom'; path: string[]; message: string }): void
}

/** What no single option can tell. */
export function checkTogether(options: z.output<z.ZodObject<typeof optionFields>>, issues: Issues): void {
  const refuse = (path: string[], message: string) => issues.addIssue({ code: 'custom', path, message })
  const { handle, handleBatch, loop, order, highMark, lowMark, topics } = options
  if (handle === undefined && handleBatch === undefined && !loop)
    refuse(['handle'], 'handle or handleBatch, or loop: true to take batches() in a loop')
  if (loop && (handle !== undefined || handleBatch !== undefined))
    refuse(['loop'], 'nothing beside handle or handleBatch: a loop takes batches() instead')
  if (handle !== undefined && handleBatch !== undefined) refuse(['handleBatch'], 'handle or handleBatch, not both')
  if (loop && order === 'key') refuse(['order'], "'partition' or 'none': a batch of a loop is records of one partition")
  if (handleBatch !== undefined && order === 'key') {
    refuse(['order'], "'partition' or 'none': with handleBatch a batch is records of one partition")
  }
  if (options.commit === 'confirmed') {
    if (options.group === null) refuse(['commit'], 'nothing, or a group: without one nothing can be confirmed')
    if (order !== 'partition')
      refuse(['order'], "'partition': with commit: 'confirmed' records of a partition wait for each other")
  }
  if (lowMark.records >= highMark.records)
    refuse(['lowMark', 'records'], `less than highMark.records, ${highMark.records}`)
  if (lowMark.bytes >= highMark.bytes) refuse(['lowMark', 'bytes'], `less than highMark.bytes, ${highMark.bytes}`)
  const { retry } = options
  if (retry !== false && retry.backoff.maxMs < retry.backoff.initialMs)
    refuse(['retry', 'backoff', 'maxMs'], `at least retry.backoff.initialMs, ${retry.backoff.initialMs}`)
  if (options.heartbeatIntervalMs * 3 > options.sessionTimeoutMs) {
    refuse(['heartbeatIntervalMs'], `at most a third of sessionTimeoutMs, ${options.sessionTimeoutMs}`)
  }
  const names = topics.map((topic) => topic.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) refuse(['topics'], `each topic once; ${twice} is there twice`)
  if (options.group === null && options.groupInstanceId !== null) {
    refuse(['groupInstanceId'], 'nothing: without a group there is no membership')
  }
  if (options.group === null && options.leaveGroup !== undefined) {
    refuse(['leaveGroup'], 'nothing: without a group there is nothing to leave')
  }
}
