import type { Connection, Lane, Node } from '../../../../src/connection/connection.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { AnswerTo, Request } from '../../../../src/connection/requests/apis.js'
import type { InitProducerIdAnswer } from '../../../../src/connection/requests/init-producer-id.js'
import type { MetadataAnswer } from '../../../../src/connection/requests/metadata.js'
import type { ProduceAnswer, ProduceBatch, ProduceRequest } from '../../../../src/connection/requests/produce.js'
import { heldRecords } from '../../../../src/message/record.js'
import type { DriverProducer, OutgoingBatch, ProducerSettings } from '../../../../src/driver/producer.js'
import { createProtocolProducer } from '../../../../src/protocol/produce/producer.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { CountingMetrics } from '../../producer/counting-metrics.js'

/** A Produce request that a test answers by hand. */
export interface OpenRequest {
  readonly node: Node
  readonly at: number
  readonly deadline: number
  readonly request: ProduceRequest
  answer(answer: ProduceAnswer): void
  /** The same for every partition in it. */
  answerAll(part: { errorCode?: number; baseOffset?: number; logAppendTime?: number }): void
  fail(failure: RequestError['failure'], sent: 'never' | 'maybe'): void
}

/** A connection whose metadata is what the test says and whose Produce requests wait for the test. */
export class ScriptedConnection implements Connection {
  /** Every Produce request ever, in order. */
  readonly produced: OpenRequest[] = []
  /** `null`: metadata and producer ids fail. */
  leaders: number[] | null = [1, 1, 2]
  metadataErrorCode = 0
  initAnswer: () => Partial<InitProducerIdAnswer> | RequestError = () => ({})
  initCalls = 0
  metadataCalls = 0
  closed = false
  /** False: what is sent waits for a socket. */
  writes = true
  /** When the brokers gave a sign of life last. */
  sign = -Infinity
  readonly #clock: VirtualClock

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  async request<R extends Request>(
    node: Node,
    _lane: Lane,
    request: R,
    deadline: number,
    signal?: AbortSignal,
    onTaken?: (takeBack: () => boolean) => void,
  ): Promise<AnswerTo<R>> {
    if (this.closed) throw new RequestError('closed', 'never', 'closed')
    switch (request.api) {
      case 'metadata':
        this.metadataCalls += 1
        return this.#metadata() as AnswerTo<R>
      case 'initProducerId':
        this.initCalls += 1
        return this.#initProducerId() as AnswerTo<R>
      case 'produce':
        return (await this.#produce(node, request, deadline, signal, onTaken)) as AnswerTo<R>
      default:
        throw new Error(`the script has no answer to ${request.api}`)
    }
  }

  lastSign(): number {
    return this.sign
  }

  async close(): Promise<void> {
    this.closed = true
    for (const open of this.produced) open.fail('closed', 'maybe')
  }

  get last(): OpenRequest {
    const last = this.produced.at(-1)
    if (last === undefined) throw new Error('nothing was produced')
    return last
  }

  #metadata(): MetadataAnswer {
    if (this.leaders === null) throw new RequestError('cannot-connect', 'never', 'nobody there')
    const partitions = this.leaders.map((leader, partition) => ({
      errorCode: leader < 0 ? 5 : 0,
      partition,
      leader,
      leaderEpoch: 0,
      replicas: [1, 2],
      isr: [1, 2],
    }))
    const topic = { name: 't', topicId: null, errorCode: this.metadataErrorCode, isInternal: false }
    return {
      throttleTimeMs: 0,
      brokers: [1, 2].map((nodeId) => ({ nodeId, host: 'h', port: nodeId, rack: null })),
      clusterId: null,
      controllerId: 1,
      topics: [{ ...topic, partitions: this.metadataErrorCode === 0 ? partitions : [] }],
    }
  }

