/** How grave a reason is, and what an orchestrator does about it. */
export type Gravity =
  /** Works, and somebody should look: `/ready` and `/live` say yes. */
  | 'degraded'
  /** Does no work now, and may again by itself: `/ready` says no. */
  | 'not-ready'
  /** Only a new process can help: `/live` says no. */
  | 'not-live'

/** Stable; more may come. */
export type HealthCode =
  | 'closing'
  | 'consumer-idle'
  | 'consumer-starting'
  | 'consumer-stopping'
  | 'consumer-failed'
  | 'no-broker'
  | 'broker-silent'
  | 'topic-unavailable'
  | 'coordinator-gone'
  | 'session-lost'
  | 'join-stuck'
  | 'member-stuck'
  | 'predecessor-not-gone'
  | 'fetch-unanswered'
  | 'partition-without-start'
  | 'partition-stopped'
  | 'dead-letter-flood'
  | 'head-blocked'
  | 'handler-stalled'
  | 'partition-stalled'
  | 'handler-overruns'
  | 'breaker-open'
  | 'dead-letters-failing'
  | 'delay-topic-failing'
  | 'schema-missing'
  | 'commit-delayed'
  | 'readers-held-up'
  | 'watermark-held'
  | 'producer-in-doubt'
  | 'deliveries-delayed'
  | 'outbox-unreachable'
  | 'outbox-not-sent'
  | 'event-loop-blocked'

/** One kind of reason. */
interface Words {
  readonly gravity: Gravity
  /** What is wrong. */
  readonly text: string
  /** What to do. */
  readonly remedy: string
}

/**
 * Every reason there is. None grows graver by lasting: an outage of brokers or of what handlers need, or a join that waits for
 * others, meets all instances at once, and they would all restart, into the same ([decision 14](../../docs/decisions/0014-what-only-a-new-process-can-cure.md)).
 *
 * | reason | seen by |
 * |--------|---------|
 * | `closing` | `close` was called |
 * | `consumer-idle`, `consumer-starting`, `consumer-stopping`, `consumer-failed` | the state of a consumer |
 * | `broker-silent` | the trouble of that name, of a broker |
 * | `no-broker` | the same, of all addresses that were given |
 * | `coordinator-gone` | a member whose heartbeats were not answered for 12 s, or one that never was in its group and asks for its coordinator |
 * | `session-lost` | out of the group for 10 s, was in it, and does not find its coordinator |
 * | `join-stuck` | out of the group for 10 s, and its join is not answered: it waits for other members |
 * | `member-stuck` | an attempt to enter the group outlasts every deadline of its requests |
 * | `predecessor-not-gone` | its join is refused for another process of its instance id |
 * | `fetch-unanswered`, `topic-unavailable`, `commit-delayed`, `readers-held-up`, `watermark-held`, `schema-missing`, `delay-topic-failing`, `outbox-unreachable`, `outbox-not-sent` | the trouble |
 * | `partition-without-start` | `startless`, once the trouble counts |
 * | `partition-stopped` | a partition stopped at a record |
 * | `dead-letter-flood` | the same, by the breaker of dead letters |
 * | `head-blocked` | no progress: the record at the head fails and is tried again |
 * | `handler-stalled` | no progress: a handler, or the loop, does not end |
 * | `partition-stalled` | no progress for another reason |
 * | `breaker-open` | an outage: the partition tries one record at a time |
 * | `dead-letters-failing` | dead letters are not stored |
 * | `handler-overruns` | a handler goes on although its signal aborted |
 * | `producer-in-doubt` | batches are not stored, and the last answer is missing |
 * | `deliveries-delayed` | batches are not stored, and a broker said why |
 * | `event-loop-blocked` | timers came late |
 */
