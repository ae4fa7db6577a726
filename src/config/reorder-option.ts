import { z } from 'zod'
import type { OnWatermark, LatePolicy, ResolvedReorder } from '../reorder/reorder-options.js'
import { isWatermarkStrategy, type WatermarkStrategy } from '../reorder/watermark-strategy.js'
import { isTopicName, topicNameRule } from '../topic/topic-definition.js'

const isFunction = (value: unknown) => typeof value === 'function'

const topic = z.custom<string>(isTopicName).describe(`the name of a topic (${topicNameRule})`)

type OnLate = Extract<LatePolicy, { readonly policy: 'callback' }>['onLate']

const late = z.discriminatedUnion('policy', [
  z.strictObject({ policy: z.literal('deliver') }),
  z.strictObject({ policy: z.literal('drop') }),
  z.strictObject({ policy: z.literal('side-topic'), topic }),
  z.strictObject({
    policy: z.literal('callback'),
    onLate: z.custom<OnLate>(isFunction).describe('a function (message, context) for late records'),
  }),
])

/** A take-up is 256 records of one partition: less than a few of them is no room. */
const [leastRecords, leastOfPartition, leastBytes] = [1_000, 100, 1_048_576]

const buffer = z.strictObject({
  maxRecords: z.int().min(leastRecords).default(100_000).describe('most records kept back, at least 1,000'),
  maxBytes: z.int().min(leastBytes).default(134_217_728).describe('most bytes kept back, at least 1,048,576'),
  maxRecordsPerPartition: z
    .int()
    .min(leastOfPartition)
    .default(20_000)
    .describe('records kept back of one partition from which on it is paused, at least 100'),
  maxUncommittedSpan: z
    .int()
    .min(leastRecords)
    .default(1_000_000)
    .describe('most records of a partition from the first that is not done to the newest, at least 1,000'),
  whenFull: z
    .enum(['emit-early', 'shut-down'])
    .default('emit-early')
    .describe("'emit-early' lets the oldest go before its watermark, 'shut-down' fails the consumer"),
})

export const reorderOption = z
  .strictObject({
    watermark: z
      .custom<WatermarkStrategy>(isWatermarkStrategy)
      .describe('a watermark strategy of tidemark/event-time, for example boundedOutOfOrderness(5_000)'),
    order: z
      .enum(['combined', 'partition'])
      .default('combined')
      .describe("'combined': one order over all partitions; 'partition': one for each, under the watermark of all"),
    lateness: z
      .enum(['combined', 'partition'])
      .default('combined')
      .describe(
        "'combined': late is what is behind what was handed out; 'partition': also what is behind its partition",
      ),
    late: late
      .default({ policy: 'deliver' })
      .describe(
        "{ policy: 'deliver' }, { policy: 'drop' }, { policy: 'side-topic', topic } or { policy: 'callback', onLate }",
      ),
    buffer: buffer.prefault({}).describe('bounds of what is kept back'),
    onShutdown: z
      .enum(['discard', 'drain'])
      .default('discard')
      .describe("'discard' leaves what is kept back to the next reader, 'drain' lets it be handled first"),
    onWatermark: z
      .custom<OnWatermark>(isFunction)
      .optional()
      .describe('a function (watermark, { epoch, signal }) that is told when time has moved'),
  })
  .optional()
  .describe(
    'order of event time over all partitions: { watermark, order, lateness, late, buffer, onShutdown, onWatermark }',
  )

interface Issues {
  addIssue(issue: { code: 'custom'; path: string[]; message: string }): void
}

interface Together {
  readonly reorder?: ResolvedReorder | undefined
  readonly order: string
  readonly topics: readonly { readonly name: string }[]
}

/** What no single option can tell. */
export function checkReorder({ reorder, order, topics }: Together, issues: Issues): void {
  if (reorder === undefined) return
  if (order !== 'partition') {
    const message =
      "'partition', which is the default: with reorder records are handled one after another over all partitions"
    issues.addIssue({ code: 'custom', path: ['order'], message })
  }
  const side = sideTopicOf(reorder)
  if (side === null || topics.every(({ name }) => name !== side)) return
  const message = 'a topic that this consumer does not read: there a late record would be late again, for ever'
  issues.addIssue({ code: 'custom', path: ['reorder', 'late', 'topic'], message })
}

/** Where late records go; `null` when they stay here. */
export function sideTopicOf({ late: policy }: ResolvedReorder): string | null {
  return policy.policy === 'side-topic' ? policy.topic : null
}
