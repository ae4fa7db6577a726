import { brokerCodeName } from '../../../connection/broker-error.js'
import {
  memberEpochs,
  type ConsumerGroupHeartbeatAnswer,
  type ConsumerGroupHeartbeatRequest,
} from '../../../connection/requests/consumer-groups.js'
import { RequestError } from '../../../connection/request-error.js'
import { TidemarkError } from '../../../errors.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import type { CoordinatorLine } from '../../cluster/coordinator-line.js'
import { isDenial, type Denials } from '../../cluster/denials.js'
import { judgeMemberCode, memberError, type MemberVerdict } from './codes.js'
import type { Subscription } from './subscription.js'
import type { Term } from './term.js'

/** What one heartbeat came to. */
export type Beat =
  | { readonly kind: 'answered'; readonly verdict: 'ok'; readonly answer: ConsumerGroupHeartbeatAnswer }
  | {
      readonly kind: 'refused'
      readonly verdict: Exclude<MemberVerdict, 'ok' | 'denied' | 'fatal'>
      readonly reason: string
    }
  /** After a pause, unless it has lasted. */
  | { readonly kind: 'denied'; readonly error: TidemarkError }
  | { readonly kind: 'failed'; readonly error: TidemarkError }
  /** It may have been carried out. */
  | { readonly kind: 'unanswered'; readonly reason: string; readonly sent: 'never' | 'maybe' }

/** Heartbeats of one member, which has chosen its id by itself. */
export class Heartbeats {
  readonly #context: ConsumeContext
  readonly #line: CoordinatorLine
  readonly #memberId: string
  readonly #subscription: Subscription

  constructor(
    context: ConsumeContext,
    line: CoordinatorLine,
    { memberId, subscription }: { readonly memberId: string; readonly subscription: Subscription },
  ) {
    this.#context = context
    this.#line = line
    this.#memberId = memberId
    this.#subscription = subscription
  }

  /** Everything, and nothing that is ours. */
  join(deadline: number, signal: AbortSignal): Promise<Beat> {
    const request = { ...this.#everything('joining'), memberEpoch: memberEpochs.joins, partitions: [] }
    return this.#ask(request, deadline, signal)
  }

  beat(term: Term, deadline: number): Promise<Beat> {
    const { isFull, partitions } = term.takeNext()
    const request = isFull ? this.#everything('member') : this.#unchanged(term.epoch)
    return this.#ask({ ...request, memberEpoch: term.epoch, partitions }, deadline, term.over)
  }

  /** We go: for good, or for a while. Who is gone already has gone too. */
  leave(memberEpoch: number, deadline: number): Promise<Beat> {
    return this.#ask(this.#unchanged(memberEpoch), deadline)
  }

  #everything(when: 'joining' | 'member'): ConsumerGroupHeartbeatRequest {
    const { companions, rackId = null, rebalanceTimeoutMs, remoteAssignor } = this.#context.settings
    // It gives partitions of one number in several topics to one member: companions do not count beside their topic then.
    const forCompanions = (companions?.size ?? 0) > 0 ? 'range' : null
    const unchanged = this.#unchanged(memberEpochs.joins)
    const { topics, regex } = this.#subscription.told(when)
    return {
      ...unchanged,
      rackId,
      rebalanceTimeoutMs,
      subscribedTopics: topics,
      // Also to take back what a predecessor with our instance id told.
      subscribedTopicRegex: regex,
      serverAssignor: remoteAssignor ?? forCompanions,
    }
  }

