import { brokerCodeName } from '../../../connection/broker-error.js'
import { RequestError } from '../../../connection/request-error.js'
import type { ConsumerSettings } from '../../../driver/consumer.js'
import { pause } from '../../../runtime/pause.js'
import type { Logger } from '../../../telemetry/logger.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ClientContext } from '../../cluster/client-context.js'
import type { CoordinatorLine } from '../../cluster/coordinator-line.js'
import type { Denials } from '../../cluster/denials.js'
import { fatalGroupError, judgeGroupCode } from '../codes.js'
import type { Generation } from './generation.js'

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

/**
 * Keeps us a member of `generation` until it is over, whatever the handlers do, and tells it the news. Without an answer
 * for a whole session the group has given our partitions away, so we are out by our own clock too.
 */
export async function keepAlive(
  { runtime, settings }: HeartbeatContext,
  generation: Generation,
  { line, denials, beaten }: HeartbeatParts,
): Promise<void> {
  const { clock, random } = runtime
  const { sessionTimeoutMs, heartbeatIntervalMs, requestTimeoutMs, logger } = settings
  let confirmedAt = clock.now()
  let failures = 0
  const what = `heartbeats of group "${line.key}"`
  for (;;) {
    const expiresAt = confirmedAt + sessionTimeoutMs
    const restMs = failures === 0 ? heartbeatIntervalMs : Math.min(heartbeatIntervalMs, brokerBackoff(failures, random))
    await pause(clock, Math.max(0, Math.min(restMs, expiresAt - clock.now())), generation.over)
    if (generation.over.aborted) return

    const askedAt = clock.now()
    if (askedAt >= expiresAt) {
      const reason = `no heartbeat was answered for ${sessionTimeoutMs} ms, the session timeout`
      generation.end({ kind: 'lost', forgetMemberId: false, reason })
      return
    }
    const code = await beat(line, generation, Math.min(askedAt + requestTimeoutMs, expiresAt), logger)
    if (generation.over.aborted) return

    const verdict = code === null ? 'coordinator-moved' : judgeGroupCode(code)
    switch (verdict) {
      case 'ok':
      case 'rebalance':
        confirmedAt = askedAt
        failures = 0
        denials.forget(what)
        beaten(askedAt)
        if (verdict === 'rebalance') generation.wantRebalance()
        break
      case 'generation-gone':
      case 'member-gone': {
        const reason = `the group answered a heartbeat with ${brokerCodeName(code ?? 0)}`
        generation.end({ kind: 'lost', forgetMemberId: verdict === 'member-gone', reason })
        return
      }
      case 'denied':
        // Should it last, the session ends, and joining again tells whether it is final.
        failures += 1
        denials.isFinal(what, fatalGroupError(code ?? 0, 'sending a heartbeat', settings))
        break
      case 'fatal':
        generation.end({ kind: 'failed', error: fatalGroupError(code ?? 0, 'sending a heartbeat', settings) })
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

/** The answer's code; `null` when there was no answer. */
async function beat(
  line: CoordinatorLine,
  { identity }: Generation,
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
