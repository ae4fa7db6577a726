import type { ClientEvent, EventKind, EventOf, Unavailable, WaitsFor } from './events.js'
import type { Telemetry } from './guard.js'
import type { LogLevel } from './logger.js'
import type { Metrics } from './metrics.js'
import type { Lasting, Say } from './troubles.js'

interface Rule<Event> {
  readonly level: LogLevel | ((event: Event) => LogLevel)
  readonly message: string | ((event: Event) => string)
  readonly count?: (metrics: Metrics, event: Event) => void
}

const adviceOn: Readonly<Record<WaitsFor, string>> = {
  handler: 'its handlers do not end; look at what they wait for',
  outage: 'its handlers fail and nothing succeeds; look at the error and at what they depend on',
  retry: 'its handlers fail and are tried again; look at the error',
  place: 'handlers of other partitions take all places; raise concurrency or make them faster',
  loop: 'the loop over its batches() holds one without done() or commit(), or asks for none',
  'dead-letter': 'its dead letters are not acknowledged; look at the dead-letter topic',
  order: 'its records wait for their turn in event time; look at facts().order for what holds the watermark',
  schema: 'what its next record is decoded with cannot be had; look at the schema registry',
  'delay-topic': 'a delay topic cannot be written, or read to the end it had; look at its leaders',
  commit: 'the commit of its last record is not confirmed; look at the coordinator of the group',
  hook: 'onAssigned has not said where it starts; look at what that waits for',
  seek: 'it stopped at a record that could not be handled; mend the handler and restart it, or set deadLetter',
  fetch: 'its records are not fetched; check that its leader is reachable',
}

const adviceOnTopic: Readonly<Record<Unavailable, string>> = {
  missing:
    'a topic that is read does not exist; nothing of it is read until it appears; create it, or correct its name',
  deleted: 'a topic that is read was deleted; nothing of it is read until it appears again',
  forbidden: 'a topic that is read may not be seen; nothing of it is read; grant DESCRIBE and READ on it',
}

