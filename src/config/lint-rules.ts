import type { LintedConsumer, LintedTopic, LintFacts, LintRule } from './lint-facts.js'
import { groupRules } from './lint-group-rules.js'

/** Stable; more may come. */
export type LintCode =
  | 'session-outside-broker'
  | 'rebalance-before-heartbeat'
  | 'request-over-session'
  | 'drain-over-rebalance'
  | 'transaction-over-broker'
  | 'close-over-grace'
  | 'drain-over-close'
  | 'delay-topic-missing'
  | 'delay-topic-compacted'
  | 'delay-topic-too-narrow'
  | 'delay-topic-too-small'
  | 'delay-topic-not-writable'
  | 'delay-over-retention'
  | 'dead-letter-missing'
  | 'dead-letter-compacted'
  | 'dead-letter-forgets'
  | 'dead-letter-too-small'
  | 'dead-letter-not-writable'
  | 'instance-id-twice'
  | 'no-common-assignor'
  | 'delay-topics-shared'

/** What `closeOnSignal` takes beside the close: 4 s to stop the intake, 0.5 s to end by force. */
const besideCloseMs = 4_500

/** The default of `drainMs`. Whoever wrote nothing takes a shorter close for what it is. */
const usualDrainMs = 30_000

/** Of the rebalance timeout; the rest is for the commit and the way back. */
const drainShare = 0.6

/**
 * Every rule there is.
 *
 * | code | what cannot work |
 * |------|------------------|
 * | `session-outside-broker` | the coordinator refuses the member: its session timeout is none that brokers allow |
 * | `rebalance-before-heartbeat` | the member hears of a rebalance by a heartbeat, and is put out before the next one |
 * | `request-over-session` | one heartbeat without an answer, and the session is over before the second is sent |
 * | `drain-over-rebalance` | handlers are cut off earlier than `drainMs` says |
 * | `transaction-over-broker` | the coordinator refuses the transactional id |
 * | `close-over-grace` | the process is killed while it closes |
 * | `drain-over-close` | a close cuts handlers off earlier than `drainMs` says |
 * | `delay-topic-missing`, `dead-letter-missing` | what fails has nowhere to go, and stops its partition |
 * | `delay-topic-compacted`, `dead-letter-compacted` | a record replaces the former one of its key |
 * | `delay-topic-too-narrow` | the partition that a record would wait in does not exist |
 * | `delay-over-retention` | records are deleted while they wait |
 * | `dead-letter-forgets` | letters are deleted before the records they came from |
 * | `delay-topic-too-small`, `dead-letter-too-small` | a record that its topic takes is too large to be put there |
 * | `delay-topic-not-writable`, `dead-letter-not-writable` | nothing can be put there: more replicas must be in sync than there are |
 * | `instance-id-twice` | two members put each other out |
 * | `no-common-assignor` | the group refuses a member |
 * | `delay-topics-shared` | two groups handle what one of them put off |
 */
