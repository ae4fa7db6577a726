import type { AssignedPartition, ConsumerListener, ConsumerSettings } from '../../driver/consumer.js'
import { DriverError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { pause } from '../../runtime/pause.js'
import { tell } from '../../telemetry/tell.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { ClientContext } from '../cluster/client-context.js'
import { Denials } from '../cluster/denials.js'
import type { Fetcher } from '../fetch/fetcher.js'
import type { Cut, Loss } from '../fetch/place-check.js'
import { earliest, latest, lookUpOffsets, type OffsetFinding } from '../offsets/look-up.js'
import { madeAnew, tellMadeAnew } from '../offsets/made-anew.js'
import type { HandOver } from './hand-over.js'

type OutOfRangeContext = ClientContext<
  Pick<ConsumerSettings, 'onOutOfRange' | 'requestTimeoutMs' | 'sessionTimeoutMs' | 'logger' | 'metrics'>
>

interface OutOfRangeParts {
  readonly listener: ConsumerListener
  readonly fetcher: Fetcher
  readonly handOver: HandOver
}

type Found = Extract<OffsetFinding, { readonly kind: 'found' }>

/** Decides where a partition goes on whose position is not in its log any more, by the user's policy and never silently. */
export class OutOfRangePolicy {
  readonly #context: OutOfRangeContext
  readonly #parts: OutOfRangeParts

  constructor(context: OutOfRangeContext, parts: OutOfRangeParts) {
    this.#context = context
    this.#parts = parts
  }

  /** Asks for the log's bounds until they are known, the reader seeks elsewhere, or the partition's tenure is over. */
  async decide(partition: AssignedPartition, position: number, loss: Loss): Promise<void> {
    const { clock, random } = this.#context.runtime
    const { fetcher } = this.#parts
    const over = this.#parts.handOver.tenureOf(partition)
    const denials = new Denials(this.#context)
    const what = `looking up the bounds of ${partition.topic}-${partition.partition}`
    let isTold = false
    for (let attempt = 1; !over.aborted; attempt += 1) {
      await pause(clock, brokerBackoff(attempt, random), over)
      await this.#lookAgain(partition)
      if (isTold && !fetcher.logs.isInAnotherLog(partition, 0) && fetcher.isOutOfRange(partition, position)) {
        // It was a broker that lagged.
        fetcher.seek(partition, position, 'read')
        return
      }
      const [start, end] = await this.#bounds(partition, over)
      if (over.aborted || !fetcher.isOutOfRange(partition, position)) return
      const refusal = [start, end].find((finding) => finding?.kind === 'refused')
      if (refusal?.kind === 'refused') {
        if (!denials.isFinal(what, refusal.error)) continue
        this.#parts.fetcher.fail(partition, refusal.error)
        return
      }
      if (start?.kind !== 'found' || end?.kind !== 'found') continue
      if (loss.kind === 'another-log' || fetcher.logs.isInAnotherLog(partition, 0)) {
        if (this.#restsForGroup(partition)) {
          if (!isTold) tellMadeAnew(this.#context.settings, partition, position)
          isTold = true
          continue
        }
        this.#beginNewLog(partition, position, start)
      } else this.#apply(partition, position, start, end, loss)
      return
    }
  }

  /** To a group that gives by id it is another partition. */
  #restsForGroup(partition: AssignedPartition): boolean {
    return this.#context.settings.onOutOfRange !== 'stop' && !this.#parts.handOver.isMeant(partition)
  }

  /** The topic may be another one of the same name. */
  async #lookAgain({ topic }: AssignedPartition): Promise<void> {
    const { cluster, runtime, settings } = this.#context
    const deadline = runtime.clock.now() + settings.requestTimeoutMs
    await cluster.refresh([topic], deadline).catch(() => undefined) // what is known must do then
  }

  #beginNewLog(partition: AssignedPartition, position: number, start: Found): void {
    if (this.#context.settings.onOutOfRange === 'stop') {
      this.#parts.fetcher.fail(partition, madeAnew(partition, position))
      return
    }
    const reset = { from: position, to: start.offset, keptTo: null, reason: 'topic-made-anew' } as const
    this.#parts.handOver.reset(partition, reset, start.leaderEpoch)
    tellMadeAnew(this.#context.settings, partition, position)
  }

  async #bounds(partition: AssignedPartition, over: AbortSignal): Promise<readonly OffsetFinding[]> {
    const { settings } = this.#context
    const context = { ...this.#context, settings: { ...settings, isolation: 'read-uncommitted' as const } }
    const { topic, partition: number } = partition
    // One at a time: findings are told apart by partition.
    const ask = (timestamp: number) => lookUpOffsets(context, [{ topic, partition: number, timestamp }], Infinity, over)
    const [start, end] = await Promise.all([ask(earliest), ask(latest)])
    return [...start, ...end]
  }

  #apply(partition: AssignedPartition, position: number, first: Found, last: Found, loss: Loss): void {
    const { topic, partition: number } = partition
    const start = first.offset
    const end = last.offset
    const cut = loss.kind === 'cut' ? loss : null
    const cutFrom = cut === null ? null : (cut.from ?? start)
    if (cutFrom === null && position >= start && position <= end) {
      // A leader that was behind has caught up, or another one answers now.
      this.#parts.fetcher.seek(partition, position)
      return
    }
    const { onOutOfRange } = this.#context.settings
    if (onOutOfRange === 'stop') {
      const error =
        cut === null
          ? outOfRangeError(partition, position, start, end)
          : cutError(partition, position, cutFrom ?? start, cut.to)
      this.#parts.fetcher.fail(partition, error)
      return
    }
    // Of a log that was cut all that stands there now is new, from the cut on.
    const target = onOutOfRange === 'latest' ? end : Math.max(start, cutFrom ?? start)
    const lostTo = cut?.to ?? position
    this.#goOn(partition, lostTo, target, first, last, cut)
    tell(this.#context.settings, {
      kind: 'position-jumped',
      topic,
      partition: number,
      position: lostTo,
      logStart: start,
      logEnd: end,
      to: target,
      cutFrom,
      policy: onOutOfRange,
    })
  }

  #goOn(
    partition: AssignedPartition,
    position: number,
    target: number,
    first: Found,
    last: Found,
    cut: Cut | null,
  ): void {
    const end = last.offset
    if (target < position || cut !== null) {
      // The log was cut: offsets will come a second time, so nothing known about the old ones may count.
      const { leaderEpoch } = target === end ? last : first
      const reason = cut === null ? 'out-of-range' : 'log-cut'
      const keptTo = cut?.from ?? null
      const reset = { from: position, to: target, keptTo, reason } as const
      this.#parts.handOver.reset(partition, reset, target === keptTo ? -1 : leaderEpoch)
      return
    }
    this.#parts.fetcher.seek(partition, target, 'start')
    this.#parts.listener.records({
      topic: partition.topic,
      partition: partition.partition,
      epoch: partition.epoch,
      batches: [],
      nextOffset: target,
      highWatermark: end,
      lastStableOffset: end,
      sizeBytes: 0,
    })
  }
}

