import type { Messaging } from 'tidemark'
import { isRefusedForGood } from 'tidemark/sql'
import type { Store } from './store/store.js'
import type { AlarmTopics } from './topics.js'

/** A service that reads a topic. */
export interface Service<Counts = Readonly<Record<string, number>>> {
  start(): Promise<void>
  /** What was done since the start, repeats included. */
  counts(): Readonly<Counts>
  /** What it has not handled yet, as of its last look at the log; `null` while it is not known. */
  lag(): number | null
}

export interface ServiceReports {
  /** Something is down; the service tries again. */
  readonly onTrouble?: (error: unknown) => void
  /** The service cannot go on, or not with one partition. */
  readonly onStopped?: (error: Error) => void
}

/** What every service is given. */
export interface ServiceParts extends ServiceReports {
  readonly messaging: Messaging
  readonly store: Store
  readonly topics?: AlarmTopics
  /**
   * Name that this instance keeps over restarts (static membership): its next process has its partitions at once, even
   * after kill -9. Without one the group waits for a dead process until its session times out.
   */
  readonly groupInstanceId?: string
}

/** What the consumers of all services have in common. */
export function memberOf(group: string, { groupInstanceId, onStopped }: Omit<ServiceParts, 'messaging' | 'store'>) {
  return {
    group,
    groupInstanceId: groupInstanceId ?? null,
    onPartitionStopped: (_partition: unknown, error: Error): void => onStopped?.(error),
    onFailed: (error: Error): void => onStopped?.(error),
  }
}

/** The same of those whose batch is a transaction of a database, which may be down for as long as it likes. */
export function writerOf(group: string, parts: Omit<ServiceParts, 'messaging' | 'store'>) {
  return {
    ...memberOf(group, parts),
    // A handler that sits an outage out has not failed.
    handlerTimeoutMs: 86_400_000,
    // A batch that is refused is taken apart; anything else is the database's fault: it pauses, and no attempt is spent.
    classify: (error: unknown): 'fatal' | 'unavailable' => {
      if (isRefusedForGood(error)) return 'fatal'
      parts.onTrouble?.(error)
      return 'unavailable'
    },
  }
}