export const lintRules: Readonly<Record<LintCode, LintRule>> = {
  'session-outside-broker': {
    severity: 'error',
    find: ({ consumers, broker }) =>
      ofMembers(consumers, ({ groupProtocol, sessionTimeoutMs }) => {
        const least = numberOf(broker, 'group.min.session.timeout.ms') ?? 0
        const most = numberOf(broker, 'group.max.session.timeout.ms') ?? Infinity
        // Under the consumer protocol the brokers set it.
        if (groupProtocol === 'consumer' || (sessionTimeoutMs >= least && sessionTimeoutMs <= most)) return null
        return {
          reason: `sessionTimeoutMs is ${sessionTimeoutMs}, and the brokers allow ${least} to ${most}`,
          fix: 'write a sessionTimeoutMs between them, or change group.min or group.max.session.timeout.ms',
        }
      }),
  },
  'rebalance-before-heartbeat': {
    severity: 'error',
    find: ({ consumers }) =>
      ofMembers(consumers, ({ rebalanceTimeoutMs, heartbeatIntervalMs }) =>
        rebalanceTimeoutMs > heartbeatIntervalMs
          ? null
          : {
              reason: `rebalanceTimeoutMs is ${rebalanceTimeoutMs}, and heartbeats go every ${heartbeatIntervalMs} ms`,
              fix: 'write a rebalanceTimeoutMs of many heartbeats; 60,000 is the default',
            },
      ),
  },
  'request-over-session': {
    severity: 'warning',
    find: ({ consumers }) =>
      ofMembers(consumers, ({ groupProtocol, requestTimeoutMs, heartbeatIntervalMs, sessionTimeoutMs }) =>
        groupProtocol === 'consumer' || requestTimeoutMs + heartbeatIntervalMs <= sessionTimeoutMs
          ? null
          : {
              reason:
                `a heartbeat (every ${heartbeatIntervalMs} ms) is given up after requestTimeoutMs, ${requestTimeoutMs}, ` +
                `when the session of ${sessionTimeoutMs} ms is over`,
              fix: 'lower requestTimeoutMs, or raise sessionTimeoutMs',
            },
      ),
  },
  'drain-over-rebalance': {
    severity: 'warning',
    find: ({ consumers }) =>
      ofMembers(consumers, ({ drainMs, rebalanceTimeoutMs, heartbeatIntervalMs }) => {
        const most = Math.max(0, Math.floor(rebalanceTimeoutMs * drainShare) - heartbeatIntervalMs)
        if (drainMs <= most) return null
        return {
          reason: `drainMs is ${drainMs}, and a rebalance of ${rebalanceTimeoutMs} ms leaves ${most} for it`,
          fix: `write drainMs: ${most}, or raise rebalanceTimeoutMs`,
        }
      }),
  },
  'transaction-over-broker': {
    severity: 'error',
    find: ({ consumers, broker }) =>
      ofEach(consumers, ({ transactionTimeoutMs }) => {
        const most = numberOf(broker, 'transaction.max.timeout.ms') ?? Infinity
        if (transactionTimeoutMs === null || transactionTimeoutMs <= most) return null
        return {
          reason: `transaction.timeoutMs is ${transactionTimeoutMs}, and the brokers allow ${most}`,
          fix: 'lower it, or raise transaction.max.timeout.ms of the brokers',
        }
      }),
  },
  'close-over-grace': {
    severity: 'error',
    find: ({ closeTimeoutMs, graceMs }) => {
      if (graceMs === null || closeTimeoutMs + besideCloseMs <= graceMs) return []
      const fix = `write closeTimeoutMs: ${Math.max(0, graceMs - besideCloseMs)}, or give the process more time to end`
      return [
        {
          subject: 'messaging',
          reason: `a close takes up to ${closeTimeoutMs} ms and ${besideCloseMs} beside it, and the process is killed after ${graceMs}`,
          fix,
        },
      ]
    },
  },
  'drain-over-close': {
    severity: 'warning',
    find: ({ consumers, closeTimeoutMs }) =>
      ofMembers(consumers, ({ drainMs }) =>
        drainMs <= Math.max(closeTimeoutMs, usualDrainMs)
          ? null
          : {
              reason: `drainMs is ${drainMs}, and a close of the messaging takes ${closeTimeoutMs} ms at the most`,
              fix: 'raise closeTimeoutMs of createMessaging, and what the process is given to end; or lower drainMs',
            },
      ),
  },
  'delay-topic-missing': {
    severity: 'error',
    find: ({ consumers, topics }) =>
      ofDelayTopics(consumers, ({ topic }) =>
        topics.get(topic) === null
          ? { reason: `${topic} does not exist`, fix: 'call ensureTopics(consumer.delayTopics)' }
          : null,
      ),
  },
  'delay-topic-compacted': {
    severity: 'error',
    find: ({ consumers, topics }) =>
      ofDelayTopics(consumers, ({ topic }) =>
        isCompacted(topics.get(topic))
          ? { reason: `${topic} is compacted`, fix: 'set its cleanup.policy to delete' }
          : null,
      ),
  },
  'delay-topic-too-narrow': {
    severity: 'error',
    find: ({ consumers, topics }) =>
      ofDelayTopics(consumers, ({ topic, source }) => {
        const [own, wanted] = [topics.get(topic)?.partitions, topics.get(source)?.partitions]
        if (own === undefined || wanted === undefined || own >= wanted) return null
        return {
          reason: `${topic} has ${own} partitions, and ${source} has ${wanted}`,
          fix: `admin.createPartitions('${topic}', ${wanted})`,
        }
      }),
  },
  'delay-topic-too-small': {
    severity: 'warning',
    find: ({ consumers, topics }) =>
      ofDelayTopics(consumers, ({ topic, source }) => smaller({ topic, source, config: 'max.message.bytes' }, topics)),
  },
  'delay-topic-not-writable': {
    severity: 'error',
    find: ({ consumers, topics }) => ofDelayTopics(consumers, ({ topic }) => unwritable(topic, topics)),
  },
  'delay-over-retention': {
    severity: 'error',
    find: ({ consumers, topics }) =>
      ofDelayTopics(consumers, ({ topic, delayMs }) => {
        const keptMs = limitOf(topics.get(topic), 'retention.ms')
        // As long again for a consumer that stands still meanwhile.
        if (keptMs === null || keptMs >= 2 * delayMs) return null
        return {
          reason: `${topic} keeps records for ${keptMs} ms, and they wait ${delayMs} ms`,
          fix: `raise its retention.ms to ${2 * delayMs} at least`,
        }
      }),
  },
  'dead-letter-missing': {
    severity: 'error',
    find: ({ consumers, topics }) =>
      ofEach(consumers, ({ deadLetter }) =>
        deadLetter !== null && topics.get(deadLetter) === null
          ? { reason: `${deadLetter} does not exist`, fix: 'create it, for example with ensureTopics' }
          : null,
      ),
  },
  'dead-letter-compacted': {
    severity: 'error',
    find: ({ consumers, topics }) =>
      ofEach(consumers, ({ deadLetter }) =>
        deadLetter !== null && isCompacted(topics.get(deadLetter))
          ? { reason: `${deadLetter} is compacted`, fix: 'set its cleanup.policy to delete' }
          : null,
      ),
  },
  'dead-letter-forgets': {
    severity: 'warning',
    find: (facts) => ofSmallerLetters(facts, 'retention.ms'),
  },
  'dead-letter-too-small': {
    severity: 'warning',
    find: (facts) => ofSmallerLetters(facts, 'max.message.bytes'),
  },
  'dead-letter-not-writable': {
    severity: 'error',
    find: ({ consumers, topics }) =>
      ofEach(consumers, ({ deadLetter }) => (deadLetter === null ? null : unwritable(deadLetter, topics))),
  },
  ...groupRules,
}