  #unchanged(memberEpoch: number): ConsumerGroupHeartbeatRequest {
    return {
      api: 'consumerGroupHeartbeat',
      groupId: this.#line.key,
      memberId: this.#memberId,
      memberEpoch,
      groupInstanceId: this.#context.settings.groupInstanceId,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopics: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      partitions: null,
    }
  }

  async #ask(request: ConsumerGroupHeartbeatRequest, deadline: number, signal?: AbortSignal): Promise<Beat> {
    let answer: ConsumerGroupHeartbeatAnswer
    try {
      answer = await this.#line.ask(request, this.#line.attemptUntil(deadline), signal)
    } catch (failure) {
      return beatOfFailure(failure)
    }
    const { errorCode: code, errorMessage: message } = answer
    const isJoin = request.memberEpoch === memberEpochs.joins
    const verdict = judgeMemberCode(code, isJoin)
    const doing = isJoin ? 'joining' : 'sending a heartbeat'
    switch (verdict) {
      case 'ok':
        return { kind: 'answered', verdict, answer }
      case 'denied':
        return { kind: 'denied', error: memberError({ code, message }, doing, this.#context.settings) }
      case 'fatal':
        return { kind: 'failed', error: memberError({ code, message }, doing, this.#context.settings) }
      case 'pattern-refused': {
        const reason = brokerCodeName(code)
        if (this.#subscription.evaluateHere(message ?? reason)) return { kind: 'refused', verdict, reason }
        return { kind: 'failed', error: memberError({ code, message }, doing, this.#context.settings) }
      }
      case 'coordinator-moved':
        this.#line.lost()
        return { kind: 'refused', verdict, reason: brokerCodeName(code) }
      default:
        return { kind: 'refused', verdict, reason: brokerCodeName(code) }
    }
  }
}

interface KeepAliveParts {
  readonly heartbeats: Heartbeats
  readonly denials: Denials
  /** How often the coordinator wants to hear from us. */
  readonly intervalMs: number
  /** When we asked to join: absolute ms, by `clock.now()`. */
  readonly joinAskedAt: number
  /** The group confirmed us; `at` is when we asked. */
  answered(answer: ConsumerGroupHeartbeatAnswer, at: number): void
}

/**
 * Keeps us a member until the term is over, whatever the handlers do. Without an answer for a whole session the group has
 * given our partitions away, so we are out by our own clock too: the group cannot tell who does not reach it.
 */
export async function keepAlive(
  { runtime, settings }: ConsumeContext,
  term: Term,
  { heartbeats, denials, intervalMs: firstIntervalMs, joinAskedAt, answered }: KeepAliveParts,
): Promise<void> {
  const { clock, random } = runtime
  const { sessionTimeoutMs, requestTimeoutMs, logger } = settings
  const what = `heartbeats of group "${settings.groupId}"`
  let intervalMs = firstIntervalMs
  // The session may have begun at any time since.
  let confirmedAt = joinAskedAt
  let failures = 0
  for (;;) {
    const expiresAt = confirmedAt + sessionTimeoutMs
    const restMs = failures === 0 ? intervalMs : Math.min(intervalMs, brokerBackoff(failures, random))
    await term.rest(clock, Math.max(0, Math.min(restMs, expiresAt - clock.now())))
    if (term.over.aborted) return

    const askedAt = clock.now()
    if (askedAt >= expiresAt) {
      term.end({ kind: 'lost', reason: `no heartbeat was answered for ${sessionTimeoutMs} ms, the session timeout` })
      return
    }
    const beat = await heartbeats.beat(term, Math.min(askedAt + requestTimeoutMs, expiresAt))
    if (term.over.aborted) return
    if (beat.kind === 'answered' && beat.answer.memberEpoch > memberEpochs.joins) {
      confirmedAt = askedAt
      failures = 0
      denials.forget(what)
      if (beat.answer.heartbeatIntervalMs > 0) intervalMs = beat.answer.heartbeatIntervalMs
      answered(beat.answer, askedAt)
      continue
    }
    failures += 1
    term.noteUnanswered()
    if (beat.kind === 'failed') {
      term.end(beat)
      return
    }
    if (beat.kind === 'refused' && (beat.verdict === 'fenced' || beat.verdict === 'unreleased')) {
      term.end({ kind: 'lost', reason: `the group answered a heartbeat with ${beat.reason}` })
      return
    }
    // Should it last, the session ends, and joining again tells whether it is final.
    if (beat.kind === 'denied') denials.isFinal(what, beat.error)
    else if (beat.kind !== 'answered') {
      logger.debug({ reason: beat.reason }, 'heartbeat was not taken; it is sent again with all there is to tell')
    }
  }
}

function beatOfFailure(failure: unknown): Beat {
  if (isDenial(failure)) return { kind: 'denied', error: failure }
  const request = failure instanceof RequestError ? failure : null
  if (failure instanceof TidemarkError && !failure.retriable) {
    const isEnded = request !== null && (request.failure === 'aborted' || request.failure === 'closed')
    if (!isEnded) return { kind: 'failed', error: failure }
  }
  const reason = failure instanceof Error ? failure.message : String(failure)
  return { kind: 'unanswered', reason, sent: request?.sent ?? 'never' }
}
