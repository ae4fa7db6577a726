import { brokerCode } from '../../../../src/connection/broker-error.js'
import type { Connection, Lane, Node } from '../../../../src/connection/connection.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { AnswerTo, ApiName, Apis, Request } from '../../../../src/connection/requests/apis.js'
import type { FetchedBatch, FetchedPartition } from '../../../../src/connection/requests/fetch.js'
import type { Assignment } from '../../../../src/connection/requests/groups.js'
import { noHeaders, type ReceivedRecord, type RecordBatch } from '../../../../src/message/record.js'
import { partitionKey } from '../../../../src/message/topic-partition.js'
import type { Clock } from '../../../../src/runtime/clock.js'

type Script<Api extends ApiName> = (
  request: Apis[Api]['request'],
  node: Node,
  lane: Lane,
) => Reply<Api> | Promise<Reply<Api>>

type Reply<Api extends ApiName> = Apis[Api]['answer'] | 'silence' | 'usual'

interface Sent {
  readonly request: Request
  readonly node: Node
  readonly lane: Lane
  readonly at: number
}

/** A log of one partition that a test writes by hand. */
interface ScriptedLog {
  leader: number
  start: number
  end: number
  batches: FetchedBatch[]
}

/** The record part of a batch. */
export const held = (records: readonly ReceivedRecord[]): RecordBatch => ({
  count: records.length,
  decode: () => records,
})

export const plainBatch = (first: number, last: number): FetchedBatch => ({
  baseOffset: first,
  lastOffset: last,
  leaderEpoch: 0,
  producerId: -1,
  isTransactional: false,
  control: 'none',
  ...held(
    Array.from({ length: last - first + 1 }, (_, index) => ({
      offset: first + index,
      timestamp: 0,
      key: null,
      value: Buffer.from(`${first + index}`),
      headers: noHeaders,
    })),
  ),
})

/** Two brokers, logs, and a group of one member. Every answer can be scripted; what is not is answered as usual. */
export class ScriptedCluster implements Connection {
  readonly sent: Sent[] = []
  readonly logs = new Map<string, ScriptedLog>()
  readonly committed = new Map<string, { offset: number; metadata: string | null }>()
  coordinator = 1
  generationId = 0
  memberId = ''
  closed = false
  readonly #clock: Clock
  readonly #scripts = new Map<ApiName, Script<ApiName>>()
  readonly #throttle = { throttleTimeMs: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Answers `api` by `script` from now on; `usual` falls back to the ordinary answer, `silence` never answers. */
  on<Api extends ApiName>(api: Api, script: Script<Api>): void {
    this.#scripts.set(api, script as unknown as Script<ApiName>)
  }

  once<Api extends ApiName>(api: Api, script: Script<Api>): void {
    const before = this.#scripts.get(api)
    this.on(api, (request, node, lane) => {
      if (before) this.#scripts.set(api, before)
      else this.#scripts.delete(api)
      return script(request, node, lane)
    })
  }

  log(topic: string, partition: number, leader = 1): ScriptedLog {
    const key = partitionKey(topic, partition)
    const log = this.logs.get(key) ?? { leader, start: 0, end: 0, batches: [] }
    this.logs.set(key, log)
    return log
  }

  append(topic: string, partition: number, count: number): void {
    const log = this.log(topic, partition)
    log.batches.push(plainBatch(log.end, log.end + count - 1))
    log.end += count
  }

  lastSign(): number {
    return -Infinity
  }

  count(api: ApiName): number {
    return this.requests(api).length
  }

  requests<Api extends ApiName>(api: Api): Apis[Api]['request'][] {
    return this.sent.flatMap(({ request }) => (request.api === api ? [request as Apis[Api]['request']] : []))
  }

