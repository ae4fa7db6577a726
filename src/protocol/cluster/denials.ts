import { brokerCode } from '../../connection/broker-error.js'
import { DriverError, type TidemarkError } from '../../errors.js'
import type { Logger } from '../../telemetry/logger.js'
import type { ClientContext } from './client-context.js'

const denials: ReadonlySet<number | undefined> = new Set([
  brokerCode.TOPIC_AUTHORIZATION_FAILED,
  brokerCode.GROUP_AUTHORIZATION_FAILED,
  brokerCode.CLUSTER_AUTHORIZATION_FAILED,
])

/** Was it refused for want of a permission? */
export function isDenial(failure: unknown): failure is DriverError {
  return failure instanceof DriverError && denials.has(failure.brokerCode)
}

type DenialsContext = Pick<
  ClientContext<{ readonly sessionTimeoutMs: number; readonly logger: Logger }>,
  'runtime' | 'settings'
>

/**
 * What brokers do not permit, and since when. A rule that is replaced is missing for a moment, so a refusal counts only
 * when it has lasted: for a session timeout. Its first is told, once for a topic.
 */
export class Denials {
  readonly #context: DenialsContext
  readonly #since = new Map<string, number>()
  /** What is refused, by the topic that a line told of. */
  readonly #told = new Map<string, Set<string>>()

  constructor(context: DenialsContext) {
    this.#context = context
  }

  /** `what` was refused (again): does that count? If so, a later refusal begins anew. Other refusals count at once. */
  isFinal(what: string, error: TidemarkError): boolean {
    if (!isDenial(error)) return true
    const { runtime, settings } = this.#context
    const now = runtime.clock.now()
    const since = this.#since.get(what)
    if (since === undefined) {
      this.#since.set(what, now)
      if (this.#isToldOf(error, what)) return false
      const fields = { what, error, finalAfterMs: settings.sessionTimeoutMs }
      settings.logger.warn(fields, 'a broker does not permit this; it is asked again, until that has lasted too long')
      return false
    }
    if (now - since < settings.sessionTimeoutMs) return false
    this.forget(what)
    return true
  }

  /** `what` was permitted, or nobody asks any more. */
  forget(what: string): void {
    if (!this.#since.delete(what)) return
    for (const [subject, refused] of this.#told) {
      refused.delete(what)
      if (refused.size === 0) this.#told.delete(subject)
    }
  }

  /** All partitions of a topic are refused for the same reason, as long as one of them is. */
  #isToldOf({ code, topic }: DriverError, what: string): boolean {
    const subject = topic === undefined ? what : `${code} ${topic}`
    const refused = this.#told.get(subject)
    if (refused === undefined) this.#told.set(subject, new Set([what]))
    else refused.add(what)
    return refused !== undefined
  }
}