export const reasons: Readonly<Record<HealthCode, Words>> = {
  closing: { gravity: 'not-ready', text: 'it is closing', remedy: 'nothing: it ends by itself' },
  'consumer-idle': { gravity: 'not-ready', text: 'a consumer was not started', remedy: 'call its start()' },
  'consumer-starting': {
    gravity: 'not-ready',
    text: 'a consumer has no partitions yet, since it is starting',
    remedy: 'wait for its start(); if that lasts, look at the other reasons',
  },
  'consumer-stopping': { gravity: 'not-ready', text: 'a consumer is stopping', remedy: 'nothing: it ends by itself' },
  'consumer-failed': {
    gravity: 'not-live',
    text: 'a consumer failed and reads nothing more',
    remedy: 'mend what its error says and restart the process',
  },
  'no-broker': {
    gravity: 'not-ready',
    text: 'none of the brokers that were given answers',
    remedy: 'check the addresses, and that they can be reached from here',
  },
  'broker-silent': {
    gravity: 'degraded',
    text: 'a broker does not answer',
    remedy: 'check that it runs and can be reached from here',
  },
  'topic-unavailable': {
    gravity: 'degraded',
    text: 'nothing of a topic can be read',
    remedy: 'create it, correct its name, or grant DESCRIBE and READ on it',
  },
  'coordinator-gone': {
    gravity: 'not-ready',
    text: 'the coordinator of a group does not answer its member',
    remedy: 'look at the broker that coordinates it, and at the topic __consumer_offsets',
  },
  'session-lost': {
    gravity: 'not-ready',
    text: 'a member was put out of its group and has not found back',
    remedy: 'look at the brokers, and whether this process had the processor all the time',
  },
  'join-stuck': {
    gravity: 'not-ready',
    text: 'a member waits in the join of its group, for others that do not come',
    remedy: 'look for members that hang or were killed; a stable groupInstanceId spares the wait after a restart',
  },
  'member-stuck': {
    gravity: 'not-live',
    text: 'the way of a member into its group hangs in this process, for longer than all its requests may take',
    remedy: 'restart the process, and report this with its log',
  },
  'predecessor-not-gone': {
    gravity: 'not-ready',
    text: 'the group still has a member of the same groupInstanceId, which went without leaving or runs still',
    remedy:
      'wait for the end of its session (45 s unless the group has another), or stop the process that has the name',
  },
  'fetch-unanswered': {
    gravity: 'degraded',
    text: 'no broker answers a fetch',
    remedy: 'look at the leaders of its topics',
  },
  'partition-without-start': {
    gravity: 'degraded',
    text: 'nobody can tell where partitions start, so they are not read',
    remedy: 'look at their leaders and at the coordinator of the group',
  },
  'partition-stopped': {
    gravity: 'degraded',
    text: 'a partition stopped at a record that could not be handled',
    remedy: 'mend the cause, then call restart or seek; a dead-letter topic would take such records',
  },
  'dead-letter-flood': {
    gravity: 'degraded',
    text: 'a partition stopped since too many of its records became dead letters',
    remedy: 'look whether reader and writer fit together, then call restart',
  },
  'head-blocked': {
    gravity: 'degraded',
    text: 'the record at the head of a partition fails again and again, and what follows waits',
    remedy: 'look at the error of its handler',
  },
  'handler-stalled': {
    gravity: 'degraded',
    text: 'a handler, or the loop over batches, does not end',
    remedy: 'look at what it waits for; handlerTimeoutMs bounds it',
  },
  'partition-stalled': {
    gravity: 'degraded',
    text: 'a partition has work and makes no progress',
    remedy: 'facts() says what it waits for (waitsFor)',
  },
  'handler-overruns': {
    gravity: 'degraded',
    text: 'a handler goes on although its time is over',
    remedy: 'make it heed the signal of its context',
  },
  'breaker-open': {
    gravity: 'degraded',
    text: 'handlers fail and nothing succeeds: a partition tries one record at a time',
    remedy: 'look at what the handlers depend on',
  },
  'dead-letters-failing': {
    gravity: 'degraded',
    text: 'dead letters are not stored, and their partition waits',
    remedy: 'look at the dead-letter topic: does it exist, and may it be written?',
  },
  'delay-topic-failing': {
    gravity: 'degraded',
    text: 'records are not stored on their delay topic, and their partition waits',
    remedy: 'look at the delay topics: ensureTopics(consumer.delayTopics) makes them',
  },
  'schema-missing': {
    gravity: 'degraded',
    text: 'what a record is decoded with cannot be had',
    remedy: 'look at the schema registry',
  },
  'commit-delayed': {
    gravity: 'degraded',
    text: 'commits are not stored; a crash now would repeat what they cover',
    remedy: 'look at the coordinator of the group',
  },
  'readers-held-up': {
    gravity: 'degraded',
    text: 'an open transaction holds up a reader of committed records',
    remedy: 'find its owner with admin.openTransactions',
  },
  'watermark-held': {
    gravity: 'degraded',
    text: 'records wait for the order of event time, and the watermark stands',
    remedy: 'look at facts().order for what holds it',
  },
  'producer-in-doubt': {
    gravity: 'degraded',
    text: 'batches were sent and no answer came, so nobody knows yet whether they are stored',
    remedy: 'look at the leaders of their topics and at the way to them; they are sent again until their deadline',
  },
  'deliveries-delayed': {
    gravity: 'degraded',
    text: 'batches are not stored, and are sent again until their deadline',
    remedy: 'look at the leaders and in-sync replicas of their topics',
  },
  'outbox-unreachable': {
    gravity: 'degraded',
    text: 'the database of an outbox does not answer its relay',
    remedy: 'look at the database',
  },
  'outbox-not-sent': {
    gravity: 'degraded',
    text: 'rows of an outbox are not stored, and are sent again',
    remedy: 'look at the topic they are for',
  },
  'event-loop-blocked': {
    gravity: 'degraded',
    text: 'the event loop was blocked, or the process had no processor',
    remedy: 'move long computations out of handlers, or give the process more processor',
  },
}
