import { exponential, type Backoff } from '../../runtime/backoff.js'
import { pause } from '../../runtime/pause.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Trouble } from '../partition/trouble.js'
import type { Failed } from './ladder.js'

export interface OutageSettings {
  /** After so long without any success one record is given up all the same. */
  readonly decideAfterMs: number
}

export interface OutagesParts {
  /** `false`: nothing is taken for an outage but what the handler says is one. */
  readonly settings: OutageSettings | false
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

interface Outage {
  readonly beganAt: number
  /** The handler said so, or it was concluded. */
  readonly cause: 'unavailable' | 'nothing-succeeds'
  probes: number
  /** Lets something be tried, so that it may be seen whether it succeeds. */
  probe: () => void
}

const probeBackoff: Backoff = exponential({ initialMs: 500, maxMs: 10_000 })

/** Where several deliveries fail, or one was given up already, it takes so many times as long to give one up. */
const surelyTimes = 10

/** A record that failed before others succeeded is most likely to blame: it is given up after so long, the next after twice as long. */
const likelyMs = 2_000

/**
 * Tells an outage, in which nothing succeeds, from records that cannot be handled. The witness is a success of another
 * delivery of this consumer that began after the record had failed before: then what the handler needs was there, and the
 * record is to blame. A success that began earlier tells nothing.
 *
 * | a partition | news                                                   | becomes |
 * |-------------|--------------------------------------------------------|---------|
 * | well        | a record has no retry left, and there is a witness      | well: the record goes on down the ladder |
 * | well        | a record has no retry left, and there is no witness     | suspected: the record is tried once more, all else goes on |
 * | suspected   | that attempt fails, and there is a witness now, or the record was in an outage that others ended | well: the record goes on down the ladder |
 * | suspected   | that attempt fails, and there is no witness still       | in outage |
 * | well, suspected | the handler throws `Unavailable`                    | in outage |
 * | well        | it does again, though others of its partition succeeded | well: its lane waits, and nothing else, from now on |
 * | in outage   | a probe fails                                          | in outage: the next comes after a longer while, up to 10 s |
 * | in outage   | a success that began in it: of its own, or (where `Unavailable` was not said) of any partition | well |
 * | in outage   | a probe fails of a record that failed before others succeeded | in outage: after 2 s it goes on down the ladder |
 * | in outage   | a probe ends without being handled (discarded, a dead letter) | in outage: it said nothing, and another starts at once |
 * | in outage   | nothing succeeded for `decideAfterMs`                  | in outage: one record goes on down the ladder |
 * | well        | what is no record's, as `onWatermark`, finds that what it needs is not there | in outage: that is its probe, and says when it ends |
 * | in outage   | what is no record's is not to be done any more          | well: nobody knows |
 * | any         | it is given up, sought, or stops                       | forgotten |
 *
 * In outage nothing starts by itself. A probe lets one delivery start: what failed and what has not begun take turns. No
 * attempt is spent, and what failed before the end of an outage has all its retries again.
 *
 * `decideAfterMs` is for a poisonous record that is the only one there is, which looks like an outage. When one delivery
 * alone fails, one record is given up after that time, and the next record of its lane says what it was: its success ends
 * the outage. Otherwise, and for every further one, it takes ten times as long. Several lanes that are all held up by
 * poisonous records look alike too; there the first of them has failed before another one succeeded, and goes early.
 */
export class Outages {
  readonly #parts: OutagesParts
  readonly #outages = new Map<OwnedPartition, Outage>()
  #witnessedAt = -Infinity
  #gaveUpAt = -Infinity
  /** Since the last success. */
  #gaveUp = 0

  constructor(parts: OutagesParts) {
    this.#parts = parts
  }