/** How each kind of event is told. */
const rules: { readonly [Kind in EventKind]: Rule<EventOf<Kind>> } = {
  connected: { level: 'info', message: 'connected to its cluster' },
  'broker-silent': {
    level: 'warn',
    message: 'a broker does not answer; it is asked again; check that it runs and can be reached from here',
  },
  'broker-answers': { level: 'info', message: 'a broker answers again' },
  'broker-unasked': { level: 'info', message: 'a broker that did not answer is not needed any more' },
  'topic-unavailable': { level: 'warn', message: ({ why }) => adviceOnTopic[why] },
  'topic-available': { level: 'info', message: 'a topic that was missing can be read now' },
  assigned: { level: 'info', message: 'partitions were taken' },
  'start-unrecorded': {
    level: 'warn',
    message: 'starts are not on record yet; a crash before they are would pass over what is written',
  },
  'starts-unknown': {
    level: 'warn',
    message:
      'partitions have no starting point yet and are not read; look at their leaders and at the coordinator of the group',
  },
  'starts-known': { level: 'info', message: 'no partition is without a starting point any more' },
  'hook-failed': {
    level: 'warn',
    message: ({ hook }) =>
      hook === 'onAssigned'
        ? 'onAssigned did not say where partitions start; they are held, and it is asked again'
        : 'onRevoked did not end well; its partitions were given up all the same',
  },
  reset: { level: 'warn', message: 'partition was reset' },
  'partition-unreadable': {
    level: 'warn',
    message: 'a partition cannot be read on; it stops when what was fetched is handled',
  },
  drained: {
    level: ({ drain }) => (isInDoubt(drain) ? 'warn' : 'info'),
    message: ({ drain }) =>
      isInDoubt(drain) ? 'partitions were given up; some records may be handled twice' : 'partitions were given up',
    count: (metrics, { drain }) => {
      metrics.count('tidemark_consumer_rebalances_total', { kind: drain.reason })
      for (const { topic, from, to } of drain.possibleDuplicates)
        metrics.count('tidemark_consumer_possible_repeats_total', { topic }, to - from)
    },
  },
  'drain-late': { level: 'warn', message: 'drain was not done in time; records may be repeated' },
  'partition-stopped': {
    level: 'error',
    message: 'partition stopped; mend what stopped it, then call restart or seek',
  },
  'partition-restarted': { level: 'info', message: 'a stopped partition goes on' },
  'failed-meanwhile': { level: 'error', message: 'a record failed while its partition was stopped or given up' },
  'position-jumped': {
    level: 'warn',
    message: ({ policy }) =>
      `position out of range: going on at the ${policy} offset; records were lost or are repeated`,
    count: (metrics, { topic, policy: to }) => metrics.count('tidemark_consumer_position_jumps_total', { topic, to }),
  },
  'topic-made-anew': {
    level: 'warn',
    message: 'the topic was deleted and made anew: what was unread of it is gone; the new one is read from its start',
    count: (metrics, { topic }) => metrics.count('tidemark_consumer_position_jumps_total', { topic, to: 'earliest' }),
  },

  'duplicates-dropped': { level: 'debug', message: 'records were handled before, as their marks say, and are dropped' },
  discarded: { level: 'info', message: 'record discarded by its handler' },
  'dead-lettered': {
    level: 'warn',
    message: 'a record failed and was put on the dead-letter topic',
    count: (metrics, { topic, reason }) => metrics.count('tidemark_consumer_dead_letters_total', { topic, reason }),
  },
  'dead-letter-delayed': {
    level: 'warn',
    message: 'dead letter not stored; its partition waits and the write is tried again',
  },
  'put-off': {
    level: 'info',
    message: 'a record failed and was put on a delay topic; it is tried again later',
  },
  'put-off-delayed': {
    level: 'warn',
    message: 'a record was not stored on its delay topic; its partition waits and the write is tried again',
  },
  'handling-retried': {
    level: 'debug',
    message: 'a handler failed and is tried again',
    count: (metrics, { topic }) => metrics.count('tidemark_consumer_retries_total', { topic }),
  },
  'outage-began': {
    level: 'warn',
    message: ({ cause }) =>
      cause === 'unavailable'
        ? 'a handler, or onWatermark, says that what it needs is not available; the partition pauses and tries one at a time'
        : 'handlers fail and nothing succeeds, which is taken for an outage: the partition pauses and tries one record at a time',
    count: (metrics, { topic, cause }) => metrics.count('tidemark_consumer_outages_total', { topic, cause }),
  },
  'outage-ended': {
    level: 'info',
    message: ({ by }) =>
      by === 'success'
        ? 'what failed succeeds again; the partition goes on'
        : 'a partition in an outage is no longer read here, or not from there, or not in that order',
  },
  'decoding-held-up': {
    level: 'warn',
    message: ({ what }) =>
      `${what} cannot be had, and records wait for it; look at the error and at the registry, nothing is given up meanwhile`,
    count: (metrics, { topic }) => metrics.count('tidemark_consumer_decoding_delays_total', { topic }),
  },
  'decoding-goes-on': { level: 'info', message: 'what records are decoded with is there again' },
  'given-up-in-doubt': {
    level: 'warn',
    message: 'nothing has succeeded for long, so one record is given up to see whether the next one succeeds',
  },
  'handler-timed-out': {
    level: 'debug',
    message: 'a handler did not end in time',
    count: (metrics, { topic }) => metrics.count('tidemark_consumer_handler_timeouts_total', { topic }),
  },
  'handler-overruns': {
    level: 'warn',
    message: ({ handledBy }) =>
      handledBy === 'loop'
        ? 'a loop holds a batch whose time is over without done(), commit() or fail(); it has failed, and later records are handled beside it'
        : 'a handler goes on although its time is over and its signal aborted; later records are handled beside it',
  },
  stalled: {
    level: 'warn',
    message: ({ waitsFor }) => `a partition makes no progress: ${adviceOn[waitsFor]}`,
    count: (metrics, { topic, waitsFor }) =>
      metrics.count('tidemark_consumer_stalls_total', { topic, waits_for: waitsFor }),
  },
  'stall-ended': { level: 'info', message: 'the partition makes progress again' },
  'watermark-held': {
    level: 'warn',
    message: ({ clamped }) =>
      'records wait in the order of event time and the watermark stands; look at the partition that holds it, and at withIdleness' +
      (clamped === 0
        ? ''
        : ', and, since times of some records are not believed and move no watermark, at the clock of this process'),
  },
  'watermark-moves': { level: 'info', message: 'the watermark moves again' },
  'order-unknown': {
    level: 'warn',
    message: 'what was kept of the order of a partition is not from this version; some of its records may be repeated',
  },
  'readers-held-up': {
    level: 'warn',
    message: ({ transactionalId, producerId }) =>
      `an open transaction holds up the reading of committed records; ${whose(transactionalId, producerId)}`,
  },
  'readers-go-on': {
    level: 'info',
    message: 'the transaction that held up the reading of committed records has ended',
  },
  'fetch-unanswered': {
    level: 'warn',
    message: 'no fetch was answered for long; check that the brokers are reachable',
  },
  'fetch-answered': { level: 'info', message: 'fetches are answered again' },
  'fetch-crashed': {
    level: 'error',
    message: 'the fetch loop met a defect and starts again; please report it',
    count: (metrics) => metrics.count('tidemark_consumer_crashes_total', {}),
  },
  'commit-delayed': {
    level: 'warn',
    message:
      'commits are not stored and tried again; a crash now would repeat what they cover; look at the coordinator of the group',
  },
  'commit-forbidden': {
    level: 'error',
    message:
      'committing is not authorised, so a restart will handle records again; grant READ on the group and its topics',
  },
  'transaction-aborted': {
    level: 'warn',
    message: 'a transaction was aborted: nothing of it is visible, and what was handled in it is handled again',
  },
  'commit-caught-up': { level: 'info', message: 'no commit waits to be tried again' },

  joined: { level: 'info', message: 'joined its group' },
  'outside-group': { level: 'warn', message: 'a member is not in its group and reads nothing; it goes on trying' },
  'inside-group-again': { level: 'info', message: 'in its group again' },
  'member-stuck': {
    level: 'error',
    message:
      'the way into the group hangs in this process, for longer than its requests may take; restart it and report this',
  },
  'member-moves': { level: 'info', message: 'the way into the group goes on' },
  left: { level: 'info', message: 'left its group' },
  'membership-lost': { level: 'warn', message: ({ next }) => `membership of the group was lost; ${next}` },
  failed: { level: 'error', message: 'the consumer failed' },
  'failed-while-stopping': { level: 'error', message: 'the consumer met an error while stopping' },
  'stopped-in-disorder': { level: 'error', message: 'the consumer did not stop in order' },
  stopped: { level: 'info', message: 'the consumer stopped' },

  'deliveries-delayed': {
    level: 'warn',
    message: 'batches are not stored and sent again until their delivery deadline; look at the leaders of their topics',
  },
  'deliveries-resumed': { level: 'info', message: 'batches are stored again' },
  'doubt-resolved': {
    level: 'info',
    message: 'a batch in doubt is stored, once',
    count: (metrics, { topic }) => metrics.count('tidemark_producer_doubts_resolved_total', { topic }),
  },
  retried: {
    level: 'debug',
    message: 'a batch is sent again',
    count: (metrics, { topic, reason }) => metrics.count('tidemark_producer_retries_total', { topic, reason }),
  },
  'epoch-raised': {
    level: 'warn',
    message: 'producer epoch raised for this partition',
    count: (metrics, { topic, reason }) => metrics.count('tidemark_producer_epoch_bumps_total', { topic, reason }),
  },
  'offset-regressed': {
    level: 'warn',
    message: 'offset went back: unclean leader election or new topic?',
    count: (metrics, { topic }) => metrics.count('tidemark_producer_offset_regressions_total', { topic }),
  },

  'relay-leads': { level: 'info', message: 'the relay sends what its outbox holds' },
  'relay-stands-by': { level: 'info', message: 'the relay sends no more, and waits until it may' },
  'outbox-unreachable': {
    level: 'warn',
    message: 'the database of an outbox does not answer; nothing of it is sent; look at the database',
  },
  'outbox-reached': { level: 'info', message: 'the database of an outbox answers again' },
  'outbox-not-sent': {
    level: 'warn',
    message: ({ topic }) => `rows of an outbox for topic ${topic} are not stored and are sent again; look at the topic`,
  },
  'outbox-sent-again': {
    level: 'info',
    message: ({ topic }) => `rows of an outbox for topic ${topic} are stored again`,
  },
  'outbox-row-held': {
    level: 'error',
    message: ({ topic }) =>
      `a row of an outbox for topic ${topic} is refused for good, and its key waits; mend its cause and release it, or discard it`,
    count: (metrics, { topic }) => metrics.count('tidemark_outbox_refused_total', { topic }),
  },

  'not-durable': {
    level: 'warn',
    message: ({ topic }) => `topic ${topic} is not kept as the profile promises; mend it with the command`,
  },
  'durability-unverified': {
    level: 'warn',
    message: ({ topic }) => `whether topic ${topic} is kept as the profile promises is not verified`,
  },
  'single-broker': {
    level: 'warn',
    message: 'the cluster has one broker: what it acknowledges is lost with its disk',
  },
  'settings-conflict': {
    level: 'warn',
    message: ({ subject, reason, fix }) => `settings of ${subject} do not go together: ${reason}; ${fix}`,
  },
  'topic-differs': {
    level: 'warn',
    message: ({ topic }) =>
      `topic ${topic} exists in another shape than it is defined; change the topic or its definition`,
  },
}