type Found = ReturnType<LintRule['find']>[number]
type Problem = Omit<Found, 'subject'> | null

function ofEach(consumers: readonly LintedConsumer[], judge: (consumer: LintedConsumer) => Problem): readonly Found[] {
  return consumers.flatMap((consumer) => {
    const problem = judge(consumer)
    return problem === null ? [] : [{ subject: consumer.subject, ...problem }]
  })
}

function ofMembers(
  consumers: readonly LintedConsumer[],
  judge: (membership: NonNullable<LintedConsumer['membership']>) => Problem,
): readonly Found[] {
  return ofEach(consumers, ({ membership }) => (membership === null ? null : judge(membership)))
}

function ofDelayTopics(
  consumers: readonly LintedConsumer[],
  judge: (delay: LintedConsumer['delayTopics'][number]) => Problem,
): readonly Found[] {
  return consumers.flatMap(({ subject, delayTopics }) =>
    delayTopics.flatMap((delay) => {
      const problem = judge(delay)
      return problem === null ? [] : [{ subject, ...problem }]
    }),
  )
}

/** Dead-letter topics whose limit is below that of a topic whose records come there. */
function ofSmallerLetters({ consumers, topics }: LintFacts, config: string): readonly Found[] {
  return consumers.flatMap(({ subject, deadLetter, topics: sources }) =>
    sources.flatMap((source) => {
      const problem = deadLetter === null ? null : smaller({ topic: deadLetter, source, config }, topics)
      return problem === null ? [] : [{ subject, ...problem }]
    }),
  )
}

function smaller(
  { topic, source, config }: { readonly topic: string; readonly source: string; readonly config: string },
  topics: LintFacts['topics'],
): Problem {
  const [own, theirs] = [limitOf(topics.get(topic), config), limitOf(topics.get(source), config)]
  if (own === null || theirs === null || own >= theirs) return null
  return {
    reason: `${config} of ${topic} is ${own}, and that of ${source} is ${textOf(theirs)}`,
    fix: `set ${config} of ${topic} to ${textOf(theirs)}`,
  }
}

/** By whoever waits for all replicas in sync, as everything does that a consumer puts elsewhere. */
function unwritable(name: string, topics: LintFacts['topics']): Problem {
  const topic = topics.get(name)
  const least = numberOf(topic?.configs ?? new Map(), 'min.insync.replicas')
  const replicas = topic?.replicas ?? null
  if (least === null || replicas === null || least <= replicas) return null
  return {
    reason: `${name} has ${replicas} replica(s), and min.insync.replicas is ${least}`,
    fix: `set min.insync.replicas of ${name} to ${replicas}, or give it more replicas`,
  }
}

function isCompacted(topic: LintedTopic | null | undefined): boolean {
  return topic?.configs.get('cleanup.policy')?.includes('compact') === true
}

/** A setting of which -1 says that there is no limit; `null` when it is not known. */
function limitOf(topic: LintedTopic | null | undefined, config: string): number | null {
  const limit = numberOf(topic?.configs ?? new Map(), config)
  return limit === null || limit >= 0 ? limit : Infinity
}

function textOf(limit: number): string {
  return limit === Infinity ? '-1' : String(limit)
}

function numberOf(configs: ReadonlyMap<string, string | null>, name: string): number | null {
  const value = configs.get(name) ?? ''
  return value === '' || Number.isNaN(Number(value)) ? null : Number(value)
}