  #initProducerId(): InitProducerIdAnswer {
    const answer = this.initAnswer()
    if (answer instanceof RequestError) throw answer
    return { throttleTimeMs: 0, errorCode: 0, producerId: 100 * this.initCalls, producerEpoch: 0, ...answer }
  }

  #produce(
    node: Node,
    request: ProduceRequest,
    deadline: number,
    signal?: AbortSignal,
    onTaken?: (takeBack: () => boolean) => void,
  ): Promise<ProduceAnswer> {
    const { writes } = this
    return new Promise((resolve, reject) => {
      const lose = (failure: RequestError['failure'], sent: 'never' | 'maybe') => {
        end()
        reject(new RequestError(failure, sent, `${failure}, sent ${sent}`))
      }
      const abort = () => lose('aborted', writes ? 'maybe' : 'never')
      const timer = this.#clock.setTimer(deadline - this.#clock.now(), () => lose('timed-out', 'maybe'))
      const end = () => {
        timer.cancel()
        signal?.removeEventListener('abort', abort)
      }
      signal?.addEventListener('abort', abort)
      onTaken?.(() => {
        if (!writes) lose('aborted', 'never')
        return !writes
      })
      const answer = (given: ProduceAnswer) => {
        end()
        resolve(given)
      }
      this.produced.push({
        node,
        at: this.#clock.now(),
        deadline,
        request,
        answer,
        answerAll: ({ errorCode = 0, baseOffset = 0, logAppendTime = -1 }) =>
          answer({
            throttleTimeMs: 0,
            partitions: request.batches.map(({ topic, partition }) => ({
              topic,
              partition,
              errorCode,
              baseOffset: errorCode === 0 ? baseOffset : -1,
              logAppendTime,
              logStartOffset: 0,
              recordErrors: [],
              errorMessage: null,
            })),
          }),
        fail: lose,
      })
    })
  }
}

export interface Script {
  readonly clock: VirtualClock
  readonly connection: ScriptedConnection
  readonly producer: DriverProducer
  readonly metrics: CountingMetrics
  readonly warnings: string[]
  /** Lets everything happen that is due within `ms`. */
  run(ms?: number): Promise<void>
}

export const cp: ProducerSettings = {
  clientId: 'c',
  logger: silentLogger,
  metrics: new CountingMetrics(),
  acks: -1,
  idempotent: true,
  retryInDoubt: true,
  compression: 'none',
  maxRequestBytes: 1_000_000,
  requestTimeoutMs: 5_000,
  metadataMaxAgeMs: 60_000,
}

export const ap = { acks: 1, idempotent: false } as const

/** A producer that has loaded topic `t`: partitions 0 and 1 are led by broker 1, partition 2 by broker 2. */
export async function startScript(overrides: Partial<ProducerSettings> = {}): Promise<Script> {
  const clock = virtualClock({ start: 1_000_000 })
  const connection = new ScriptedConnection(clock)
  const metrics = new CountingMetrics()
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => void warnings.push(message) }
  const settings = { ...cp, metrics, logger, ...overrides }
  const producer = createProtocolProducer(connection, { clock, random: seededRandom(1) }, settings)
  await clock.runUntil(producer.loadTopic('t', clock.now() + 1_000))
  return { clock, connection, producer, metrics, warnings, run: (ms = 0) => clock.advance(ms) }
}

export function batch(partition: number, records = 1, sizeBytes = 100): OutgoingBatch {
  const record = { key: null, value: Buffer.from('v'), headers: [], timestamp: 1 }
  return { topic: 't', partition, sizeBytes, records: heldRecords(Array.from({ length: records }, () => record)) }
}

/** What a broker tells repeats from new batches by. */
export function stampOf(sent: ProduceBatch | undefined): readonly [id: number, epoch: number, sequence: number] {
  if (sent === undefined) throw new Error('there is no such batch')
  return [sent.producerId, sent.producerEpoch, sent.baseSequence]
}

export function stamps(connection: ScriptedConnection): readonly (readonly number[])[] {
  return connection.produced.flatMap(({ request }) => request.batches.map(stampOf))
}
