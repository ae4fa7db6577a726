import { brokerError } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type {
  CreatePartitionsRequest,
  CreateTopicsRequest,
  DeleteTopicsRequest,
} from '../../connection/requests/admin.js'
import { TimeoutError } from '../../errors.js'
import type { Runtime } from '../../runtime/runtime.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { Cluster } from '../cluster/cluster.js'
import { judgeTopicChangeCode } from './codes.js'

export interface TopicChangeParts {
  readonly cluster: Cluster
  readonly runtime: Runtime
  readonly requestTimeoutMs: number
  /** Aborts when nobody waits any more. */
  readonly closed: AbortSignal
}

interface TopicChange<Item> {
  /** Completes "while … "name"". */
  readonly doing: string
  /** What to change, by topic. */
  readonly items: ReadonlyMap<string, Item>
  ask(items: readonly Item[], timeoutMs: number): CreateTopicsRequest | DeleteTopicsRequest | CreatePartitionsRequest
  /** Does this code say that there was nothing to do? `inDoubt`: an earlier attempt may have done it. */
  alreadyDone(code: number, inDoubt: boolean): boolean
  readonly deadline: number
}

/**
 * Asks the controller until each topic was changed, and tells which were changed by us; one that an attempt without an
 * answer may have changed counts among them.
 */
export async function changeTopics<Item>(
  { cluster, runtime, requestTimeoutMs, closed }: TopicChangeParts,
  { doing, items, ask, alreadyDone, deadline }: TopicChange<Item>,
): Promise<readonly string[]> {
  const { clock, random } = runtime
  const open = new Map(items)
  const changed: string[] = []
  let inDoubt = false
  let trouble = 'the deadline had passed'
  for (let attempt = 1; open.size > 0; attempt += 1) {
    if (attempt > 1) {
      const pauseMs = brokerBackoff(attempt - 1, random)
      if (clock.now() + pauseMs >= deadline) throw changeTimeout(doing, [...open.keys()], trouble)
      await clock.sleep(pauseMs, closed)
      await cluster.refresh([], deadline)
    }
    try {
      // The broker gives up before our own clock does, so that its answer tells what happened.
      const timeoutMs = Math.max(1, Math.min(deadline - clock.now(), requestTimeoutMs) - 500)
      const answer = await cluster.controller(ask([...open.values()], timeoutMs), deadline)
      for (const { name, errorCode, errorMessage } of answer.topics) {
        if (!open.has(name)) continue
        const verdict = judgeTopicChangeCode(errorCode)
        const wasDone = verdict.end === 'done'
        if (wasDone || alreadyDone(errorCode, inDoubt)) {
          if (wasDone || inDoubt) changed.push(name)
          open.delete(name)
        } else if (verdict.end === 'ask-again') {
          trouble = brokerError(errorCode, doing).message
          if (verdict.inDoubt) inDoubt = true
        } else {
          throw brokerError(errorCode, `${doing} "${name}"`, { topic: name, fix: remedy(errorMessage, verdict.fix) })
        }
      }
    } catch (failure) {
      if (!(failure instanceof RequestError) || !failure.retriable) throw failure
      if (failure.sent === 'maybe') inDoubt = true
      trouble = failure.message
    }
  }
  return changed
}

/** What the broker says of it comes first: it knows more than its code tells. */
function remedy(words: string | null, fix: string | undefined): string {
  if (words === null || words === '') return fix ?? 'see the error code in the Kafka protocol guide'
  const said = `the broker says: ${words}`
  return fix === undefined ? said : `${said}; ${fix}`
}

function changeTimeout(doing: string, names: readonly string[], trouble: string): TimeoutError {
  const topics = names.map((name) => `"${name}"`).join(', ')
  return new TimeoutError('admin-timeout', `the deadline passed while ${doing} ${topics}; last trouble: ${trouble}`, {
    retriable: true,
    topic: names[0],
  })
}
