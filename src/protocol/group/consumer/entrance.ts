import { memberEpochs, type ConsumerGroupHeartbeatAnswer } from '../../../connection/requests/consumer-groups.js'
import type { TidemarkError } from '../../../errors.js'
import { pause } from '../../../runtime/pause.js'
import { tell } from '../../../telemetry/tell.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import type { Denials } from '../../cluster/denials.js'
import { watchedEntry } from '../entry-watch.js'
import { instanceInUse } from './codes.js'
import type { Beat, Heartbeats } from './heartbeat.js'

export type Entered =
  | {
      readonly kind: 'entered'
      readonly answer: ConsumerGroupHeartbeatAnswer
      readonly askedAt: number
    }
  | { readonly kind: 'failed'; readonly error: TidemarkError }
  /** Nobody wants to join any more. */
  | { readonly kind: 'ended' }

interface EntranceParts {
  readonly heartbeats: Heartbeats
  readonly denials: Denials
}

/** Brokers allow sessions of a minute; the answer that ends one may come a little later. */
const predecessorMs = 75_000

const waitsForPredecessor =
  'the group still has a member with this instance id: its process went without leaving, or runs; the broker keeps its partitions until its session is over (group.consumer.session.timeout.ms, 45 s unless set), and we take them over then'

/**
 * The way into the group. Of the joins that it sends, any that got no answer may have been carried out; with an instance id
 * the coordinator then takes the next one for another process, so ours is withdrawn first.
 *
 * | state    | a join                     | becomes |
 * |----------|----------------------------|---------|
 * | outside  | without an answer          | in doubt |
 * | in doubt | refused for a member with our instance id | withdrawn: outside, or in doubt still when nobody judged that; then again |
 * | outside  | refused for a member with our instance id | outside; again until its session must be over, then it failed |
 * | any      | answered well              | inside |
 * | any      | refused else               | as it was |
 */
export class Entrance {
  readonly #context: ConsumeContext
  readonly #parts: EntranceParts
  #state: 'outside' | 'in doubt' | 'inside' = 'outside'
  #trouble: TidemarkError | string | null = null
  #predecessorSince: number | null = null

  constructor(context: ConsumeContext, parts: EntranceParts) {
    this.#context = context
    this.#parts = parts
  }

  get state(): 'outside' | 'in doubt' | 'inside' {
    return this.#state
  }

  /** Does the way in wait for the session of who had our instance id before? */
  get waitsForPredecessor(): boolean {
    return this.#predecessorSince !== null
  }

  /** What the last join met. */
  get trouble(): TidemarkError | string | null {
    return this.#trouble
  }

  async join(signal: AbortSignal): Promise<Entered> {
    const { clock } = this.#context.runtime
    const what = `group "${this.#context.settings.groupId}"`
    this.#predecessorSince = null
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      const askedAt = clock.now()
      const { requestTimeoutMs } = this.#context.settings
      const beat = await watchedEntry(this.#context, 2 * requestTimeoutMs, () =>
        this.#parts.heartbeats.join(Infinity, signal),
      )
      if (beat.kind === 'unanswered' && beat.sent === 'maybe') this.#state = 'in doubt'
      if (beat.kind === 'answered' && beat.answer.memberEpoch > memberEpochs.joins) {
        this.#state = 'inside'
        this.#trouble = null
        this.#parts.denials.forget(what)
        return { kind: 'entered', answer: beat.answer, askedAt }
      }
      if (signal.aborted) break
      const failure = await this.#failureOf(beat, what)
      if (failure !== null) return { kind: 'failed', error: failure }
      await this.#pause(attempt, signal)
    }
    return { kind: 'ended' }
  }

  /** `null` when it is tried again. */
  async #failureOf(beat: Beat, what: string): Promise<TidemarkError | null> {
    const isPredecessor = beat.kind === 'refused' && beat.verdict === 'unreleased'
    if (!isPredecessor) this.#predecessorSince = null
    switch (beat.kind) {
      case 'failed':
        return beat.error
      case 'denied':
        this.#trouble = beat.error
        return this.#parts.denials.isFinal(what, beat.error) ? beat.error : null
      case 'answered':
        this.#trouble = 'the group answered a join without an epoch'
        return null
      default:
        this.#trouble = isPredecessor ? waitsForPredecessor : beat.reason
        return isPredecessor ? this.#meetPredecessor() : null
    }
  }

  async #meetPredecessor(): Promise<TidemarkError | null> {
    const { runtime, settings } = this.#context
    if (this.#state !== 'outside') {
      const deadline = runtime.clock.now() + settings.requestTimeoutMs
      const withdrawn = await this.#parts.heartbeats.leave(memberEpochs.leavesForAWhile, deadline)
      if (!mayBeAMemberYet(withdrawn)) this.#state = 'outside'
      return null
    }
    const now = runtime.clock.now()
    if (this.#predecessorSince === null) {
      const { groupId: group, groupInstanceId } = settings
      settings.logger.warn({ group, groupInstanceId }, waitsForPredecessor)
    }
    this.#predecessorSince ??= now
    const waitedMs = now - this.#predecessorSince
    return waitedMs < predecessorMs ? null : instanceInUse(settings, waitedMs)
  }

  async #pause(attempt: number, signal: AbortSignal): Promise<void> {
    const { runtime, settings } = this.#context
    const delayMs = brokerBackoff(attempt, runtime.random)
    const reason = typeof this.#trouble === 'string' ? this.#trouble : (this.#trouble?.code ?? 'again')
    tell(settings, { kind: 'outside-group', reason, attempt })
    settings.logger.debug({ group: settings.groupId, reason, delayMs }, 'not in the group yet')
    await pause(runtime.clock, delayMs, signal)
  }
}

/** Nobody has judged the withdrawal. Refused by who has, it is not ours that is a member. */
function mayBeAMemberYet(withdrawn: Beat): boolean {
  const isPutOff = withdrawn.kind === 'refused' && ['coordinator-moved', 'wait'].includes(withdrawn.verdict)
  return isPutOff || withdrawn.kind === 'denied' || withdrawn.kind === 'unanswered'
}
