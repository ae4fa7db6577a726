import { SendError } from '../errors.js'
import { senderId } from '../message/headers.js'
import type { Producer } from '../producer/producer.js'
import { ofRecordCodes, tooLargeCodes } from '../producer/refusal.js'
import type { Clock } from '../runtime/clock.js'
import { bytes } from '../serde/bytes.js'
import type { Telemetry } from '../telemetry/guard.js'
import { tell } from '../telemetry/tell.js'
import { defineTopic } from '../topic/define-topic.js'
import type { Topic } from '../topic/topic.js'
import type { OutboxContent, OutboxRow, OutboxStore } from './outbox-store.js'
import type { RowEnd } from './relay-lanes.js'
import { inTime } from './store-call.js'

/** Refusals of the row itself, which every repeat would meet again. */
const refusals: ReadonlySet<string> = new Set([
  ...tooLargeCodes,
  ...ofRecordCodes,
  'invalid-partition',
  'invalid-topic',
])

/** The term of one lease. */
export interface SendingTerm {
  readonly holder: string
  readonly isValid: boolean
  readonly signal: AbortSignal
}

export interface RowSenderParts {
  readonly producer: Pick<Producer, 'send'>
  readonly store: Pick<OutboxStore, 'hold'>
  /** Their partitioners choose; those of other topics go by the hash of their key. */
  readonly topics: readonly Topic[]
  readonly sendTimeoutMs: number
  readonly clock: Clock
  /** One call of the store. */
  readonly storeTimeoutMs: number
  readonly telemetry: Telemetry
  readonly onNotSent: (topic: string, error: unknown) => void
  readonly onUnreachable: (error: unknown) => void
}

/**
 * Sends rows, each under the lease that it was read under.
 *
 * | the send ends                              | the row |
 * |--------------------------------------------|---------|
 * | stored                                     | `stored` |
 * | not stored, since Kafka refuses it for good | `held`, and told |
 * | not stored, or unknown                     | `failed`: it is sent again, with the same id |
 */
export class RowSender {
  readonly #parts: RowSenderParts
  readonly #topics = new Map<string, Topic<OutboxContent>>()

  constructor(parts: RowSenderParts) {
    this.#parts = parts
    for (const topic of parts.topics) this.#topics.set(topic.name, asRows(topic))
  }

  /** Never rejects. */
  async send(row: OutboxRow, content: OutboxContent, term: SendingTerm): Promise<RowEnd> {
    if (!term.isValid) return 'failed'
    const { producer, sendTimeoutMs, onNotSent } = this.#parts
    const { headers, timestamp, partition } = content
    try {
      await producer.send(this.#topicOf(row.topic), content, {
        key: content.key,
        headers,
        timestamp,
        partition: partition ?? undefined,
        timeoutMs: sendTimeoutMs,
        signal: term.signal,
      })
      return 'stored'
    } catch (error) {
      if (isRefusal(error)) return this.#hold(row, content, error, term)
      if (!term.signal.aborted) onNotSent(row.topic, error)
      return 'failed'
    }
  }

  async #hold(row: OutboxRow, { headers }: OutboxContent, error: SendError, term: SendingTerm): Promise<RowEnd> {
    const { store, clock, storeTimeoutMs, telemetry, onUnreachable } = this.#parts
    try {
      await inTime(store.hold(row.number, error.code, term.holder), clock, storeTimeoutMs)
    } catch (failure) {
      onUnreachable(failure)
      return 'failed'
    }
    const { number, topic } = row
    tell(telemetry, { kind: 'outbox-row-held', topic, number, id: senderId(headers), error })
    return 'held'
  }

  #topicOf(name: string): Topic<OutboxContent> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const made = asRows(defineTopic({ name, value: bytes() }))
    this.#topics.set(name, made)
    return made
  }
}

function isRefusal(error: unknown): error is SendError {
  return error instanceof SendError && error.outcome === 'not-stored' && refusals.has(error.code)
}

/** The topic as a producer sees it: bytes stay as they are, and its partitioner sees the value that they were made of. */
function asRows(topic: Topic): Topic<OutboxContent> {
  const { name, partitioner, partitions, replicationFactor, configs } = topic
  return {
    name,
    value: { name: 'outbox', encode: ({ value }) => value, decode: refuseToDecode },
    keyOf: ({ key }) => key,
    partitioner: {
      name: partitioner.name,
      create: (random) => {
        const choose = partitioner.create(random)
        return (input) => choose({ ...input, value: topic.value.decode((input.value as OutboxContent).value) })
      },
    },
    partitions,
    replicationFactor,
    configs,
  }
}

function refuseToDecode(): never {
  throw new Error('this topic is for sending only')
}
