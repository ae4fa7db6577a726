import type { Joined, Output } from '../consumer/handling/outputs.js'
import type { Work } from '../consumer/partition/work.js'
import { SendError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import {
  badInput,
  encodeRecord,
  noSendOptions,
  takeOptions,
  withOwnBytes,
  type SendOptions,
} from '../producer/outgoing-record.js'
import type { Producer } from '../producer/producer.js'
import type { Receipt } from '../producer/receipt.js'
import { batchOverheadBytes } from '../producer/record-size.js'
import { requireSendOptions } from '../producer/send-input.js'
import type { Clock } from '../runtime/clock.js'
import type { RunInContext, Tracing } from '../telemetry/tracing.js'
import type { Partitioner } from '../topic/partitioner.js'
import type { Topic } from '../topic/topic.js'
import { recordBound } from '../wire/growing-records.js'
import type { HeldMemory } from './held-memory.js'

/** A record as it was when its handler sent it. It goes out when the record that was handled is done. */
export interface HeldRecord {
  readonly topic: Topic
  readonly record: OutgoingRecord
  /** As its partitioner sees it. */
  readonly value: unknown
  readonly partition: number | undefined
  readonly sizeBytes: number
  /** As what it is sent; it goes out at another time. Missing: nobody traces. */
  readonly inContext: RunInContext | undefined
}

export interface HoldLimits {
  /** Of all that one call of a handler sends. */
  readonly maxBytes: number
  readonly maxRequestBytes: number
}

/** A record that found no room. */
interface Waiting {
  readonly held: HeldRecord
  readonly reject: (error: SendError) => void
}

/** Takes what one call sends when the record it handled is done. */
export type JoinTransaction = (work: Work, held: readonly HeldRecord[], bytes: number) => Joined | Promise<Joined>

/** Shared by all calls, of which each would else make its own; never written to. */
const nothingHeld: HeldRecord[] = []
const nobodyWaits: Waiting[] = []

/** What one call of a handler sends, kept until the call has succeeded: a record in a transaction cannot be taken back. */
export class HeldSends implements Output {
  #held: HeldRecord[] = nothingHeld
  #bytes = 0
  #waiting: Waiting[] = nobodyWaits
  #waitingBytes = 0

  constructor(
    private readonly limits: HoldLimits,
    private readonly memory: HeldMemory,
    private readonly clock: Clock,
    private readonly onJoin: JoinTransaction,
    private readonly tracing: Tracing | undefined,
  ) {}

  get holds(): boolean {
    return this.#held.length > 0 || this.#waiting.length > 0
  }

  send<Value>(topic: Topic<Value>, value: Value, options: SendOptions = noSendOptions): Promise<Receipt> {
    try {
      requireSendOptions(topic, options)
      const taken = takeOptions(topic as Topic, options)
      const { partition } = taken
      const record = withOwnBytes(encodeRecord(topic, value, taken, this.clock.wallTime()))
      const sizeBytes = recordBound(record)
      const held = { topic: topic as Topic, record, value, partition, sizeBytes, inContext: this.tracing?.capture() }
      this.#require(held)
      // What comes while others of this call wait goes behind them.
      const hasRoom = this.#waiting.length === 0 && this.memory.tryTake(this, held.sizeBytes)
      return hasRoom ? Promise.resolve(this.#hold(held)) : this.#wait(held)
    } catch (error) {
      return Promise.reject(badInput('send', topic, error))
    }
  }

  join(work: Work): Joined | Promise<Joined> {
    let joined: Joined | Promise<Joined>
    try {
      joined = this.onJoin(work, this.#held, this.#bytes)
    } catch (error) {
      joined = Promise.reject(error as Error)
    }
    if (joined instanceof Promise) return joined.finally(() => this.#release())
    this.#release()
    return joined
  }

  drop(): void {
    const waiting = this.#waiting
    this.#release()
    for (const { held, reject } of waiting) reject(dropped(held.topic.name))
  }

  #hold(held: HeldRecord): Receipt {
    if (this.#held === nothingHeld) this.#held = [held]
    else this.#held.push(held)
    this.#bytes += held.sizeBytes
    return receiptOf(held)
  }

  #wait(held: HeldRecord): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const waiting = { held, reject }
      if (this.#waiting === nobodyWaits) this.#waiting = [waiting]
      else this.#waiting.push(waiting)
      this.#waitingBytes += held.sizeBytes
      const enter = () => {
        this.#left(waiting)
        resolve(this.#hold(held))
      }
      const onFull = (error: SendError) => {
        this.#left(waiting)
        reject(error)
      }
      this.memory.wait(this, held.sizeBytes, held.topic.name, enter, onFull)
    })
  }

  #left(waiting: Waiting): void {
    this.#waiting = this.#waiting.filter((one) => one !== waiting)
    this.#waitingBytes -= waiting.held.sizeBytes
  }

  #release(): void {
    const bytes = this.#bytes
    this.#held = nothingHeld
    this.#waiting = nobodyWaits
    this.#bytes = this.#waitingBytes = 0
    this.memory.release(this, bytes)
  }

  #require(held: HeldRecord): void {
    requireRoom(held, this.limits)
    const { maxBytes } = this.limits
    const { name } = held.topic
    if (this.#bytes + this.#waitingBytes + held.sizeBytes <= maxBytes) return
    throw new SendError(
      'transaction-too-large',
      'not-stored',
      `what a handler sends for one record takes more than ${maxBytes} bytes with this record for topic ${name} ` +
        '(transaction.maxBytes); send less, or raise transaction.maxBytes',
      { topic: name },
    )
  }
}

function receiptOf({ topic: { name: topic }, partition = notChosen, record: { timestamp } }: HeldRecord): Receipt {
  return { topic, partition, offset: null, timestamp }
}

function dropped(topic: string): SendError {
  const message = `a record for topic ${topic} was not sent: the call of the handler that sent it has failed`
  return new SendError('transaction-aborted', 'not-stored', message, { topic })
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
  const partition = held.partition
  const options = headers.length === 0 ? { timestamp, partition } : { headers, timestamp, partition }
  const send = () => producer.send(topicOfHeld(held.topic), held, options)
  return held.inContext === undefined ? send() : held.inContext(send)
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
      keySerde: topic.keySerde,
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
