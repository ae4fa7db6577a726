import { brokerCodeName } from '../../src/connection/broker-error.js'
import type { AnswerTo, Request } from '../../src/connection/requests/apis.js'
import type { ConsumerGroupHeartbeatAnswer } from '../../src/connection/requests/consumer-groups.js'
import type { JoinGroupRequest } from '../../src/connection/requests/groups.js'
import type { OffsetCommitRequest } from '../../src/connection/requests/offsets.js'
import type { DrainReport } from '../../src/telemetry/drain-report.js'
import type { AssignedPartition, PositionReset } from '../../src/driver/consumer.js'
import type { MemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import { partitionKey, type TopicPartition } from '../../src/message/topic-partition.js'
import type { OffsetRange } from '../../src/offsets/offset-range.js'
import { CommitOwners } from './commit-owners.js'
import type { Coverage } from './coverage.js'
import { DelayTopics } from './delays.js'
import type { Cut, FormerLogs } from './former-logs.js'
import type { Report } from './invariant.js'
import type { Plan } from './plan.js'
import { idOf } from './sent-ledger.js'
import { partitionsOf, readable } from './stored-log.js'
import { isTimedOut, placeOf, Tenures, type Execution, type Given, type Tenure } from './tenures.js'

/** Everything one group did, watched from outside: the handler, the driver's calls, and the requests to the cluster. */
export class GroupLedger {
  readonly tenures: Tenures
  readonly delays: DelayTopics
  /** What the group gave each member last. */
  readonly #lastGiven = new Map<string, Given>()
  /** What the group gave a member, by consumer and generation. */
  readonly #given = new Map<string, ReadonlySet<string>>()
  /** What it held already when the generation began, the same way. */
  readonly #kept = new Map<string, ReadonlySet<string>>()
  /** Everything readable below is settled, by partition. */
  readonly #settledUpTo = new Map<string, number>()
  /** What readers were told to leave out: by a seek, or by a jump out of a range that the log no longer has. */
  readonly #waived = new Map<string, Waiver[]>()
  /** Who asked to commit a partition in a generation, with its instance id if it has one. */
  readonly #committers = new Map<string, { readonly consumer: string; readonly instanceId: string | null }>()
  readonly #formations = new Map<number, { readonly again: number; readonly members: Set<string> }>()
  /** How often its generation had been formed before, by member and generation. */
  readonly #formedIn = new Map<string, number>()
  readonly #owners: CommitOwners
  #turns = 0
  repeated = 0
  /** Repeats that a late commit explains: Kafka takes it as long as its generation lasts. Reported like all the others. */
  takenBack = 0
  commits = 0

  constructor(
    readonly group: string,
    private readonly cluster: MemoryCluster,
    private readonly plan: Plan,
    private readonly former: FormerLogs,
    private readonly coverage: Coverage,
    private readonly isDeadLettered: (group: string, place: TopicPartition, offset: number, text: string) => boolean,
    private readonly report: Report,
  ) {
    this.tenures = new Tenures(plan, former, coverage, report, 'share')
    this.#owners = new CommitOwners(() => this.tenures.all(), coverage, report)
    this.delays = new DelayTopics(group, plan, cluster, coverage, report)
  }

  // ── What passes the connection ────────────────────────────────────────────────────────────────────────────────────

  answered(consumer: string, request: Request, answer: AnswerTo<Request>): void {
    if (request.api === 'offsetCommit') {
      this.#noteRefused(answer as AnswerTo<typeof request>)
      this.#owners.answered(request, answer as AnswerTo<typeof request>)
    }
    if (request.api === 'consumerGroupHeartbeat') this.#noteTold(consumer, answer as AnswerTo<typeof request>)
    if (request.api === 'joinGroup') this.#noteJoined(consumer, answer as AnswerTo<typeof request>)
    if (request.api !== 'syncGroup') return
    const { errorCode, assignment } = answer as AnswerTo<typeof request>
    if (errorCode !== 0) return
    this.#turns += 1
    this.#lastGiven.set(consumer, { generation: request.generationId, turn: this.#turns })
    const given = new Set(assignment.partitions.map(({ topic, partition }) => partitionKey(topic, partition)))
    this.#given.set(`${consumer}/${request.generationId}`, given)
    const held = this.tenures.all().filter((tenure) => tenure.consumer === consumer && tenure.state !== 'over')
    const kept = held.map(({ topic, partition }) => partitionKey(topic, partition))
    this.#kept.set(`${consumer}/${request.generationId}`, new Set(kept))
  }

  commitAsked(consumer: string, request: OffsetCommitRequest): void {
    const { generationId, partitions } = request
    const tenures = new Map<string, Tenure>()
    for (const { topic, partition, offset, leaderEpoch } of partitions) {
      this.commits += 1
      const key = partitionKey(topic, partition)
      const what = `${consumer} commits ${key}@${offset} in generation ${generationId}`
      const tenure = this.#tenureIn(consumer, generationId, { topic, partition })
      if (this.plan.groupProtocol === 'classic') this.#checkGiven(consumer, request, { topic, partition }, tenure, what)
      else if (tenure !== undefined) tenures.set(key, tenure)
      this.#checkCommittedInTenure(tenure, offset, what)
      if (this.#countsInFormerLog(tenure, { topic, partition }, offset, leaderEpoch)) {
        this.coverage.met('commit of a log that was cut or made anew')
      } else this.#checkSettled({ topic, partition }, offset, what)
    }
    if (tenures.size > 0) this.#owners.asked(request, tenures)
  }

  #checkGiven(
    consumer: string,
    { generationId, groupInstanceId }: OffsetCommitRequest,
    { topic, partition }: TopicPartition,
    tenure: Tenure | undefined,
    what: string,
  ): void {
    const key = partitionKey(topic, partition)
    const givenAs = partitionKey(this.delays.sourceOf(topic), partition)
    // Under the cooperative protocol what was given before stays until it is given up.
    const isKept =
      this.#kept.get(`${consumer}/${generationId}`)?.has(key) === true ||
      (tenure !== undefined && tenure.state !== 'over' && this.#gaveBefore(consumer, givenAs, generationId))
    if (isKept) this.coverage.met('commit of what was kept through a rebalance')
    const isGiven = this.#given.get(`${consumer}/${generationId}`)?.has(givenAs) === true
    if (!isGiven && !isKept) this.report('commits only what the generation gave', what)
    const formed = this.#formedIn.get(`${consumer}/${generationId}`) ?? 0
    const formation = `${generationId} formed again ${formed} times/${key}`
    this.#checkAlone(formation, { topic, partition }, consumer, groupInstanceId, what)
  }

  /** What a coordinator gives one member. */
  #noteTold(consumer: string, { errorCode, memberEpoch, assignment }: ConsumerGroupHeartbeatAnswer): void {
    if (errorCode !== 0) this.coverage.met(`divided by the coordinator: ${brokerCodeName(errorCode)}`)
    if (errorCode !== 0 || memberEpoch <= 0 || assignment === null) return
    this.coverage.met('divided by the coordinator: told an assignment')
    this.#turns += 1
    this.#lastGiven.set(consumer, { generation: memberEpoch, turn: this.#turns })
  }

  /**
   * A coordinator that moves keeps only generations whose division it was told, so the one that was being formed is formed
   * again under its number, by members who hold nothing of it: they were told that the former one is over.
   */
  #noteJoined(consumer: string, { errorCode, generationId }: AnswerTo<JoinGroupRequest>): void {
    if (errorCode !== 0) return
    const known = this.#formations.get(generationId) ?? { again: 0, members: new Set<string>() }
    const formation = known.members.has(consumer) ? { again: known.again + 1, members: new Set<string>() } : known
    formation.members.add(consumer)
    this.#formations.set(generationId, formation)
    this.#formedIn.set(`${consumer}/${generationId}`, formation.again)
  }

  /** Its beginning may be told late: where it starts has to be looked up, and meanwhile the group goes on. */
  #gaveBefore(consumer: string, key: string, generationId: number): boolean {
    for (let earlier = generationId - 1; earlier > 0; earlier -= 1)
      if (this.#given.get(`${consumer}/${earlier}`)?.has(key) === true) return true
    return false
  }

  /** Whoever replaces a member of its instance id has the same partitions in the same generation; one that gave it up has none. */
  #checkAlone(
    formation: string,
    place: TopicPartition,
    consumer: string,
    instanceId: string | null,
    what: string,
  ): void {
    const former = this.#committers.get(formation)
    const isReplaced = former === undefined || (instanceId !== null && former.instanceId === instanceId)
    if (!isReplaced && former.consumer !== consumer && this.#holds(former.consumer, place))
      this.report('in one generation a partition has one owner that commits it', `${what} after ${former.consumer}`)
    if (former === undefined || !this.#holds(former.consumer, place))
      this.#committers.set(formation, { consumer, instanceId })
  }

  #holds(consumer: string, { topic, partition }: TopicPartition): boolean {
    return this.tenures
      .all()
      .some(
        (each) =>
          each.consumer === consumer && each.topic === topic && each.partition === partition && each.state !== 'over',
      )
  }

  /**
   * Its reader has not noticed yet: the log was cut under it, or it took over what the group had of the former one and names
   * the leader of that. Whether the next one is misled shows in the end.
   */
  #countsInFormerLog(tenure: Tenure | undefined, place: TopicPartition, offset: number, leaderEpoch: number): boolean {
    const cutsBefore = tenure?.cutsBefore ?? 0
    const isOfFormer = (cut: Cut) => cut.leaderEpoch !== null && leaderEpoch >= 0 && leaderEpoch < cut.leaderEpoch
    return this.former.cutsOf(place).some((cut, index) => cut.from < offset && (index >= cutsBefore || isOfFormer(cut)))
  }

  #noteRefused(answer: AnswerTo<OffsetCommitRequest>): void {
    for (const { errorCode } of answer.partitions) {
      if (errorCode !== 0) this.coverage.met(`commit refused: ${brokerCodeName(errorCode)}`)
    }
  }

  commitFailed(consumer: string, { generationId, partitions }: OffsetCommitRequest): void {
    this.coverage.met('commit without an answer')
    for (const place of partitions) {
      const tenure = this.#tenureIn(consumer, generationId, place)
      if (tenure !== undefined) tenure.doubtfulCommit = Math.min(tenure.doubtfulCommit, place.offset)
    }
  }

  #tenureIn(consumer: string, generation: number, { topic, partition }: TopicPartition): Tenure | undefined {
    return this.tenures.all().findLast(
      (each) =>
        each.consumer === consumer &&
        // Where the coordinator divides, a member that comes again may start from a lower epoch.
        (this.plan.groupProtocol === 'consumer' || each.generation <= generation) &&
        each.topic === topic &&
        each.partition === partition,
    )
  }

  #checkCommittedInTenure(tenure: Tenure | undefined, offset: number, what: string): void {
    if (tenure === undefined) {
      this.report('commits only what was assigned', what)
      return
    }
    const { continues, lastCommit } = tenure
    if (continues !== null && lastCommit === -1 && offset > tenure.handedUpTo) {
      // Chosen before the seek.
      this.#checkCommittedInTenure(continues, offset, what)
      return
    }
    if (offset > tenure.handedUpTo) {
      this.report('commits only what was read in the same generation', `${what}; read up to ${tenure.handedUpTo}`)
    }
    if (offset < tenure.lastCommit) {
      this.report('a commit never goes back within a generation', `${what} after ${tenure.lastCommit}`)
    }
    for (const running of tenure.running) {
      const { offset: at, text } = running
      if (at < offset && !isTimedOut(running) && !this.delays.isPutOff(tenure, at, text))
        this.report('committed never past unsettled work', `${what} while ${at} is being handled`)
    }
    tenure.lastCommit = offset
  }

  /** Every readable record below was handled to its end by someone of the group, or is a dead letter. */
  #checkSettled(place: TopicPartition, offset: number, what: string): void {
    const key = partitionKey(place.topic, place.partition)
    const from = this.#settledUpTo.get(key) ?? 0
    // What stands on a delay topic is looked at in the end.
    if (offset <= from || this.delays.isDelayTopic(place.topic)) return
    for (const record of readable(this.cluster, place.topic, place.partition, this.plan.isolation, from, offset)) {
      const isThere = this.delays.isOn && this.delays.isPutOff(place, record.offset, textOf(record))
      if (!this.#isSettled(place, record.offset, textOf(record)) && !isThere) {
        this.report('committed never past unsettled work', `${what}, but ${record.offset} is not settled`)
        return
      }
    }
    this.#settledUpTo.set(key, offset)
  }

  #isSettled(place: TopicPartition, offset: number, text: string): boolean {
    const executions = this.tenures.at(place, offset).filter((execution) => execution.text === text)
    if (executions.some(({ end }) => end === 'done' || end === 'discarded')) return true
    if (this.#isWaived(place, offset)) return true
    return executions.length > 0 && this.isDeadLettered(this.group, place, offset, text)
  }

  // ── What passes the driver ────────────────────────────────────────────────────────────────────────────────────────

  assigned(consumer: string, partitions: readonly AssignedPartition[]): void {
    this.tenures.assigned(consumer, this.#lastGiven.get(consumer) ?? notGiven, partitions)
  }

  /** A reader goes on elsewhere by its user's wish: nobody has to handle what lies before. */
  sought(consumer: string, place: TopicPartition, offset: number): void {
    this.tenures.sought(consumer, place, offset)
    this.#waive(place, { from: 0, to: offset, why: 'sought' })
  }

  /** A reader said that it goes on elsewhere because the log no longer has its position. */
  jumped(_consumer: string, place: TopicPartition, range: OffsetRange): void {
    this.#waive(place, { ...range, why: 'told' })
  }

  /** The driver tells where reading goes on; what its user is told of it comes as a warning. */
  wasReset(consumer: string, place: TopicPartition, { to, reason }: PositionReset): void {
    this.coverage.met(`reset: ${reason}`)
    this.tenures.leads(consumer, place, to)
  }

  /** What was known of the records that are gone says nothing of those that come. */
  logLost(cut: Cut): void {
    const key = partitionKey(cut.topic, cut.partition)
    this.#settledUpTo.set(key, Math.min(this.#settledUpTo.get(key) ?? 0, cut.from))
    const waived = this.#waived.get(key) ?? []
    const still = (waiver: Waiver) =>
      waiver.why === 'sought' ? waiver : { ...waiver, to: Math.min(waiver.to, cut.from) }
    this.#waived.set(key, waived.map(still))
  }

  #waive({ topic, partition }: TopicPartition, range: Waiver): void {
    const key = partitionKey(topic, partition)
    const ranges = this.#waived.get(key)
    if (ranges === undefined) this.#waived.set(key, [range])
    else ranges.push(range)
  }

  #isWaived({ topic, partition }: TopicPartition, offset: number): boolean {
    const ranges = this.#waived.get(partitionKey(topic, partition)) ?? []
    return ranges.some(({ from, to }) => from <= offset && offset < to)
  }

  // ── In the end ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Partitions whose records the group has not all committed, with what is missing. */
  unfinished(): readonly string[] {
    const committed = new Map(
      this.cluster.committed(this.group).map((at) => [partitionKey(at.topic, at.partition), at.offset]),
    )
    const missing: string[] = []
    for (const { topic, partition } of partitionsOf(this.cluster)) {
      if (!this.#isRead(topic)) continue
      const key = partitionKey(topic, partition)
      const from = committed.get(key) ?? 0
      const wasCut = this.former.cutsOf({ topic, partition }).length > 0
      // What is committed may be of the former log.
      const isTakenBack = this.#isTakenBackTo({ topic, partition }, from)
      const left = readable(this.cluster, topic, partition, this.plan.isolation, wasCut ? 0 : from).filter(
        (record) =>
          (!wasCut && !isTakenBack) ||
          (wasCut && record.offset >= from) ||
          !this.#isSettled({ topic, partition }, record.offset, textOf(record)),
      )
      if (left.length > 0) missing.push(`${this.group} has ${left.length} record(s) of ${key} from ${from} left`)
    }
    return missing
  }

  /** By a commit of a former owner that got no answer: a generation that is formed again takes what was meant for the one before. */
  #isTakenBackTo({ topic, partition }: TopicPartition, offset: number): boolean {
    return this.tenures
      .all()
      .some(
        (each) =>
          each.topic === topic &&
          each.partition === partition &&
          each.state === 'over' &&
          each.doubtfulCommit <= offset,
      )
  }

  #isRead(topic: string): boolean {
    return this.plan.topics.some(({ name }) => name === topic) || this.delays.isDelayTopic(topic)
  }

  /** A handler begins. */
  begins({ topic, partition }: TopicPartition, offset: number, key: Buffer | null): void {
    if (this.delays.isOn) this.delays.begins({ topic, partition }, offset, key, (...of) => this.#isSettled(...of))
  }

  checkEnd(): void {
    this.delays.countEnd()
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
      if (this.#isSettled(place, offset, value?.toString() ?? '')) continue
      this.report(
        'every record is handled at least once',
        `${this.group} has not handled ${topic}-${partition}@${offset}`,
      )
    }
    const all = readable(this.cluster, topic, partition, 'read-uncommitted')
    const stored = new Set(all.map(({ offset }) => offset))
    if (stored.size > inLog.size) this.coverage.met('aborted record skipped', stored.size - inLog.size)
    for (const [offset, text] of this.tenures.textsAt(place)) {
      const inside = inLog.get(offset)
      const detail = `${this.group} handled ${topic}-${partition}@${offset} "${text}"`
      if (inside !== text && this.former.held(place, offset, text)) continue
      // Of a foreign transaction on a delay topic.
      if (inside !== text && this.delays.isOn && idOf(Buffer.from(text)) === null) continue
      if (inside === undefined && stored.has(offset)) this.report('aborted records are not handed over', detail)
      else if (inside !== undefined && inside !== text) {
        this.report('what is handled is what is in the log', `${detail}, the log has "${inside}"`)
      }
    }
  }

  /** A record that was handled again was reported as a possible duplicate by who had it before, unless that one crashed. */
  #checkRepeats(): void {
    for (const [, , executions] of this.tenures.places()) {
      for (let index = 1; index < executions.length; index += 1)
        this.#checkRepeat(executions[index - 1]!, executions[index]!)
    }
  }

  /** Its producer did not learn that it was stored before its topic was made anew, and stored it in the new one too. */
  #isStoredAgain({ topic, partition, offset, text }: Execution, before: Tenure, after: Tenure): boolean {
    const cuts = this.former.cutsOf({ topic, partition }).slice(before.cutsBefore, after.cutsBefore)
    return cuts.some(({ from }) => from <= offset) && this.former.held({ topic, partition }, offset, text)
  }

  #checkRepeat(former: Execution, latter: Execution): void {
    const { tenure: before, offset, topic, partition } = former
    const { tenure: after, besides } = latter
    if (before === after && (former.end === 'failed' || isTimedOut(former))) return
    // Another record, after the log was cut or made anew.
    if (former.text !== latter.text) return
    if (this.delays.isOn && this.delays.isPutOff(former, offset, former.text)) return
    this.repeated += 1
    if (before === null || after === null || before.crashed) return
    if (this.tenures.isSoughtBetween(former, latter)) {
      this.coverage.met('repeat after a seek')
      return
    }
    const isReported = (tenure: Tenure) =>
      reportsOf(tenure).some(({ possibleDuplicates, doneBeyond }) =>
        // An owner that could not learn which log it reads does not trust what was done beyond the commit.
        [...possibleDuplicates, ...doneBeyond].some(
          (range) =>
            range.topic === topic && range.partition === partition && range.from <= offset && offset < range.to,
        ),
      )
    if (this.#isStoredAgain(former, before, after)) return
    if (before.doubtfulCommit <= offset) this.takenBack += 1
    // Of two that held the partition at the same time, the one that had lost it says so.
    const isLate = isBefore(after, before) || besides.includes(before)
    if (isReported(before) || (isLate && (isReported(after) || after.crashed))) return
    const reports = JSON.stringify(
      reportsOf(before).map(({ reason, possibleDuplicates }) => ({ reason, possibleDuplicates })),
    )
    const detail = `${placeOf(former)} was handled by ${before.consumer} (epoch ${before.epoch}) and again by ${after.consumer} (epoch ${after.epoch}); reported: ${reports}`
    this.report('repeats lie in reported ranges', detail)
  }
}

const notGiven: Given = { generation: -1, turn: -1 }

/** In one generation the partition changes hands only when another process comes for the same instance id. */
function isBefore(one: Given, other: Given): boolean {
  return one.generation === other.generation ? one.turn < other.turn : one.generation < other.generation
}

/** Nobody has to handle these: a seek passed them, or their passing was told. */
interface Waiver extends OffsetRange {
  readonly why: 'sought' | 'told'
}

function textOf({ value }: { readonly value: Buffer | null }): string {
  return value?.toString() ?? ''
}

function reportsOf(tenure: Tenure): readonly DrainReport[] {
  return tenure.continuedBy === null ? tenure.drains : [...tenure.drains, ...reportsOf(tenure.continuedBy)]
}