/** All there are. */
export const eventKinds = Object.keys(rules) as readonly EventKind[]

/**
 * Tells what happened, once: counted, written, and passed on to who listens. What lasts may be told as often as it is met:
 * the troubles of the client decide when it is written again, and its end may be told although nothing was wrong. Call it
 * when the change is complete: foreign code may run in it.
 */
export function tell(telemetry: Telemetry, event: ClientEvent): void {
  const { troubles } = telemetry
  if (troubles === undefined) say(telemetry, event, 'first')
  else troubles.take(event, (told, which, lasting) => say(telemetry, told, which, lasting))
}

type Which = Parameters<Say>[1]

function say(telemetry: Telemetry, event: ClientEvent, which: Which, lasting?: Lasting): void {
  const { level, message, count } = rules[event.kind] as Rule<ClientEvent>
  const { kind, ...fields } = event
  if (which !== 'again') count?.(telemetry.metrics, event)
  const line = typeof message === 'string' ? message : message(event)
  const grave = typeof level === 'string' ? level : level(event)
  telemetry.logger[which === 'repeated' ? 'info' : grave]({ event: kind, ...fields, ...lasting }, line)
  if (which !== 'again') telemetry.onEvent?.(event)
}

function isInDoubt({ abandoned, possibleDuplicates }: EventOf<'drained'>['drain']): boolean {
  return abandoned > 0 || possibleDuplicates.length > 0
}

function whose(transactionalId: string | null, producerId: number | null): string {
  if (transactionalId !== null) return 'look at who has that transactional id'
  if (producerId !== null) return 'no coordinator knows of it: kafka-transactions.sh abort ends it'
  return 'brokers do not tell whose it is (Kafka 3.0 and newer, with DESCRIBE)'
}
