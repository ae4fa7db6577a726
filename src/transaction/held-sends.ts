import type { Output } from '../consumer/handling/outputs.js'
import type { ContextSend } from '../consumer/handling/handler.js'
import type { Work } from '../consumer/partition/work.js'
import { SendError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import { badInput, encodeRecord, noSendOptions, takeOptions, withOwnBytes } from '../producer/outgoing-record.js'
import type { Producer } from '../producer/producer.js'
import type { Receipt } from '../producer/receipt.js'
import { batchOverheadBytes } from '../producer/record-size.js'
import { requireSendOptions } from '../producer/send-input.js'
import type { Clock } from '../runtime/clock.js'
import type { Partitioner } from '../topic/partitioner.js'
import type { Topic } from '../topic/topic.js'
import { recordBound } from '../wire/growing-records.js'

/** A record as it was when its handler sent it. It goes out when the record that was handled is done. */
export interface HeldRecord {
  readonly topic: Topic
  readonly record: OutgoingRecord
  /** As its partitioner sees it. */
  readonly value: unknown
  readonly partition: number | undefined
  readonly sizeBytes: number
}

export interface HoldLimits {
  /** Of all that one call of a handler sends. */
  readonly maxBytes: number
  readonly maxRequestBytes: number
}

/** Takes what one call sends when the record it handled is done. */
export type JoinTransaction = (work: Work, held: readonly HeldRecord[], bytes: number) => Promise<'joined' | 'late'>

/** What one call of a handler sends, kept until the call has succeeded: a record in a transaction cannot be taken back. */
export class HeldSends implements Output {
  readonly #held: HeldRecord[] = []
  #bytes = 0

  constructor(
    private readonly limits: HoldLimits,
    private readonly clock: Clock,
    private readonly onJoin: JoinTransaction,
  ) {}

  get holds(): boolean {
    return this.#held.length > 0
  }

  readonly send: ContextSend = (topic, value, options = noSendOptions) => {
    try {
      requireSendOptions(topic, options)
      const { partition, ...taken } = takeOptions(topic as Topic, options)
      const record = withOwnBytes(encodeRecord(topic, value, { ...taken, partition }, this.clock.wallTime()))
      this.#hold({ topic: topic as Topic, record, value, partition, sizeBytes: recordBound(record) })
      const receipt: Receipt = {
        topic: topic.name,
        partition: partition ?? notChosen,
        offset: null,
        timestamp: record.timestamp,
      }
      return Promise.resolve(receipt)
    } catch (error) {
      return Promise.reject(badInput('send', topic, error))
    }
  }

  join(work: Work): Promise<'joined' | 'late'> {
    return this.onJoin(work, this.#held, this.#bytes)
  }

  drop(): void {
    this.#held.length = 0
    this.#bytes = 0
  }

  #hold(held: HeldRecord): void {
    requireRoom(held, this.limits)
    const { maxBytes } = this.limits
    const { name } = held.topic
    if (this.#bytes + held.sizeBytes > maxBytes) {
      throw new SendError(
        'transaction-too-large',
        'not-stored',
        `what a handler sends for one record takes more than ${maxBytes} bytes with this record for topic ${name} ` +
          '(transaction.maxBytes); send less, or raise transaction.maxBytes',
        { topic: name },
      )
    }
    this.#held.push(held)
    this.#bytes += held.sizeBytes
  }
}

/** The partitioner decides when the record goes out. */
const notChosen = -1

/** Throws `SendError` `record-too-large`: in the transaction it would abort all of it. */
export function requireRoom({ topic: { name }, sizeBytes }: HeldRecord, { maxRequestBytes }: HoldLimits): void {
  if (sizeBytes + batchOverheadBytes <= maxRequestBytes) return
  throw new SendError(
    'record-too-large',
    'not-stored',
    `a record for topic ${name} takes about ${sizeBytes} bytes, at most ${maxRequestBytes - batchOverheadBytes} fit; send less`,
    { topic: name },
  )
}

export function sendHeld(producer: Producer, held: HeldRecord): Promise<Receipt> {
  const { headers, timestamp } = held.record
  return producer.send(topicOfHeld(held.topic), held, { headers, timestamp, partition: held.partition })
}

const heldTopics = new WeakMap<Topic, Topic<HeldRecord>>()
const heldPartitioners = new WeakMap<Partitioner, Partitioner>()

/** The topic for records that are bytes already. */
function topicOfHeld(topic: Topic): Topic<HeldRecord> {
  let own = heldTopics.get(topic)
  if (own === undefined) {
    own = {
      name: topic.name,
      value: {
        name: topic.value.name,
        encode: ({ record }) => record.value,
        decode: refuseToDecode,
        writing: topic.value.writing,
      },
      keyOf: ({ record }) => record.key,
      partitioner: partitionerOfHeld(topic.partitioner),
      partitions: topic.partitions,
      replicationFactor: topic.replicationFactor,
      configs: topic.configs,
    }
    heldTopics.set(topic, own)
  }
  return own
}

/** One for each partitioner, since producers keep its state by it. */
function partitionerOfHeld(partitioner: Partitioner): Partitioner {
  let own = heldPartitioners.get(partitioner)
  if (own === undefined) {
    own = {
      name: partitioner.name,
      create: (random) => {
        const choose = partitioner.create(random)
        return (input) => choose({ ...input, value: (input.value as HeldRecord).value })
      },
    }
    heldPartitioners.set(partitioner, own)
  }
  return own
}

function refuseToDecode(): never {
  throw new Error('this topic is for sending only')
}