  /** Runs for every delivery. */
  succeeded(partition: OwnedPartition, startedAt: number): void {
    if (startedAt > partition.witnessedAt) partition.witnessedAt = startedAt
    if (startedAt > this.#witnessedAt) this.#witnessedAt = startedAt
    if (this.#outages.size > 0) this.#endBy(partition, startedAt)
  }

  /** What the partition waits for is there again. No record was handled, so this is no witness against another one. */
  endedBy(partition: OwnedPartition): void {
    const outage = this.#outages.get(partition)
    if (outage !== undefined) this.#end(partition, outage)
  }

  /** What the partition waited for is not to be done any more: nobody knows whether it is there again. */
  forget(partition: OwnedPartition): void {
    const outage = this.#outages.get(partition)
    if (outage === undefined) return
    this.#outages.delete(partition)
    partition.gate.lift('outage')
    this.#ended(partition, outage, 'left')
  }

  /** Else an outage is what a handler says is one, and what it throws beside that is none. */
  get guesses(): boolean {
    return this.#parts.settings !== false
  }

  isIn(partition: OwnedPartition): boolean {
    return this.#outages.has(partition)
  }

  /** Of a record that has no retry left. */
  judge(failed: Failed): 'to-blame' | 'doubted' | 'outage' {
    const trouble = failed.work.trouble as Trouble
    const { partition } = failed.work
    if (this.#parts.settings === false) return 'to-blame'
    // One witness is enough for one record of a partition: what fails behind it may fail for another reason.
    if (isAfter(this.#witnessedAt, failed.failedBeforeAt) && this.#witnessedAt > partition.blamedAt) {
      partition.blamedAt = this.#parts.runtime.clock.now()
      return 'to-blame'
    }
    if (!trouble.isDoubted) {
      trouble.isDoubted = true
      return 'doubted'
    }
    // Tried anew, with all retries, since others ended an outage: once is enough, else the two would take turns for ever.
    if (isAfter(this.#witnessedAt, trouble.failedInOutageAt)) return 'to-blame'
    this.#beginAt(failed, 'nothing-succeeds')
    return 'outage'
  }

  /** Of a record whose handler says that nothing can succeed. */
  judgeUnavailable(failed: Failed): 'alone' | 'outage' {
    const { partition, trouble } = failed.work
    if (this.isIn(partition)) return 'outage'
    const wasAlone = (trouble as Trouble).waits > 0
    if (wasAlone || isAfter(partition.witnessedAt, failed.failedBeforeAt)) return 'alone'
    this.#beginAt(failed, 'unavailable')
    return 'outage'
  }

  /**
   * What is no record's cannot go on before what it needs is there: resolves when it may be tried again, or the partition is no
   * longer read. It tells its success by `endedBy`.
   */
  async probed(partition: OwnedPartition, error: unknown): Promise<void> {
    if (partition.lanes.closing.aborted) return
    const outage =
      this.#outages.get(partition) ?? this.#begin(partition, partition.tracker.committable, 'unavailable', error)
    await new Promise<void>((resolve) => (outage.probe = resolve))
  }

  /** Whether a delivery that failed in an outage may go on down the ladder. */
  mayGiveUp({ work: { partition, trouble } }: Failed): boolean {
    const { settings, runtime } = this.#parts
    const outage = this.#outages.get(partition)
    if (settings === false || outage === undefined) return false
    const isAlone = this.#outages.size === 1 && partition.lanes.running === 1
    const decideMs = settings.decideAfterMs * (isAlone && this.#gaveUp === 0 ? 1 : surelyTimes)
    const isLikely = isAfter(this.#witnessedAt, (trouble as Trouble).aloneFrom)
    const afterMs = isLikely ? Math.min(decideMs, likelyMs * 2 ** this.#gaveUp) : decideMs
    return runtime.clock.now() - Math.max(outage.beganAt, this.#gaveUpAt) >= afterMs
  }

  givesUp({ work, error }: Failed): void {
    const { partition } = work
    const outage = this.#outages.get(partition)
    if (outage === undefined) return
    this.#gaveUpAt = this.#parts.runtime.clock.now()
    this.#gaveUp += 1
    // What comes next is the test of what it was: it need not wait as long as the last probe did.
    outage.probes = 0
    const afterMs = this.#gaveUpAt - outage.beganAt
    const { offset } = work.firstRecord
    tell(this.#parts.telemetry, { kind: 'given-up-in-doubt', ...placeOf(partition), offset, afterMs, error })
  }

  #beginAt({ work: { partition, firstRecord }, error }: Failed, cause: Outage['cause']): void {
    if (!partition.lanes.closing.aborted) this.#begin(partition, firstRecord.offset, cause, error)
  }

  #begin(partition: OwnedPartition, offset: number, cause: Outage['cause'], error: unknown): Outage {
    // The one before may have been left without an end.
    if (this.#witnessedAt > this.#gaveUpAt) this.#gaveUp = 0
    const probe = () => partition.lanes.letOne()
    const outage: Outage = { beganAt: this.#parts.runtime.clock.now(), cause, probes: 0, probe }
    this.#outages.set(partition, outage)
    partition.gate.close('outage')
    tell(this.#parts.telemetry, { kind: 'outage-began', ...placeOf(partition), offset, cause, error })
    void this.#probe(partition, outage) // never rejects
    return outage
  }

  /** Until it ends, or its partition is no longer read. */
  async #probe(partition: OwnedPartition, outage: Outage): Promise<void> {
    const { clock, random } = this.#parts.runtime
    const { closing } = partition.lanes
    for (;;) {
      outage.probes += 1
      await pause(clock, probeBackoff(outage.probes, random), closing)
      if (this.#outages.get(partition) !== outage) return
      if (closing.aborted) break
      outage.probe()
    }
    this.#outages.delete(partition)
    this.#ended(partition, outage, 'left')
  }

  #endBy(partition: OwnedPartition, startedAt: number): void {
    for (const [one, outage] of this.#outages) {
      if (startedAt <= outage.beganAt) continue
      if (one === partition || outage.cause === 'nothing-succeeds') this.#end(one, outage)
    }
  }

  #end(partition: OwnedPartition, outage: Outage): void {
    this.#gaveUp = 0
    this.#outages.delete(partition)
    partition.outageEndedAt = this.#parts.runtime.clock.now()
    partition.gate.lift('outage')
    this.#ended(partition, outage, 'success')
  }

  #ended(partition: OwnedPartition, { beganAt, cause, probe }: Outage, by: 'success' | 'left'): void {
    const lastedMs = this.#parts.runtime.clock.now() - beganAt
    tell(this.#parts.telemetry, { kind: 'outage-ended', ...placeOf(partition), cause, by, lastedMs })
    // Who waits for a probe waits no longer; lanes that are wide or closed let nothing through by it.
    probe()
  }
}

function isAfter(successStartedAt: number, failedAt: number | null): boolean {
  return failedAt !== null && successStartedAt > failedAt
}

function placeOf({ topic, partition }: OwnedPartition) {
  return { topic, partition }
}