function outOfRangeError(
  { topic, partition }: AssignedPartition,
  position: number,
  start: number,
  end: number,
): DriverError {
  const lost =
    position < start
      ? `records ${position} to ${start - 1} were deleted before they were read (retention is shorter than the lag)`
      : `the log ends before it (records ${end} to ${position - 1} are gone: unclean leader election, or the topic was made anew; ` +
        'or there never were any: see what onAssigned, seek or a tool that commits said)'
  return new DriverError(
    'offset-out-of-range',
    `the position ${position} of ${topic}-${partition} lies outside its log, which starts at ${start} and ends at ${end}: ` +
      `${lost}; seek to where reading should go on, or set onOutOfRange to 'earliest' or 'latest'`,
    { topic, partition, offset: position },
  )
}

/**
 * @param position next offset to read
 * @param lostTo everything below was read, or completed by a former owner
 */
function cutError(at: TopicPartition, position: number, cutFrom: number, lostTo: number): DriverError {
  const { topic, partition } = at
  return new DriverError(
    'offset-out-of-range',
    `the log of ${topic}-${partition} was cut at offset ${cutFrom} after records up to ${lostTo - 1} had been read (unclean ` +
      `leader election): records ${cutFrom} to ${lostTo - 1} are gone or are others now; seek to where reading should go on ` +
      `(${Math.min(position, cutFrom)} for all that is new), or set onOutOfRange to 'earliest' or 'latest'`,
    { topic, partition, offset: lostTo },
  )
}
