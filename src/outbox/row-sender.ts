import { SendError, TimeoutError } from '../errors.js'
import { senderId } from '../message/headers.js'
import type { Producer } from '../producer/producer.js'
import { ofRecordCodes, tooLargeCodes } from '../producer/refusal.js'
import type { Clock } from '../runtime/clock.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import { bytes } from '../serde/bytes.js'
import type { Missing, Serde } from '../serde/serde.js'
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

/** A row, and the value that its bytes were made of, for whoever places it by that. */
interface Outgoing {
  readonly content: OutboxContent
  /** Throws what made it unreadable. */
  readonly value: () => unknown
}

/** A topic as a producer sees it, and the serde that its rows were written by. */
interface RowTopic {
  readonly topic: Topic<Outgoing>
  readonly serde: Serde<unknown>
}

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
 * | what its value is read by cannot be had now | `failed`, likewise: an outage of a registry holds no row |
 */
export class RowSender {
  readonly #parts: RowSenderParts
  readonly #topics = new Map<string, RowTopic>()

  constructor(parts: RowSenderParts) {
    this.#parts = parts
    for (const topic of parts.topics) this.#topics.set(topic.name, asRows(topic))
  }

  /** Never rejects. */
  async send(row: OutboxRow, content: OutboxContent, term: SendingTerm): Promise<RowEnd> {
    if (!term.isValid) return 'failed'
    const { producer, sendTimeoutMs, telemetry, onNotSent } = this.#parts
    const { headers, timestamp, partition } = content
    try {
      const { topic, serde } = this.#topicOf(row.topic)
      const missing = partition === null ? (serde.reading?.missing(content.value) ?? null) : null
      if (missing !== null) {
        await this.#load(missing, term.signal)
        if (!term.isValid) return 'failed'
      }
      const value = partition === null ? readNow(serde, content.value) : nobodyAsks
      const options = {
        key: content.key,
        headers,
        timestamp,
        partition: partition ?? undefined,
        timeoutMs: sendTimeoutMs,
        signal: term.signal,
      }
      const send = () => producer.send(topic, { content, value }, options)
      // As what its row was added in, and not as whoever started the relay.
      await (telemetry.tracing === undefined ? send() : telemetry.tracing.outside(send))
      return 'stored'
    } catch (error) {
      if (isRefusal(error)) return this.#hold(row, content, error, term)
      if (!term.signal.aborted) onNotSent(row.topic, error)
      return 'failed'
    }
  }

  /** A partitioner may look at the value, and cannot wait for what it is read by. */
  async #load(missing: Missing, signal: AbortSignal): Promise<void> {
    const { clock, sendTimeoutMs } = this.#parts
    const onLate = () => {
      throw new TimeoutError('schema-timeout', `${missing.what} was not told within ${sendTimeoutMs} ms`, {
        retriable: true,
      })
    }
    await withinDeadline(missing.load(), { clock, deadline: clock.now() + sendTimeoutMs, signal, onLate })
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

  #topicOf(name: string): RowTopic {
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

/** At once: what it is read by may be gone when it is asked for. */
function readNow(serde: Serde<unknown>, bytes: Buffer | null): () => unknown {
  try {
    const value = serde.decode(bytes)
    return () => value
  } catch (error) {
    return () => {
      throw error
    }
  }
}

function nobodyAsks(): never {
  throw new Error('the row has its partition')
}

/** Bytes stay as they are, and the partitioner sees the value that they were made of. */
function asRows({ name, value, partitioner, partitions, replicationFactor, configs }: Topic): RowTopic {
  const topic: Topic<Outgoing> = {
    name,
    value: { name: 'outbox', encode: ({ content }) => content.value, decode: refuseToDecode },
    keyOf: ({ content }) => content.key,
    partitioner: {
      name: partitioner.name,
      create: (random) => {
        const choose = partitioner.create(random)
        return (input) => choose({ ...input, value: (input.value as Outgoing).value() })
      },
    },
    partitions,
    replicationFactor,
    configs,
  }
  return { topic, serde: value }
}

function refuseToDecode(): never {
  throw new Error('this topic is for sending only')
}
