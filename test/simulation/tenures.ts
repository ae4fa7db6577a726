import type { HandlerContext } from '../../src/consumer/handling/handler.js'
import type { DrainReport } from '../../src/telemetry/drain-report.js'
import type { AssignedPartition, FetchedRecords } from '../../src/driver/consumer.js'
import type { Message } from '../../src/message/message.js'
import { partitionKey, type TopicPartition } from '../../src/message/topic-partition.js'
import type { Coverage } from './coverage.js'
import type { FormerLogs } from './former-logs.js'
import type { Report } from './invariant.js'
import type { Plan } from './plan.js'

/** One partition in the hands of one consumer, from its assignment (or a seek) to its end. */
export interface Tenure extends TopicPartition {
  readonly consumer: string
  readonly epoch: number
  readonly generation: number
  /** Rises with what the group gave: who replaces a member of its instance id is given the same in the same generation. */
  readonly turn: number
  /** Where it began to read. */
  readonly position: number
  /** Next offset that was not handed over yet. */
  handedUpTo: number
  state: 'held' | 'draining' | 'over'
  /** What the driver has said of it: it may hand over records until it is told to give it up, though its reader refuses them. */
  driver: 'gives' | 'took'
  crashed: boolean
  /** The user has paused it. */
  paused: boolean
  /** What its reader had before the seek that began it; a commit of that may still be on its way. */
  readonly continues: Tenure | null
  /** What its reader went on with after a seek; that reports for it too. */
  continuedBy: Tenure | null
  lastCommit: number
  /** The lowest offset of a commit that got no answer: it may land late, after a newer one, and take the group back. */
  doubtfulCommit: number
  readonly drains: DrainReport[]
  readonly running: Set<Execution>
  /** By lane (the partition, or the key). */
  readonly lastStarted: Map<string, Execution>
  /** Cuts of the log before it began. */
  readonly cutsBefore: number
}

/** One call of the handler. */
export interface Execution extends TopicPartition {
  readonly offset: number
  readonly text: string
  /** What is handled one after another: the partition, the key, or this record alone. */
  readonly lane: string
  /** Records of one call share it. */
  readonly call: number
  readonly context: HandlerContext
  readonly tenure: Tenure | null
  /** Who else held the partition when it started without knowing that the group had given it away. */
  readonly besides: readonly Tenure[]
  /** Seeks of the partition before it started. */
  readonly seeksBefore: number
  /** `late`: it ended after its signal had aborted, so it counts for nothing. */
  end: 'running' | 'done' | 'discarded' | 'failed' | 'late'
}

/** What the group gave: a generation's assignment, told to one member. */
export interface Given {
  readonly generation: number
  readonly turn: number
}

/** What a consumer has in flight, besides handlers, when something happens to it. */
export interface InFlight {
  readonly commits: number
  readonly fetches: number
}

/** What passes the driver and what the handlers see, by whose hands a partition is in. */
export class Tenures {
  readonly #present = new Map<string, Tenure>()
  readonly #all: Tenure[] = []
  /** Every call of the handler, by place. */
  readonly #executions = new Map<string, Map<number, Execution[]>>()
  /** Targets of the seeks of each partition, in order; without a group those of each reader. */
  readonly #seeks = new Map<string, number[]>()
  /** What users have paused, by consumer and place: it holds over rebalances. */
  readonly #paused = new Set<string>()
  #calls = 0
  handled = 0

  /** @param coverage is told what revokes and late ends found */
  constructor(
    private readonly plan: Plan,
    private readonly former: FormerLogs,
    private readonly coverage: Coverage,
    private readonly report: Report,
    /** Where one reads says nothing of where another does. */
    private readonly readers: 'share' | 'alone',
  ) {}

  // ── What passes the driver ────────────────────────────────────────────────────────────────────────────────────────

  assigned(consumer: string, given: Given, partitions: readonly AssignedPartition[]): void {
    for (const { topic, partition, epoch, position } of partitions)
      this.#begin({ topic, partition }, consumer, epoch, given, position, null)
  }

