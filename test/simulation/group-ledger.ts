import type { AnswerTo, OffsetCommitRequest, Request } from '../../src/connection/requests.js'
import type { DrainReport } from '../../src/consumer/drain.js'
import type { AssignedPartition, FetchedRecords } from '../../src/driver/consumer.js'
import type { MemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import type { Message } from '../../src/message/message.js'
import { partitionKey, type TopicPartition } from '../../src/message/topic-partition.js'
import type { Report } from './invariant.js'
import type { Plan } from './plan.js'
import { partitionsOf, readable } from './stored-log.js'

/** One partition in the hands of one consumer, from its assignment to its end. */
interface Tenure extends TopicPartition {
  readonly consumer: string
  readonly epoch: number
  readonly generation: number
  /** Next offset that was not handed over yet. */
  handedUpTo: number
  state: 'held' | 'draining' | 'over'
  crashed: boolean
  lastCommit: number
  /** The lowest offset of a commit that got no answer: it may land late, after a newer one, and take the group back. */
  doubtfulCommit: number
  readonly drains: DrainReport[]
  readonly running: Set<Execution>
  /** Last offset started, by lane (the partition, or the key). */
  readonly lastStarted: Map<string, number>
}

/** One call of the handler. */
export interface Execution extends TopicPartition {
  readonly offset: number
  readonly text: string
  /** What is handled one after another: the partition, the key, or this record alone. */
  readonly lane: string
  /** Records of one call share it. */
  readonly call: number
  readonly tenure: Tenure | null
  /** Who else held the partition when it started without knowing that the group had given it away. */
  readonly besides: readonly Tenure[]
  end: 'running' | 'done' | 'failed'
}

/** Everything one group did, watched from outside: the handler, the driver's calls, and the requests to the cluster. */
export class GroupLedger {
  /** Every call of the handler, by place. */
  readonly #executions = new Map<string, Map<number, Execution[]>>()
  readonly #tenures = new Map<string, Tenure>()
  readonly #allTenures: Tenure[] = []
  readonly #generationOf = new Map<string, number>()
  /** What the group gave a member, by consumer and generation. */
  readonly #given = new Map<string, ReadonlySet<string>>()
  /** The highest commit that was answered, by partition: a late older one may take the group's own record of it back. */
  readonly #acknowledged = new Map<string, number>()
  /** Everything readable below is settled, by partition. */
  readonly #settledUpTo = new Map<string, number>()
  #calls = 0
  handled = 0
  repeated = 0
  /** Repeats that a late commit explains: Kafka takes it as long as its generation lasts. */
  takenBack = 0
  commits = 0

  constructor(
    readonly group: string,
    private readonly cluster: MemoryCluster,
    private readonly plan: Plan,
    private readonly isDeadLettered: (group: string, place: TopicPartition, offset: number) => boolean,
    private readonly report: Report,
  ) {}

  // ── What passes the connection ────────────────────────────────────────────────────────────────────────────────────

  answered(consumer: string, request: Request, answer: AnswerTo<Request>): void {
    if (request.api === 'offsetCommit') this.#noteAcknowledged(request, answer as AnswerTo<typeof request>)
    if (request.api !== 'syncGroup') return
    const { errorCode, assignment } = answer as AnswerTo<typeof request>
    if (errorCode !== 0) return
    this.#generationOf.set(consumer, request.generationId)
    const given = new Set(assignment.partitions.map(({ topic, partition }) => partitionKey(topic, partition)))
    this.#given.set(`${consumer}/${request.generationId}`, given)
  }

  commitAsked(consumer: string, { generationId, partitions }: OffsetCommitRequest): void {
    const given = this.#given.get(`${consumer}/${generationId}`)
    for (const { topic, partition, offset } of partitions) {
      this.commits += 1
      const key = partitionKey(topic, partition)
      const what = `${consumer} commits ${key}@${offset} in generation ${generationId}`
      if (given?.has(key) !== true) this.report('commits only what the generation gave', what)
      this.#checkCommittedInTenure(this.#tenureIn(consumer, generationId, { topic, partition }), offset, what)
      this.#checkSettled({ topic, partition }, offset, what)
    }
  }

  #noteAcknowledged({ partitions }: OffsetCommitRequest, answer: AnswerTo<OffsetCommitRequest>): void {
    for (const [index, { errorCode, topic, partition }] of answer.partitions.entries()) {
      if (errorCode !== 0) continue
      const key = partitionKey(topic, partition)
      this.#acknowledged.set(key, Math.max(this.#acknowledged.get(key) ?? 0, partitions[index]?.offset ?? 0))
    }
  }

  commitFailed(consumer: string, { generationId, partitions }: OffsetCommitRequest): void {
    for (const place of partitions) {
      const tenure = this.#tenureIn(consumer, generationId, place)
      if (tenure !== undefined) tenure.doubtfulCommit = Math.min(tenure.doubtfulCommit, place.offset)
    }
  }

  #tenureIn(consumer: string, generation: number, { topic, partition }: TopicPartition): Tenure | undefined {
    return this.#allTenures.findLast(
      (each) =>
        each.consumer === consumer &&
        each.generation === generation &&
        each.topic === topic &&
        each.partition === partition,
    )
  }

  #checkCommittedInTenure(tenure: Tenure | undefined, offset: number, what: string): void {
    if (tenure === undefined) {
      this.report('commits only what was assigned', what)
      return
    }
    if (offset > tenure.handedUpTo) {
      this.report('commits only what was read in the same generation', `${what}; read up to ${tenure.handedUpTo}`)
    }
    if (offset < tenure.lastCommit) {
      this.report('a commit never goes back within a generation', `${what} after ${tenure.lastCommit}`)
    }
    for (const { offset: running } of tenure.running) {
      if (running < offset)
        this.report('committed never past unsettled work', `${what} while ${running} is being handled`)
    }
    tenure.lastCommit = offset
  }

  /** Every readable record below was handled to its end by someone of the group, or is a dead letter. */
  #checkSettled(place: TopicPartition, offset: number, what: string): void {
    const key = partitionKey(place.topic, place.partition)
    const from = this.#settledUpTo.get(key) ?? 0
    if (offset <= from) return
    for (const record of readable(this.cluster, place.topic, place.partition, this.plan.isolation, from, offset)) {
      if (!this.#isSettled(place, record.offset)) {
        this.report('committed never past unsettled work', `${what}, but ${record.offset} is not settled`)
        return
      }
    }
    this.#settledUpTo.set(key, offset)
  }

  #isSettled(place: TopicPartition, offset: number): boolean {
    const executions = this.#executionsAt(place, offset)
    if (executions.some(({ end }) => end === 'done')) return true
    return executions.length > 0 && this.isDeadLettered(this.group, place, offset)
  }

  // ── What passes the driver ────────────────────────────────────────────────────────────────────────────────────────

  assigned(consumer: string, partitions: readonly AssignedPartition[]): void {
    for (const { topic, partition, epoch, position } of partitions) {
      const tenure: Tenure = {
        topic,
        partition,
        consumer,
        epoch,
        generation: this.#generationOf.get(consumer) ?? -1,
        handedUpTo: position,
        state: 'held',
        crashed: false,
        lastCommit: -1,
        doubtfulCommit: Infinity,
        drains: [],
        running: new Set(),
        lastStarted: new Map(),
      }
      this.#tenures.set(`${consumer}/${partitionKey(topic, partition)}`, tenure)
      this.#allTenures.push(tenure)
    }
  }

  fetched(consumer: string, { topic, partition, epoch, nextOffset }: FetchedRecords): void {
    const tenure = this.#tenureOf(consumer, { topic, partition })
    if (tenure === undefined || tenure.epoch !== epoch || tenure.state !== 'held') {
      const detail = `${consumer} was handed ${topic}-${partition} of epoch ${epoch}`
      this.report('nothing is handed over after a partition was given up', detail)
    } else tenure.handedUpTo = Math.max(tenure.handedUpTo, nextOffset)
  }

  becomes(consumer: string, partitions: readonly AssignedPartition[], state: 'draining' | 'over'): void {
    for (const { topic, partition, epoch } of partitions) {
      const tenure = this.#tenureOf(consumer, { topic, partition })
      if (tenure?.epoch === epoch && tenure.state !== 'over') tenure.state = state
    }
  }

  drained(consumer: string, report: DrainReport): void {
    let running = 0
    for (const place of report.partitions) {
      // A consumer that stops may be given the partition anew while its drain of the former epoch goes on.
      for (const tenure of this.#undrained(consumer, place)) {
        tenure.drains.push(report)
        tenure.state = 'over'
        running += tenure.running.size
      }
    }
    if (running > report.abandoned) {
      const detail = `${consumer} gave up partitions (${report.reason}) with ${running} handlers running and reported ${report.abandoned}`
      this.report('a drain reports the handlers it abandons', detail)
    }
  }

  #undrained(consumer: string, { topic, partition }: TopicPartition): Tenure[] {
    return this.#allTenures.filter(
      (tenure) =>
        tenure.consumer === consumer &&
        tenure.topic === topic &&
        tenure.partition === partition &&
        tenure.drains.length === 0,
    )
  }

  crashed(consumer: string): void {
    for (const tenure of this.#allTenures) {
      if (tenure.consumer !== consumer) continue
      tenure.crashed = tenure.drains.length === 0
      tenure.state = 'over'
      tenure.running.clear()
    }
  }

  // ── What the handler sees ─────────────────────────────────────────────────────────────────────────────────────────

  /** Names a call of the handler. */
  newCall(): number {
    this.#calls += 1
    return this.#calls
  }

  started(consumer: string, call: number, message: Message<string>): Execution {
    const { topic, partition, offset, value: text } = message
    const place = { topic, partition }
    const tenure = this.#tenureOf(consumer, place) ?? null
    const lane = this.#laneOf(message)
    const besides = this.#executionsAt(place, offset).flatMap(({ tenure: other }) =>
      other !== null && other !== tenure && other.state !== 'over' ? [other] : [],
    )
    const execution: Execution = { topic, partition, offset, text, lane, call, tenure, besides, end: 'running' }
    const what = `${consumer} starts ${topic}-${partition}@${offset}`
    if (tenure === null || tenure.state === 'over') this.report('handlers start only while the partition is ours', what)
    else this.#checkOrder(tenure, execution, what)
    tenure?.running.add(execution)
    this.#executionsAt(place, offset, true).push(execution)
    this.handled += 1
    return execution
  }

  #laneOf({ key, offset }: Message): string {
    if (this.plan.order === 'partition') return ''
    return this.plan.order === 'key' ? `key ${key?.toString() ?? ''}` : `offset ${offset}`
  }

  ended(execution: Execution, end: 'done' | 'failed'): void {
    execution.end = end
    execution.tenure?.running.delete(execution)
  }

  #checkOrder(tenure: Tenure, { topic, partition, offset, lane, call }: Execution, what: string): void {
    const last = tenure.lastStarted.get(lane) ?? -1
    // Records of a batch that failed come again, one by one.
    const isAgain = this.#executionsAt({ topic, partition }, offset).some(
      (before) => before.tenure === tenure && before.end === 'failed',
    )
    if (offset <= last && !isAgain) this.report('order per key within an assignment epoch', `${what} after ${last}`)
    tenure.lastStarted.set(lane, offset)
    for (const other of tenure.running) {
      if (other.lane !== lane || other.call === call) continue
      this.report(
        "a key's next record starts when its former is done",
        `${what} while ${other.offset} is being handled`,
      )
    }
  }

  // ── In the end ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Partitions whose records the group has not all committed, with what is missing. */
  unfinished(): readonly string[] {
    const committed = new Map(
      this.cluster.committed(this.group).map((at) => [partitionKey(at.topic, at.partition), at.offset]),
    )
    const missing: string[] = []
    for (const { topic, partition } of partitionsOf(this.cluster)) {
      if (!this.plan.topics.some(({ name }) => name === topic)) continue
      const key = partitionKey(topic, partition)
      const from = Math.max(committed.get(key) ?? 0, this.#acknowledged.get(key) ?? 0)
      const left = readable(this.cluster, topic, partition, this.plan.isolation, from)
      if (left.length > 0) missing.push(`${this.group} has ${left.length} record(s) of ${key} from ${from} left`)
    }
    return missing
  }

  checkEnd(): void {
    for (const { topic, partition } of partitionsOf(this.cluster)) {
      if (!this.plan.topics.some(({ name }) => name === topic)) continue
      this.#checkHandled({ topic, partition })
    }
    this.#checkRepeats()
  }

  #checkHandled(place: TopicPartition): void {
    const { topic, partition } = place
    const inLog = new Map<number, string>()
    for (const { offset, value } of readable(this.cluster, topic, partition, this.plan.isolation)) {
      inLog.set(offset, value?.toString() ?? '')
      if (this.#isSettled(place, offset)) continue
      this.report(
        'every record is handled at least once',
        `${this.group} has not handled ${topic}-${partition}@${offset}`,
      )
    }
    const stored = new Set(this.cluster.records(topic, partition).map(({ offset }) => offset))
    for (const [offset, [execution]] of this.#executions.get(partitionKey(topic, partition)) ?? []) {
      const text = inLog.get(offset)
      const detail = `${this.group} handled ${topic}-${partition}@${offset} "${execution?.text ?? ''}"`
      if (text === undefined && stored.has(offset)) this.report('aborted records are not handed over', detail)
      else if (text !== undefined && text !== execution?.text) {
        this.report('what is handled is what is in the log', `${detail}, the log has "${text}"`)
      }
    }
  }

  /** A record that was handled again was reported as a possible duplicate by who had it before, unless that one crashed. */
  #checkRepeats(): void {
    for (const places of this.#executions.values()) {
      for (const executions of places.values()) {
        for (let index = 1; index < executions.length; index += 1)
          this.#checkRepeat(executions[index - 1]!, executions[index]!)
      }
    }
  }

  #checkRepeat(
    { tenure: before, offset, topic, partition, end }: Execution,
    { tenure: after, besides }: Execution,
  ): void {
    if (before === after && end === 'failed') return
    this.repeated += 1
    if (before === null || after === null || before.crashed) return
    const isReported = ({ drains }: Tenure) =>
      drains.some(({ possibleDuplicates }) =>
        possibleDuplicates.some(
          (range) =>
            range.topic === topic && range.partition === partition && range.from <= offset && offset < range.to,
        ),
      )
    // Of two that held the partition at the same time, the one that had lost it says so.
    if (before.doubtfulCommit <= offset) {
      this.takenBack += 1
      return
    }
    const isLate = after.generation < before.generation || besides.includes(before)
    if (isReported(before) || (isLate && (isReported(after) || after.crashed))) return
    const reports = JSON.stringify(
      before.drains.map(({ reason, possibleDuplicates }) => ({ reason, possibleDuplicates })),
    )
    const detail = `${topic}-${partition}@${offset} was handled by ${before.consumer} (epoch ${before.epoch}) and again by ${after.consumer} (epoch ${after.epoch}); reported: ${reports}`
    this.report('repeats lie in reported ranges', detail)
  }

  #tenureOf(consumer: string, { topic, partition }: TopicPartition): Tenure | undefined {
    return this.#tenures.get(`${consumer}/${partitionKey(topic, partition)}`)
  }

  #executionsAt({ topic, partition }: TopicPartition, offset: number, make = false): Execution[] {
    const key = partitionKey(topic, partition)
    let places = this.#executions.get(key)
    if (places === undefined) {
      places = new Map()
      if (make) this.#executions.set(key, places)
    }
    let executions = places.get(offset)
    if (executions === undefined) {
      executions = []
      if (make) places.set(offset, executions)
    }
    return executions
  }
}
