import type { Consumer } from '../consumer/consumer.js'
import { RetryLater, Unavailable } from '../consumer/handling/fate.js'
import type { HandlerContext } from '../consumer/handling/handler.js'
import { TidemarkError } from '../errors.js'
import type { Message } from '../message/message.js'
import type { Messaging } from '../messaging.js'
import { onAbort } from '../runtime/on-abort.js'
import { pause } from '../runtime/pause.js'
import { thrownText } from '../runtime/thrown.js'
import type { Producer } from '../producer/producer.js'
import { tellListener } from '../telemetry/guard.js'
import { LetterWay } from './letter-way.js'
import { letterOf, type Letter } from './letter.js'
import { OriginRecords } from './origin-records.js'
import { Pace } from './pace.js'
import { RedriveError, RedriveStop } from './redrive-error.js'
import type { ResolvedRedrive } from './redrive-options.js'
import type { Refusal, RefusalReason } from './refusal.js'
import { hasWork, type RedrivePart, type RedrivePlan } from './redrive-plan.js'
import { rawTopic, readerProfile } from './raw-reading.js'
import { RunWatch } from './run-watch.js'
import { Standstill } from './standstill.js'
import { Tally, type LetterEnd, type RedriveProgress, type RedriveSummary } from './tally.js'
import { UncommittedWork } from './uncommitted-work.js'

/** As this library writes them. */
const letterReasons: ReadonlySet<string> = new Set(['undecodable', 'invalid', 'rejected', 'exhausted', 'timeout'])

const lookEveryMs = 100
const tellEveryMs = 1_000
/** Nothing moved for so long: somebody should hear why. */
const standsAfterMs = 2_000
/** A member that was killed is waited for no longer than this by the run that takes its place. */
const sessionTimeoutMs = 10_000
/** Longer than any run looks at the letters that it leaves alone. */
const untilTheEndMs = 3_600_000

/**
 * One run. Its reader is a consumer of the redrive's group (of none in a dry run), by key; each letter is handled when it
 * is stored, or passed over for good, and only then may a commit pass it.
 *
 * | the run       | news                                        | becomes |
 * |---------------|---------------------------------------------|---------|
 * | under way     | all parts are done, and that is confirmed    | done |
 * | under way     | the caller's signal aborts                   | aborted: no letter begins, what is on its way ends |
 * | under way     | a letter stops it, the reader fails, or nothing moves for `stallMs` | failed, in the same way |
 * | any           | the process is killed                        | the next run goes on from what is committed |
 *
 * A letter that is not to be sent now (the run ends, or it came after the beginning) is left unhandled, so no commit passes it.
 */
export class RedriveRun {
  readonly #messaging: Messaging
  readonly #redrive: ResolvedRedrive
  readonly #parts: ReadonlyMap<number, RedrivePart>
  readonly #plan: RedrivePlan
  readonly #consumer: Consumer<readonly [ReturnType<typeof rawTopic>]>
  readonly #producer: Producer | null
  readonly #way: LetterWay
  readonly #watch: RunWatch
  readonly #standstill: Standstill
  readonly #uncommitted = new UncommittedWork()
  readonly #tally = new Tally()
  /** Aborts when no letter may begin any more. */
  readonly #ending = new AbortController()
  readonly #startedAt: number
  readonly #toldRefusals = new Set<RefusalReason>()
  /** Partitions in which letters came after the beginning. */
  readonly #cameLater = new Set<number>()
  #failure: TidemarkError | null = null

