import { z } from 'zod'
import type { DeadLetterPolicy } from '../consumer/handling/failed-record.js'
import { isTopic } from '../consumer/options/consumer-schema.js'
import { isTopicName, topicNameRule } from '../topic/topic-definition.js'
import type { Topic } from '../topic/topic.js'

/** Where failed records go, and what becomes of their partition. */
export interface DeadLetterOptions {
  /**
   * It must exist and not be compacted, else the consumer does not start; one that takes smaller records or keeps them
   * shorter than the topics read is a warning.
   */
  readonly topic: string | Topic
  /**
   * Stops a partition whose dead letters are a flood, before they empty it: such many tell of a reader or a writer that is
   * broken. The partition stops at the record that would be one too many, with a `DeadLetterError` of code `flood`;
   * `restart` goes on with it and counts anew, and so does a rebalance. Default on under `cp` and `transactional`, `false`
   * under `ap`.
   */
  readonly breaker?:
    | false
    | {
        /** Part of the records, over the last 500 to 1,000 (once to twice `minRecords`). Default 0.1. */
        readonly ratio?: number | undefined
        /** Of fewer records no ratio is taken. Default 500. */
        readonly minRecords?: number | undefined
        /** Dead letters with no other record of the partition handled in between. Default 100. */
        readonly consecutive?: number | undefined
      }
    | undefined
  /**
   * `continue` (default) goes on with the next record. `stop` stops the partition behind the letter, once it is stored and
   * its record is settled: for records that make no sense without the one before. `restart` goes on behind it.
   */
  readonly afterwards?: 'continue' | 'stop' | undefined
  /** Writes beside ours the headers that Spring for Apache Kafka does (`kafka_dlt-…`). Default false. */
  readonly springHeaders?: boolean | undefined
}

/** The option with all that was left out. */
export interface ResolvedDeadLetter {
  readonly topic: string
  readonly springHeaders: boolean
  readonly policy: DeadLetterPolicy
}

const target = z.custom<string | Topic>(
  (value) => isTopicName(value) || isTopic(value),
  'the name of a topic (' + topicNameRule + '), or one made by defineTopic',
)

const breaker = z.strictObject({
  ratio: z.number().gt(0).max(1).default(0.1).describe('part of the records that may be dead letters, above 0 up to 1'),
  minRecords: z.int().positive().default(500).describe('records of which a ratio is taken, at least 1'),
  consecutive: z.int().positive().default(100).describe('dead letters in a row, at least 1'),
})

const defaultBreaker = breaker.parse({})

export const deadLetterOption = z
  .union([
    target,
    z.strictObject({
      topic: target,
      breaker: z
        .union([z.literal(false), breaker])
        .optional()
        .describe('false, or { ratio, minRecords, consecutive }'),
      afterwards: z.enum(['continue', 'stop']).default('continue').describe("'continue' or 'stop'"),
      springHeaders: z.boolean().default(false).describe('true writes the headers of Spring for Apache Kafka too'),
    }),
  ])
  .optional()
  .describe('where failed records go: a topic that exists, or { topic, breaker, afterwards, springHeaders }')

/** @param breaksFloods whether the profile has a breaker where the option says nothing */
export function resolveDeadLetter(
  option: z.output<typeof deadLetterOption>,
  breaksFloods: boolean,
): ResolvedDeadLetter | null {
  if (option === undefined) return null
  const limits = breaksFloods ? defaultBreaker : null
  if (typeof option === 'string' || isTopic(option)) {
    return { topic: nameOf(option), springHeaders: false, policy: { breaker: limits, afterwards: 'continue' } }
  }
  const { topic, breaker: chosen = limits, afterwards, springHeaders } = option
  return { topic: nameOf(topic), springHeaders, policy: { breaker: chosen === false ? null : chosen, afterwards } }
}

function nameOf(topic: string | Topic): string {
  return typeof topic === 'string' ? topic : topic.name
}
