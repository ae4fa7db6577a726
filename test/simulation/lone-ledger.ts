import type { AssignedPartition, PositionReset } from '../../src/driver/consumer.js'
import type { MemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import { partitionKey, type TopicPartition } from '../../src/message/topic-partition.js'
import type { OffsetRange } from '../../src/offsets/offset-range.js'
import type { Coverage } from './coverage.js'
import type { FormerLogs } from './former-logs.js'
import type { Report } from './invariant.js'
import type { Plan } from './plan.js'
import { partitionsOf, readable } from './stored-log.js'
import { isTimedOut, placeOf, Tenures, type Execution } from './tenures.js'

/** Everything that readers without a group did: each of them reads all there is, and commits nothing. */
export class LoneLedger {
  readonly group = null
  readonly tenures: Tenures
  /** What each reader was told to leave out. */
  readonly #waived = new Map<string, OffsetRange[]>()
  repeated = 0
  readonly commits = 0
  readonly takenBack = 0

  constructor(
    private readonly cluster: MemoryCluster,
    private readonly plan: Plan,
    private readonly former: FormerLogs,
    private readonly coverage: Coverage,
    private readonly isDeadLettered: (group: null, place: TopicPartition, offset: number, text: string) => boolean,
    /** Readers that must have read everything in the end. */
    private readonly readers: () => readonly string[],
    private readonly report: Report,
  ) {
    this.tenures = new Tenures(plan, former, coverage, report, 'alone')
  }

  commitAsked(consumer: string): void {
    this.report('a reader without a group commits nothing', consumer)
  }

  assigned(consumer: string, partitions: readonly AssignedPartition[]): void {
    this.coverage.met('partition of a reader without a group', partitions.length)
    this.tenures.assigned(consumer, { generation: -1, turn: -1 }, partitions)
  }

  sought(consumer: string, place: TopicPartition, offset: number): void {
    this.tenures.sought(consumer, place, offset)
    this.jumped(consumer, place, { from: 0, to: offset })
  }

  jumped(consumer: string, { topic, partition }: TopicPartition, range: OffsetRange): void {
    const key = `${consumer}/${partitionKey(topic, partition)}`
    this.#waived.set(key, [...(this.#waived.get(key) ?? []), range])
  }

  wasReset(consumer: string, place: TopicPartition, { to, reason }: PositionReset): void {
    this.coverage.met(`reset: ${reason}`)
    this.tenures.leads(consumer, place, to)
  }

  /** Waivers of former records do no harm: each reader was told where it went on. */
  logLost(): void {
    this.coverage.met('log lost under a reader without a group')
  }

  unfinished(): readonly string[] {
    return this.readers().flatMap((reader) =>
      this.#partitions().flatMap((place) => {
        const left = this.#unread(reader, place)
        return left === null
          ? []
          : [`${reader} has not read ${partitionKey(place.topic, place.partition)} from ${left}`]
      }),
    )
  }

  checkEnd(): void {
    for (const missing of this.unfinished()) this.report('a reader without a group reads everything', missing)
    for (const place of this.#partitions()) this.#checkTexts(place)
    for (const [, , executions] of this.tenures.places()) this.#checkRepeats(executions)
  }

  #partitions(): readonly TopicPartition[] {
    return [...partitionsOf(this.cluster)].filter(({ topic }) => this.plan.topics.some(({ name }) => name === topic))
  }

  /** The first readable offset that the reader has not handled, of those it had to. */
  #unread(reader: string, place: TopicPartition): number | null {
    const key = `${reader}/${partitionKey(place.topic, place.partition)}`
    const waived = this.#waived.get(key) ?? []
    for (const { offset, value } of readable(this.cluster, place.topic, place.partition, this.plan.isolation)) {
      const text = value?.toString() ?? ''
      if (waived.some(({ from, to }) => from <= offset && offset < to)) continue
      const own = this.tenures
        .at(place, offset)
        .filter((each) => each.tenure?.consumer === reader && each.text === text)
      if (own.some(({ end }) => end === 'done' || end === 'discarded')) continue
      if (own.length > 0 && this.isDeadLettered(null, place, offset, text)) continue
      return offset
    }
    return null
  }

  #checkTexts(place: TopicPartition): void {
    const inLog = new Map<number, string>()
    for (const { offset, value } of readable(this.cluster, place.topic, place.partition, this.plan.isolation))
      inLog.set(offset, value?.toString() ?? '')
    for (const [offset, text] of this.tenures.textsAt(place)) {
      const inside = inLog.get(offset)
      if (inside === undefined || inside === text || this.former.held(place, offset, text)) continue
      const detail = `a reader handled ${place.topic}-${place.partition}@${offset} "${text}", the log has "${inside}"`
      this.report('what is handled is what is in the log', detail)
    }
  }

  /** One reader handles a record again only when it failed, was sought, or a reset gave its handler up. */
  #checkRepeats(executions: readonly Execution[]): void {
    for (const [index, latter] of executions.entries()) {
      const former = executions.slice(0, index).findLast(({ tenure }) => tenure?.consumer === latter.tenure?.consumer)
      if (former === undefined || former.text !== latter.text) continue
      if (former.tenure === latter.tenure && (former.end === 'failed' || isTimedOut(former))) continue
      this.repeated += 1
      if (this.tenures.isSoughtBetween(former, latter)) continue
      if (wasGivenUp(former)) {
        this.coverage.met('repeat of a handler that a reset gave up')
        continue
      }
      const detail = `${placeOf(latter)} twice by ${latter.tenure?.consumer ?? 'nobody'}`
      this.report('a reader without a group repeats only what is sought', detail)
    }
  }
}

/**
 * It stands below the cut and is read again: what its handler did after its signal had aborted counts for nothing, and the
 * dead letter of one that failed may not have been stored yet. It was, where the next record of its lane had begun. A reader
 * without a group reports no repeats, so its reports say nothing of that.
 */
function wasGivenUp({ end, tenure, lane, offset, call }: Execution): boolean {
  if (tenure === null || (end !== 'late' && end !== 'failed')) return false
  const last = tenure.lastStarted.get(lane)
  const wasSettled = last !== undefined && last.offset > offset && last.call > call
  return !wasSettled && tenure.drains.some(({ reason }) => reason === 'reset')
}