  constructor(messaging: Messaging, redrive: ResolvedRedrive, plan: RedrivePlan) {
    const { clock } = messaging
    this.#messaging = messaging
    this.#redrive = redrive
    this.#plan = plan
    this.#parts = new Map(plan.parts.map((part) => [part.partition, part]))
    this.#startedAt = clock.now()
    this.#consumer = this.#reader()
    this.#producer = redrive.dryRun ? null : messaging.letterProducer()
    this.#standstill = new Standstill(plan.leaderless, { admin: messaging.admin, clock, targets: targetsOf(redrive) })
    this.#way = new LetterWay(redrive, {
      producer: this.#producer,
      origins: new OriginRecords(messaging, this.#ending.signal),
      pace: new Pace(clock, redrive.dryRun ? undefined : redrive.perSecond),
      tally: this.#tally,
      uncommitted: this.#uncommitted,
      onFailed: (topic, code) => this.#standstill.sendFailed(topic, code),
      onRefused: (letter, refusal) => this.#passedOver(letter, refusal),
      signal: this.#ending.signal,
    })
    const group = redrive.dryRun ? null : redrive.group
    this.#watch = new RunWatch(plan.parts, { consumer: this.#consumer, admin: messaging.admin, group, clock })
  }

  async toEnd(): Promise<RedriveSummary> {
    const { signal } = this.#redrive
    const stopListening = signal === undefined ? () => undefined : onAbort(signal, () => this.#abort())
    try {
      if (signal?.aborted === true) this.#abort()
      else await this.#toEnd()
    } finally {
      stopListening()
      this.#end()
      await this.#consumer.stop()
      await this.#producer?.close().catch(() => undefined) // what it was still sending is not handled, and comes again
    }
    return this.#summed()
  }

  async #toEnd(): Promise<void> {
    if (this.#plan.parts.some(hasWork)) await this.#consumer.start()
    await this.#watched()
    if (this.#ending.signal.aborted || this.#redrive.dryRun || this.#consumer.state !== 'running') return
    try {
      await this.#consumer.commit()
      await this.#leaveTheRest()
    } catch (cause) {
      const message =
        'all letters were sent, but nobody confirmed how far the redrive came; another run may repeat some'
      this.#fail(new RedriveStop('progress-unknown', message, { cause }))
    }
  }

  /** What came after the beginning was looked at and left: no word of it as of something that may be done twice. */
  async #leaveTheRest(): Promise<void> {
    for (const { topic, partition, end } of this.#plan.parts) {
      if (!this.#cameLater.has(partition)) continue
      await this.#consumer.seek(topic, partition, end).catch(() => undefined) // another run has it by now
    }
  }

  /** Until nothing is left to do, or the run must end. */
  async #watched(): Promise<void> {
    const { clock } = this.#messaging
    let movedAt = clock.now()
    let toldAt = clock.now()
    let before = -1
    const { stallMs, perSecond = Infinity } = this.#redrive
    const slowMs = 2_000 / perSecond
    const mostMs = Math.max(stallMs, slowMs)
    while (!this.#ending.signal.aborted && !(await this.#watch.isDone())) {
      this.#pauseDone()
      const now = clock.now()
      const moved = this.#watch.left() - this.#tally.read
      if (moved !== before) movedAt = now
      before = moved
      this.#noteCommits(now)
      this.#standstill.look(now - movedAt >= Math.max(standsAfterMs, slowMs))
      if (this.#consumer.state === 'stopping' || this.#consumer.state === 'stopped') this.#fail(closed())
      if (now - movedAt >= mostMs) this.#fail(this.#stalled())
      if (now - toldAt >= tellEveryMs) {
        toldAt = now
        this.#tellProgress()
      }
      await pause(clock, lookEveryMs, this.#ending.signal)
    }
  }

  #noteCommits(now: number): void {
    if (this.#redrive.dryRun) return
    const { partitions, commitWindowMs } = this.#consumer.facts()
    this.#uncommitted.note(partitions, commitWindowMs ?? 0, now)
  }

  #waitsFor(): string | null {
    if (this.#uncommitted.isHeld) return `commits of ${this.#redrive.group}: nobody confirms what was sent`
    return this.#standstill.waitsFor
  }

  /** No more of a partition is read once all of it that the run means is done. */
  #pauseDone(): void {
    const { from } = this.#redrive
    for (const partition of this.#cameLater) {
      if (this.#watch.isReached(partition)) this.#consumer.pause([{ topic: from, partition }])
    }
  }

  #reader(): Consumer<readonly [ReturnType<typeof rawTopic>]> {
    const { from, group, dryRun, inFlight, perSecond = Infinity } = this.#redrive
    const consumer = this.#messaging.consumer({
      group: dryRun ? null : group,
      profile: readerProfile,
      topics: [rawTopic(from)],
      order: 'key',
      concurrency: Math.max(1, Math.min(inFlight, Math.ceil(perSecond))),
      commit: 'closely',
      isolation: 'read-committed',
      onOutOfRange: 'earliest',
      groupProtocol: dryRun ? undefined : 'classic',
      sessionTimeoutMs,
      stallWarningMs: 0,
      retry: false,
      // Nothing of a letter is final but what ends the run: time outs of the cluster are waited for up to stallMs.
      classify: () => 'unavailable',
      onAssigned: (places) =>
        places.flatMap(({ topic, partition, committed }) => {
          const part = this.#parts.get(partition)
          const isBehind = part !== undefined && hasWork(part) && (committed === null || committed < part.from)
          return isBehind ? [{ topic, partition, offset: part.start }] : []
        }),
      onPartitionStopped: (_, error) => this.#fail(readerFailed(error)),
      onFailed: (error) => this.#fail(readerFailed(error)),
      handle: (message, context) => this.#handle(message, context),
    })
    const idle = this.#plan.parts.filter((part) => !hasWork(part)).map(({ partition }) => partition)
    const left = [...idle, ...this.#plan.unseen].map((partition) => ({ topic: from, partition }))
    if (left.length > 0) consumer.pause(left)
    return consumer
  }

  async #handle(message: Message<Buffer | null>, { signal }: HandlerContext): Promise<void> {
    const { partition, offset } = message
    const part = this.#parts.get(partition)
    if (part === undefined || offset >= part.end) {
      // Not paused yet: letters of the run may wait behind it for their turn.
      this.#cameLater.add(partition)
      throw new RetryLater(untilTheEndMs, 'it came after the redrive had begun')
    }
    if (offset < part.from || part.completed.some(({ from, to }) => offset >= from && offset < to)) return
    this.#requireUnderWay()
    try {
      const letter = letterOf(message)
      this.#ended(letter, await this.#way.end(letter))
    } catch (error) {
      this.#requireUnderWay()
      if (error instanceof Unavailable || signal.aborted) throw error
      this.#fail(error)
      this.#requireUnderWay()
    }
  }

  #ended({ reason }: Letter, end: LetterEnd): void {
    this.#tally.add(end)
    if (this.#redrive.dryRun) return
    // Headers are data from outside, and labels are few.
    const known = reason !== null && letterReasons.has(reason) ? reason : 'other'
    const labels = { topic: this.#redrive.from, outcome: end.kind, reason: end.kind === 'refused' ? end.why : known }
    this.#messaging.telemetry.metrics.count('tidemark_redrive_letters_total', labels)
  }

  /** What begins no more is left unhandled. */
  #requireUnderWay(): void {
    if (this.#ending.signal.aborted) throw new RetryLater(untilTheEndMs, 'the redrive ends')
  }

  #end(): void {
    this.#watch.end()
    this.#ending.abort()
  }

  #abort(): void {
    this.#end()
    void this.#consumer.stop() // never rejects; the end of the run waits for it too
  }

  #fail(error: unknown): void {
    if (this.#ending.signal.aborted) return
    this.#failure = error instanceof TidemarkError ? error : defect(error)
    this.#end()
  }

  #passedOver({ topic, partition, offset }: Letter, { why, topic: target, message }: Refusal): void {
    if (this.#toldRefusals.has(why)) return
    this.#toldRefusals.add(why)
    const fields = { topic, partition, offset, reason: why, target }
    this.#messaging.telemetry.logger.warn(fields, `a redrive passes over the first of its letters: it ${message}`)
  }

  #tellProgress(): void {
    const { onProgress } = this.#redrive
    if (onProgress !== undefined) {
      tellListener('onProgress', () => onProgress(this.#progress()), this.#messaging.telemetry)
    }
  }

  #progress(): RedriveProgress {
    const elapsedMs = this.#messaging.clock.now() - this.#startedAt
    return {
      dryRun: this.#redrive.dryRun,
      ...this.#tally.counts(),
      left: this.#watch.left(),
      waitsFor: this.#waitsFor(),
      elapsedMs,
    }
  }

  #summed(): RedriveSummary {
    this.#tellProgress()
    const isAborted = this.#redrive.signal?.aborted === true && !this.#watch.wasDone
    const ended = this.#failure !== null ? 'failed' : isAborted ? 'aborted' : 'done'
    const { passedBefore, expired, unseen } = this.#plan
    const progress = this.#progress()
    const waitsFor = ended === 'done' && !progress.dryRun ? null : progress.waitsFor
    const summary: RedriveSummary = { ended, ...progress, waitsFor, passedBefore, expired, unseen }
    this.#tellEnd(summary)
    if (this.#failure === null) return summary
    const { code, message, topic, partition, offset, cause, retriable } = this.#failure
    throw new RedriveError(code, message, summary, { topic, partition, offset, cause, retriable })
  }

  #tellEnd(summary: RedriveSummary): void {
    const { from, group } = this.#redrive
    const { logger } = this.#messaging.telemetry
    logger.info({ topic: from, redrive: group, ...summary }, `a redrive has ended: ${summary.ended}`)
    const { passedBefore, read, left } = summary
    if (read > 0 || left > 0 || passedBefore === 0) return
    logger.warn(
      { topic: from, redrive: group, passedBefore },
      'a redrive found nothing new: all letters were passed under its group before; name another group to begin anew',
    )
  }

  #stalled(): RedriveStop {
    const { stallMs, from } = this.#redrive
    const why = this.#waitsFor()
    const message =
      `nothing of ${from} moved for ${stallMs} ms: ${this.#watch.waitsFor()}${why === null ? '' : `, and waits for ${why}`}; see the log for what the brokers answered, ` +
      'and call it again'
    return new RedriveStop('stalled', message, { topic: from, retriable: true })
  }
}

function targetsOf({ allow, parking, defaultOrigin }: ResolvedRedrive): readonly string[] {
  return [...new Set([...allow, ...[parking, defaultOrigin].flatMap((topic) => topic ?? [])])]
}

function closed(): RedriveStop {
  return new RedriveStop('reader-failed', 'its messaging was closed while the redrive was under way; call it again')
}

function readerFailed(cause: TidemarkError): RedriveStop {
  const { topic, partition, offset } = cause
  const message = `the dead-letter topic cannot be read on: ${cause.message}`
  return new RedriveStop('reader-failed', message, { topic, partition, offset, cause })
}

function defect(cause: unknown): RedriveStop {
  return new RedriveStop('internal-defect', `a redrive met a defect: ${thrownText(cause).name}; please report it`, {
    cause,
  })
}
