import { brokerError } from '../../connection/broker-error.js'
import type { FindCoordinatorRequest } from '../../connection/requests/groups.js'
import { TimeoutError } from '../../errors.js'
import type { Runtime } from '../../runtime/runtime.js'
import { brokerBackoff } from './broker-backoff.js'
import type { BrokerRotation } from './broker-rotation.js'
import { judgeFindCoordinatorCode } from './codes.js'

type KeyType = FindCoordinatorRequest['keyType']

/** Which node coordinates a group or a transactional id. */
export class Coordinators {
  readonly #rotation: BrokerRotation
  readonly #runtime: Runtime
  readonly #attemptMs: number
  readonly #known = new Map<string, number>()

  constructor(rotation: BrokerRotation, runtime: Runtime, attemptMs: number) {
    this.#rotation = rotation
    this.#runtime = runtime
    this.#attemptMs = attemptMs
  }

  /** From memory, else asked for until `deadline`. */
  async find(key: string, keyType: KeyType, deadline: number, signal?: AbortSignal): Promise<number> {
    const { clock, random } = this.#runtime
    const known = this.#known.get(nameOf(key, keyType))
    if (known !== undefined) return known
    for (let attempt = 1; ; attempt += 1) {
      const request = { api: 'findCoordinator', key, keyType } as const
      const answer = await this.#rotation.ask(request, deadline, this.#attemptMs, signal)
      const verdict = judgeFindCoordinatorCode(answer.errorCode)
      if (verdict === 'found') {
        this.#known.set(nameOf(key, keyType), answer.nodeId)
        return answer.nodeId
      }
      if (verdict === 'refused') {
        throw brokerError(answer.errorCode, `looking up the coordinator of ${keyType} "${key}"`)
      }
      const pauseMs = brokerBackoff(attempt, random)
      if (clock.now() + pauseMs >= deadline) {
        throw new TimeoutError(
          'coordinator-timeout',
          `${keyType} "${key}" had no coordinator before the deadline; is the cluster's internal topic available?`,
          { retriable: true, cause: brokerError(answer.errorCode, 'looking it up') },
        )
      }
      await this.#rotation.rest(pauseMs, signal)
    }
  }

  forget(key: string, keyType: KeyType): void {
    this.#known.delete(nameOf(key, keyType))
  }
}

function nameOf(key: string, keyType: KeyType): string {
  return `${keyType}:${key}`
}
