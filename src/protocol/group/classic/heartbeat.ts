import { brokerCodeName } from '../../../connection/broker-error.js'
import { RequestError } from '../../../connection/request-error.js'
import type { GroupMemberIdentity } from '../../../connection/requests/groups.js'
import type { ConsumerSettings } from '../../../driver/consumer.js'
import { pause } from '../../../runtime/pause.js'
import type { Logger } from '../../../telemetry/logger.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ClientContext } from '../../cluster/client-context.js'
import type { CoordinatorLine } from '../../cluster/coordinator-line.js'
import type { Denials } from '../../cluster/denials.js'
import { fatalGroupError, judgeGroupCode, type GroupVerdict } from '../codes.js'
import type { Stay } from './stay.js'

type HeartbeatContext = ClientContext<
  Pick<
    ConsumerSettings,
    | 'groupId'
    | 'groupInstanceId'
    | 'assignors'
    | 'sessionTimeoutMs'
    | 'heartbeatIntervalMs'
    | 'requestTimeoutMs'
    | 'logger'
  >
>

interface HeartbeatParts {
  readonly line: CoordinatorLine
  readonly denials: Denials
  /** The group confirmed us; `at` is when we asked. */
  beaten(at: number): void
}

/** Of a division that may end soon the next is heard of early. Each wait is twice the one before. */
const firstBeatMs = 100

/**
 * Keeps us a member for all of `stay`, whatever the handlers do, and tells it the news. Without an answer for a whole session
 * the group has given our partitions away, so we are out by our own clock too.
 */
export async function keepAlive(
  { runtime, settings }: HeartbeatContext,
  stay: Stay,
  { line, denials, beaten }: HeartbeatParts,
): Promise<void> {
  const { clock, random } = runtime
  const { sessionTimeoutMs, heartbeatIntervalMs, requestTimeoutMs, logger } = settings
  let confirmedAt = clock.now()
  let failures = 0
  let generation = stay.generationOver
  const firstWait = () => (stay.mayEndSoon ? firstBeatMs : heartbeatIntervalMs)
  let nextMs = firstWait()
  const what = `heartbeats of group "${line.key}"`
  for (;;) {
    if (generation !== stay.generationOver) nextMs = firstWait()
    generation = stay.generationOver
    const expiresAt = confirmedAt + sessionTimeoutMs
    const usualMs = Math.min(heartbeatIntervalMs, nextMs)
    const restMs = failures === 0 ? usualMs : Math.min(heartbeatIntervalMs, brokerBackoff(failures, random))
    await pause(clock, Math.max(0, Math.min(restMs, expiresAt - clock.now())), generation)
    if (stay.over.aborted) return
    if (generation.aborted) continue
    nextMs *= 2

    const askedAt = clock.now()
    if (askedAt >= expiresAt) {
      const reason = `no heartbeat was answered for ${sessionTimeoutMs} ms, the session timeout`
      stay.end({ kind: 'lost', forgetMemberId: false, reason })
      return
    }
    const { identity } = stay
    const code = await beat(line, identity, Math.min(askedAt + requestTimeoutMs, expiresAt), logger)
    if (stay.over.aborted) return

    const verdict = verdictOf(code, identity, stay)
    switch (verdict) {
      case 'ok':
      case 'rebalance':
        confirmedAt = askedAt
        failures = 0
        denials.forget(what)
        beaten(askedAt)
        if (verdict === 'rebalance') stay.wantRebalance(identity.generationId)
        break
      case 'generation-gone':
      case 'member-gone': {
        const reason = `the group answered a heartbeat with ${brokerCodeName(code ?? 0)}`
        stay.end({ kind: 'lost', forgetMemberId: verdict === 'member-gone', reason })
        return
      }
      case 'denied':
        // Should it last, the session ends, and joining again tells whether it is final.
        failures += 1
        denials.isFinal(what, fatalGroupError(code ?? 0, 'sending a heartbeat', settings))
        break
      case 'fatal':
        stay.end({ kind: 'failed', error: fatalGroupError(code ?? 0, 'sending a heartbeat', settings) })
        return
      case 'coordinator-moved':
        failures += 1
        line.lost()
        break
      case 'member-id-given':
      case 'wait':
        failures += 1
        logger.debug({ code: brokerCodeName(code ?? 0) }, 'heartbeat was not taken; it is sent again')
    }
  }
}

/** A coordinator that knows us under another generation than we said knows us. */
function verdictOf(code: number | null, { generationId }: GroupMemberIdentity, stay: Stay): GroupVerdict {
  if (code === null) return 'coordinator-moved'
  const verdict = judgeGroupCode(code)
  return verdict === 'generation-gone' && stay.mayHaveGoneOn(generationId) ? 'ok' : verdict
}

/** The answer's code; `null` when there was no answer. */
async function beat(
  line: CoordinatorLine,
  identity: GroupMemberIdentity,
  deadline: number,
  logger: Logger,
): Promise<number | null> {
  try {
    return (await line.ask({ api: 'heartbeat', ...identity }, deadline)).errorCode
  } catch (failure) {
    const reason = failure instanceof RequestError ? failure.failure : String(failure)
    logger.debug({ reason }, 'heartbeat got no answer; the coordinator is looked up again')
    return null
  }
}