  #begin(
    place: TopicPartition,
    consumer: string,
    epoch: number,
    { generation, turn }: Given,
    position: number,
    continues: Tenure | null,
  ): Tenure {
    const tenure: Tenure = {
      ...place,
      consumer,
      epoch,
      generation,
      turn,
      position,
      handedUpTo: position,
      state: 'held',
      driver: 'gives',
      crashed: false,
      paused: this.#paused.has(`${consumer}/${partitionKey(place.topic, place.partition)}`),
      continues,
      continuedBy: null,
      lastCommit: -1,
      doubtfulCommit: Infinity,
      drains: [],
      running: new Set(),
      lastStarted: new Map(),
      cutsBefore: this.former.cutsOf(place).length,
    }
    this.#present.set(`${consumer}/${partitionKey(place.topic, place.partition)}`, tenure)
    if (tenure.paused && continues === null) this.coverage.met('paused by its user before it was assigned')
    this.#all.push(tenure)
    return tenure
  }

  fetched(consumer: string, { topic, partition, epoch, nextOffset }: FetchedRecords): void {
    const tenure = this.of(consumer, { topic, partition })
    if (tenure === undefined || tenure.epoch !== epoch || tenure.driver === 'took') {
      const detail = `${consumer} was handed ${topic}-${partition} of epoch ${epoch}`
      this.report('nothing is handed over after a partition was given up', detail)
    } else tenure.handedUpTo = Math.max(tenure.handedUpTo, nextOffset)
  }

  revoked(consumer: string, partitions: readonly AssignedPartition[], inFlight: InFlight): void {
    for (const tenure of this.#givenOf(consumer, partitions)) {
      tenure.driver = 'took'
      if (tenure.state === 'over') continue
      this.#meet(tenure, 'revoked', inFlight)
      tenure.state = 'draining'
    }
  }

  /** Before its reader knows: what it has in flight now is what it loses. */
  willBeLost(consumer: string, partitions: readonly AssignedPartition[], inFlight: InFlight): void {
    for (const tenure of this.#givenOf(consumer, partitions)) {
      tenure.driver = 'took'
      if (tenure.state !== 'over') this.#meet(tenure, 'lost', inFlight)
    }
  }

  over(consumer: string, partitions: readonly AssignedPartition[]): void {
    for (const tenure of this.#givenOf(consumer, partitions)) tenure.state = 'over'
  }

  #givenOf(consumer: string, partitions: readonly AssignedPartition[]): Tenure[] {
    return partitions.flatMap(({ topic, partition, epoch }) => {
      const tenure = this.of(consumer, { topic, partition })
      return tenure === undefined || tenure.epoch !== epoch ? [] : [tenure]
    })
  }

  #meet(tenure: Tenure, how: 'revoked' | 'lost', { commits, fetches }: InFlight): void {
    const handler = tenure.running.size > 0 ? 'running' : 'idle'
    const commit = commits > 0 ? 'out' : 'none'
    const fetch = fetches > 0 ? 'out' : 'none'
    this.coverage.met(`${how}: handler ${handler}, commit ${commit}, fetch ${fetch}`)
    if (tenure.paused) this.coverage.met(`${how} while paused by the user`)
    if (tenure.state === 'draining') this.coverage.met(`${how} while draining`)
  }

  /** The reader goes on at `offset`: a new tenure in the same assignment. */
  sought(consumer: string, { topic, partition }: TopicPartition, offset: number): void {
    const former = this.of(consumer, { topic, partition })
    if (former?.state !== 'held') {
      this.report('only what is assigned is sought', `${consumer} sought ${topic}-${partition}@${offset}`)
      return
    }
    this.coverage.met(offset < former.handedUpTo ? 'seek backwards' : 'seek forwards')
    former.state = 'over'
    const fresh = this.#begin({ topic, partition }, consumer, former.epoch, former, offset, former)
    former.continuedBy = fresh
    this.leads(consumer, { topic, partition }, offset)
  }

  /** Reading of the partition goes on at `offset`, by a seek or a reset that was told. */
  leads(consumer: string, place: TopicPartition, offset: number): void {
    const key = this.#readingOf(consumer, place)
    const seeks = this.#seeks.get(key)
    if (seeks === undefined) this.#seeks.set(key, [offset])
    else seeks.push(offset)
  }

  #readingOf(consumer: string, { topic, partition }: TopicPartition): string {
    const key = partitionKey(topic, partition)
    return this.readers === 'share' ? key : `${consumer}/${key}`
  }

  paused(consumer: string, place: TopicPartition, isPaused: boolean): void {
    const key = `${consumer}/${partitionKey(place.topic, place.partition)}`
    if (isPaused) this.#paused.add(key)
    else this.#paused.delete(key)
    const tenure = this.#present.get(key)
    if (tenure !== undefined) tenure.paused = isPaused
  }

  drained(consumer: string, report: DrainReport): void {
    let running = 0
    for (const place of report.partitions) {
      // A consumer that stops may be given the partition anew while its drain of the former epoch goes on.
      for (const tenure of this.#undrained(consumer, place)) {
        tenure.drains.push(report)
        tenure.state = 'over'
        for (const execution of tenure.running) if (!isTimedOut(execution)) running += 1
      }
    }
    this.coverage.met(`drain: ${report.reason}`)
    if (report.abandoned > 0) this.coverage.met(`handlers abandoned by a drain: ${report.reason}`, report.abandoned)
    if (running > report.abandoned) {
      const detail = `${consumer} gave up partitions (${report.reason}) with ${running} handlers running and reported ${report.abandoned}`
      this.report('a drain reports the handlers it abandons', detail)
    }
  }

  #undrained(consumer: string, { topic, partition }: TopicPartition): Tenure[] {
    return this.#all.filter(
      (tenure) =>
        tenure.consumer === consumer &&
        tenure.topic === topic &&
        tenure.partition === partition &&
        tenure.continuedBy === null &&
        tenure.drains.length === 0,
    )
  }

  crashed(consumer: string): void {
    for (const tenure of this.#all) {
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

  started(consumer: string, call: number, message: Message<string>, context: HandlerContext): Execution {
    const { topic, partition, offset, value: text } = message
    const place = { topic, partition }
    const tenure = this.of(consumer, place) ?? null
    const execution: Execution = {
      ...{ topic, partition, offset, text, call, context, tenure },
      lane: this.#laneOf(message),
      besides: this.at(place, offset).flatMap(({ tenure: other }) =>
        other !== null && other !== tenure && other.state !== 'over' ? [other] : [],
      ),
      seeksBefore: this.#seeks.get(this.#readingOf(consumer, place))?.length ?? 0,
      end: 'running',
    }
    const what = `${consumer} starts ${topic}-${partition}@${offset}`
    if (tenure !== null && tenure.state !== 'over') this.#checkStart(tenure, execution, what)
    else if (!this.#readsDelayed(consumer, place)) this.report('handlers start only while the partition is ours', what)
    tenure?.running.add(execution)
    this.#listAt(place, offset).push(execution)
    this.handled += 1
    return execution
  }

  /** What comes back from a delay topic may come before it is known where the partition itself starts. */
  #readsDelayed(consumer: string, { topic, partition }: TopicPartition): boolean {
    if (this.plan.delays === null) return false
    return this.all().some(
      (each) =>
        each.consumer === consumer &&
        each.partition === partition &&
        each.state !== 'over' &&
        each.topic.startsWith(`${topic}.retry.`),
    )
  }

  /** What a consumer is handling, of whatever partitions. */
  runningAt(consumer: string): readonly Execution[] {
    return this.#all.filter((tenure) => tenure.consumer === consumer).flatMap(({ running }) => [...running])
  }

  #laneOf({ key, offset }: Message): string {
    // Without an order a record may be there twice at a time, from its topic and from a delay topic.
    if (this.plan.delays !== null)
      return this.plan.delays.order === 'key'
        ? `key ${key?.toString('latin1') ?? `none ${offset}`}`
        : `call ${this.#calls}`
    if (this.plan.order === 'partition' && this.plan.reorder === null) return ''
    return this.plan.order === 'key' ? `key ${key?.toString() ?? ''}` : `offset ${offset}`
  }

  ended(execution: Execution, end: 'done' | 'discarded' | 'failed'): void {
    const { tenure, context } = execution
    const isLate = context.signal.aborted
    if (tenure?.state === 'over' && !tenure.crashed) {
      this.coverage.met('handler ended after its partition was gone')
      if (!isLate) this.report('handlers of a partition that is gone see their signal abort', placeOf(execution))
    } else if (isLate) this.coverage.met('handler ended after its signal aborted, partition still ours')
    execution.end = isLate ? 'late' : end
    tenure?.running.delete(execution)
  }

  #checkStart(tenure: Tenure, execution: Execution, what: string): void {
    const { topic, partition, offset, lane, call, context } = execution
    const last = tenure.lastStarted.get(lane)?.offset ?? -1
    // Records of a batch that failed come again, one by one.
    const isAgain = this.at({ topic, partition }, offset).some(
      (before) => before.tenure === tenure && (before.end === 'failed' || isTimedOut(before)),
    )
    // What comes back from a delay topic was committed, and its key's order is looked at by what its log has.
    const mayBeBack = this.plan.delays !== null
    if (offset < tenure.position && !mayBeBack) this.report('nothing below the position is handled', what)
    if (offset <= last && !isAgain && !mayBeBack)
      this.report('order per key within an assignment epoch', `${what} after ${last}`)
    if (context.signal.aborted) this.report('no handler starts with an aborted signal', what)
    if (tenure.paused && !isAgain) this.report('no handler starts while its partition is paused', what)
    tenure.lastStarted.set(lane, execution)
    for (const other of tenure.running) {
      if (other.lane !== lane || other.call === call || isTimedOut(other)) continue
      this.report(
        "a key's next record starts when its former is done",
        `${what} while ${other.offset} is being handled`,
      )
    }
  }

  // ── What is known ─────────────────────────────────────────────────────────────────────────────────────────────────

  of(consumer: string, { topic, partition }: TopicPartition): Tenure | undefined {
    return this.#present.get(`${consumer}/${partitionKey(topic, partition)}`)
  }

  all(): readonly Tenure[] {
    return this.#all
  }

  at({ topic, partition }: TopicPartition, offset: number): readonly Execution[] {
    return this.#executions.get(partitionKey(topic, partition))?.get(offset) ?? []
  }

  /** What was handled in a partition, by offset. */
  *textsAt({ topic, partition }: TopicPartition): Generator<readonly [offset: number, text: string]> {
    for (const [offset, executions] of this.#executions.get(partitionKey(topic, partition)) ?? [])
      for (const { text } of executions) yield [offset, text]
  }

  /** Each place where something was handled, with its executions in order. */
  *places(): Generator<readonly [partition: string, offset: number, executions: readonly Execution[]]> {
    for (const [partition, offsets] of this.#executions)
      for (const [offset, executions] of offsets) yield [partition, offset, executions]
  }

  /** Did a seek of the partition between the starts of two executions lead back to them? */
  isSoughtBetween(before: Execution, after: Execution): boolean {
    const seeks = this.#seeks.get(this.#readingOf(after.tenure?.consumer ?? '', before)) ?? []
    return seeks.slice(before.seeksBefore, after.seeksBefore).some((target) => target <= before.offset)
  }

  #listAt({ topic, partition }: TopicPartition, offset: number): Execution[] {
    const key = partitionKey(topic, partition)
    let places = this.#executions.get(key)
    if (places === undefined) this.#executions.set(key, (places = new Map<number, Execution[]>()))
    let executions = places.get(offset)
    if (executions === undefined) places.set(offset, (executions = []))
    return executions
  }
}

/** The consumer has given it up as failed; it may still run. */
export function isTimedOut({ context: { signal } }: Execution): boolean {
  const reason = signal.aborted ? (signal.reason as { readonly code?: string } | undefined) : undefined
  return reason?.code === 'handler-timeout'
}

export function placeOf({ topic, partition, offset }: Execution): string {
  return `${topic}-${partition}@${offset}`
}