  async request<R extends Request>(
    node: Node,
    lane: Lane,
    request: R,
    deadline: number,
    signal?: AbortSignal,
  ): Promise<AnswerTo<R>> {
    this.sent.push({ request, node, lane, at: this.#clock.now() })
    if (this.closed) throw new RequestError('closed', 'never', 'the connection was closed')
    const ended = new AbortController()
    const silence = this.#clock.sleep(Math.max(0, deadline - this.#clock.now()), ended.signal).then(
      () => Promise.reject(new RequestError('timed-out', 'maybe', `${request.api} got no answer`)),
      () => new Promise<never>(() => undefined),
    )
    let abort = () => undefined as void
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(new RequestError('aborted', 'maybe', `${request.api} was aborted`))
    })
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort)
    try {
      const answer = await Promise.race([this.#answer(request, node, lane), silence, aborted])
      return answer as AnswerTo<R>
    } finally {
      ended.abort()
      signal?.removeEventListener('abort', abort)
    }
  }

  async close(): Promise<void> {
    this.closed = true
  }

  async #answer(request: Request, node: Node, lane: Lane): Promise<unknown> {
    // No broker answers in the same turn.
    await this.#clock.sleep(1)
    const scripted = await this.#scripts.get(request.api)?.(request, node, lane)
    if (scripted === 'silence') return new Promise(() => undefined)
    return scripted === undefined || scripted === 'usual' ? this.#usual(request, node) : scripted
  }

  async #usual(request: Request, node: Node): Promise<unknown> {
    switch (request.api) {
      case 'metadata':
        return this.#metadata(request.topics)
      case 'findCoordinator':
        return { ...this.#throttle, errorCode: 0, nodeId: this.coordinator, host: 'h', port: 1 }
      case 'joinGroup':
        return this.#join(request)
      case 'syncGroup':
        return { ...this.#throttle, errorCode: 0, assignment: this.#assignmentIn(request) }
      case 'heartbeat':
      case 'leaveGroup':
        return { ...this.#throttle, errorCode: 0 }
      case 'offsetFetch':
        return {
          ...this.#throttle,
          errorCode: 0,
          partitions: (request.partitions ?? []).map((at) => {
            const known = this.committed.get(partitionKey(at.topic, at.partition))
            const { offset, metadata } = known ?? { offset: -1, metadata: null }
            return { ...at, errorCode: 0, offset, leaderEpoch: -1, metadata }
          }),
        }
      case 'offsetCommit':
        for (const { topic, partition, offset, metadata } of request.partitions) {
          this.committed.set(partitionKey(topic, partition), { offset, metadata })
        }
        return { ...this.#throttle, partitions: request.partitions.map((at) => ({ ...at, errorCode: 0 })) }
      case 'listOffsets':
        return {
          ...this.#throttle,
          partitions: request.partitions.map((at) => {
            const log = this.log(at.topic, at.partition)
            const offset = at.timestamp === -2 ? log.start : at.timestamp === -1 ? log.end : -1
            return { ...at, errorCode: 0, offset, leaderEpoch: -1 }
          }),
        }
      case 'fetch':
        return this.#fetch(request, node)
      default:
        throw new Error(`no usual answer to ${request.api}`)
    }
  }

  #metadata(topics: readonly string[] | null) {
    const names = topics ?? [...new Set([...this.logs.keys()].map((key) => key.slice(0, key.lastIndexOf('-'))))]
    return {
      ...this.#throttle,
      brokers: [1, 2].map((nodeId) => ({ nodeId, host: 'h', port: nodeId, rack: null })),
      clusterId: 'scripted',
      controllerId: 1,
      topics: names.map((name) => {
        const partitions = []
        for (let partition = 0; this.logs.has(partitionKey(name, partition)); partition += 1) {
          const { leader } = this.log(name, partition)
          partitions.push({ partition, leader, leaderEpoch: 0, replicas: [], isr: [], errorCode: 0 })
        }
        const errorCode = partitions.length === 0 ? brokerCode.UNKNOWN_TOPIC_OR_PARTITION : 0
        return { name, topicId: null, isInternal: false, errorCode, partitions }
      }),
    }
  }

  #join(request: Apis['joinGroup']['request']) {
    const isNew = request.memberId === '' && request.groupInstanceId === null
    if (isNew) this.memberId = `member-${this.count('joinGroup')}`
    else this.memberId = request.memberId === '' ? 'static-1' : request.memberId
    if (!isNew) this.generationId += 1
    const { name = '', subscription = null } = request.protocols[0] ?? {}
    const { groupInstanceId } = request
    return {
      ...this.#throttle,
      errorCode: isNew ? brokerCode.MEMBER_ID_REQUIRED : 0,
      generationId: this.generationId,
      protocolName: name,
      leader: this.memberId,
      memberId: this.memberId,
      members: isNew ? [] : [{ memberId: this.memberId, groupInstanceId, subscription }],
    }
  }

  #assignmentIn(request: Apis['syncGroup']['request']): Assignment {
    const mine = request.assignments.find(({ memberId }) => memberId === request.memberId)
    return mine?.assignment ?? { partitions: [], userData: null }
  }

  async #fetch(request: Apis['fetch']['request'], node: Node) {
    const answer = () => request.partitions.map((at) => this.#fetched(at.topic, at.partition, at.fetchOffset, node))
    const hasNews = (partitions: FetchedPartition[]) => {
      return partitions.some(({ errorCode, batches }) => errorCode !== 0 || batches.length > 0)
    }
    let partitions = answer()
    if (!hasNews(partitions)) {
      await this.#clock.sleep(request.maxWaitMs)
      partitions = answer()
    }
    return { ...this.#throttle, errorCode: 0, partitions }
  }

  #fetched(topic: string, partition: number, offset: number, node: Node): FetchedPartition {
    const log = this.log(topic, partition)
    const errorCode =
      log.leader !== node
        ? brokerCode.NOT_LEADER_OR_FOLLOWER
        : offset < log.start || offset > log.end
          ? brokerCode.OFFSET_OUT_OF_RANGE
          : 0
    const batches = errorCode === 0 ? log.batches.filter(({ lastOffset }) => lastOffset >= offset) : []
    return {
      topic,
      partition,
      errorCode,
      highWatermark: log.end,
      lastStableOffset: log.end,
      logStartOffset: log.start,
      abortedTransactions: [],
      batches,
      unreadable: null,
      sizeBytes: batches.length * 100,
    }
  }
}
