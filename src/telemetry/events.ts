import type { TidemarkError } from '../errors.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { DrainReport } from './drain-report.js'

/** What the work of a partition waits for. More may come. */
export type WaitsFor =
  /** A handler that runs. */
  | 'handler'
  /** Another attempt of what failed. */
  | 'retry'
  /** The end of an outage: nothing of it succeeds, and it tries one record at a time. */
  | 'outage'
  /** A free place among `concurrency`. */
  | 'place'
  /** The loop over `batches()`: it holds a batch that is neither done nor committed, or asks for none. */
  | 'loop'
  /** Its dead-letter topic, which cannot be written or is slow. */
  | 'dead-letter'
  /** Its turn in the order of event time: the watermark, or what is handled before it. */
  | 'order'
  /** A delay topic, which cannot be written, or is read to learn which keys wait in it. */
  | 'delay-topic'
  /** What its next record is decoded with, as a schema that its registry does not tell. */
  | 'schema'
  /** The answer to the commit of its last record, before the next begins (`commit: 'confirmed'`). */
  | 'commit'
  /** The user's `onAssigned`, which has not said yet where it starts. */
  | 'hook'
  /** Somebody: it stopped at a record that failed and had nowhere to go. */
  | 'seek'
  /** Its broker. */
  | 'fetch'

/** Why nothing of a topic can be read. More may come. */
export type Unavailable =
  /** No broker knows it. */
  | 'missing'
  /** It was there. */
  | 'deleted'
  | 'forbidden'

/**
 * What happened to a client, by kind; its logger and metrics know whose it is. Plain data but for errors, and never a key or
 * value. A record that is handled is no event. More may come.
 */
export type ClientEvent =
  // The surroundings
  /** A broker answered, and told which others there are. `clusterId` is `null` where brokers do not tell it. */
  | { readonly kind: 'connected'; readonly clusterId: string | null; readonly brokers: readonly number[] }
  /** `bootstrap`: none of the addresses that were given. */
  | { readonly kind: 'broker-silent'; readonly node: number | 'bootstrap'; readonly error: TidemarkError }
  | { readonly kind: 'broker-answers'; readonly node: number | 'bootstrap' }
  /** Nobody asked it for a while: others lead what it led, or it is no longer in the cluster. */
  | { readonly kind: 'broker-unasked'; readonly node: number | 'bootstrap' }
  | { readonly kind: 'topic-unavailable'; readonly topic: string; readonly why: Unavailable }
  | { readonly kind: 'topic-available'; readonly topic: string }
  // Partitions
  /** Partitions were taken, and each is read from its offset. */
  | { readonly kind: 'assigned'; readonly partitions: readonly (TopicPartition & { readonly offset: number })[] }
  /** What a crash now would pass over, since where the partitions start is not on record. */
  | {
      readonly kind: 'start-unrecorded'
      readonly partitions: readonly (TopicPartition & { readonly offset: number })[]
    }
  /** Where they start cannot be told, so they are not read. */
  | { readonly kind: 'starts-unknown'; readonly partitions: readonly TopicPartition[]; readonly rounds: number }
  | { readonly kind: 'starts-known' }
  /**
   * `onAssigned` or `onRevoked` threw, took too long, or answered what is no answer. After `onAssigned` its partitions are
   * held, and it is asked again after `delayMs`.
   */
  | {
      readonly kind: 'hook-failed'
      readonly hook: 'onAssigned' | 'onRevoked'
      readonly partitions: readonly TopicPartition[]
      readonly delayMs: number | null
      readonly error: unknown
    }
  | (TopicPartition & { readonly kind: 'reset'; readonly from: number; readonly to: number; readonly reason: string })
  | (TopicPartition & { readonly kind: 'partition-unreadable'; readonly unsettled: number; readonly error: unknown })
  /** Partitions were given up: revoked, stopped, lost, reset, or forced. */
  | { readonly kind: 'drained'; readonly drain: DrainReport }
  /** The driver's part of it: handlers were not waited for any longer. */
  | { readonly kind: 'drain-late'; readonly partitions: number }
  | (TopicPartition & {
      readonly kind: 'partition-stopped'
      readonly offset: number | undefined
      readonly error: TidemarkError
    })
  /** By `restart` or `seek`. */
  | (TopicPartition & { readonly kind: 'partition-restarted'; readonly offset: number })
  /** Beside what runs: another record failed when its partition had stopped, or is being given up. */
  | (TopicPartition & {
      readonly kind: 'failed-meanwhile'
      readonly offset: number | undefined
      readonly error: unknown
    })
  | (TopicPartition & {
      readonly kind: 'position-jumped'
      readonly position: number
      readonly logStart: number
      readonly logEnd: number
      readonly to: number
      readonly cutFrom: number | null
      readonly policy: 'earliest' | 'latest'
    })
  | (TopicPartition & { readonly kind: 'topic-made-anew'; readonly position: number })
  // Handling, reading and committing
  /** `records` of one delivery, of which this is the first, were handled before. */
  | (TopicPartition & { readonly kind: 'duplicates-dropped'; readonly offset: number; readonly records: number })
  | (TopicPartition & { readonly kind: 'discarded'; readonly offset: number; readonly because: string })
  | (TopicPartition & {
      readonly kind: 'dead-lettered'
      readonly offset: number
      readonly reason: string
      /** What its last error said: of one that is not tidemark's the first line. */
      readonly because: string
      readonly attempt: number
      /** `pointer`: its value did not fit and is only where it came from. */
      readonly form: 'whole' | 'pointer'
    })
  | (TopicPartition & {
      readonly kind: 'dead-letter-delayed'
      readonly offset: number
      readonly attempt: number
      readonly delayMs: number
      readonly error: unknown
    })
  /** A handler failed, and is called again for the same record after a while. */
  | (TopicPartition & {
      readonly kind: 'handling-retried'
      readonly offset: number
      /** The one that failed. */
      readonly attempt: number
      readonly delayMs: number
      readonly error: unknown
    })
  /** A record failed in place, and was put on a delay topic to be tried again after `delayMs`. */
  | (TopicPartition & {
      readonly kind: 'put-off'
      readonly offset: number
      /** The delay topic. */
      readonly to: string
      /** The one that failed. */
      readonly attempt: number
      readonly delayMs: number
      readonly error: unknown
    })
  /** It could not be written there. */
  | (TopicPartition & {
      readonly kind: 'put-off-delayed'
      readonly offset: number
      readonly to: string
      readonly attempt: number
      readonly delayMs: number
      readonly error: unknown
    })
  /** Nothing succeeds, or the handler, or `onWatermark`, said that nothing can: the partition pauses and tries one delivery at a time. */
  | (TopicPartition & {
      readonly kind: 'outage-began'
      readonly offset: number
      readonly cause: 'unavailable' | 'nothing-succeeds'
      readonly error: unknown
    })
  | (TopicPartition & {
      readonly kind: 'outage-ended'
      readonly cause: 'unavailable' | 'nothing-succeeds'
      /** `left`: the partition is no longer read here, not from there, or (of `onWatermark`) not in that order of event time. */
      readonly by: 'success' | 'left'
      readonly lastedMs: number
    })
  /** `what` a record is decoded with cannot be had; it and those behind it wait, and it is asked for again after `delayMs`. */
  | (TopicPartition & {
      readonly kind: 'decoding-held-up'
      readonly offset: number
      readonly what: string
      readonly delayMs: number
      readonly error: unknown
    })
  | (TopicPartition & { readonly kind: 'decoding-goes-on'; readonly offset: number })
  /** In an outage that nobody can tell from a record that cannot be handled. */
  | (TopicPartition & {
      readonly kind: 'given-up-in-doubt'
      readonly offset: number
      readonly afterMs: number
      readonly error: unknown
    })
  | (TopicPartition & { readonly kind: 'handler-timed-out'; readonly afterMs: number })
  | (TopicPartition & {
      readonly kind: 'handler-overruns'
      readonly runsForMs: number
      readonly handledBy: 'handler' | 'loop'
    })
  | (TopicPartition & {
      readonly kind: 'stalled'
      readonly offset: number
      readonly waitsFor: WaitsFor
      readonly stalledMs: number
      readonly running: number
      readonly unsettled: number
      readonly end: number | null
      /** What its handler threw last, where it waits for another attempt. */
      readonly error?: unknown
    })
  | (TopicPartition & { readonly kind: 'stall-ended'; readonly offset: number; readonly stalledMs: number })
  /** Records wait in the order of event time and the watermark stands; `heldBy` has something to read, or cannot be read. */
  | {
      readonly kind: 'watermark-held'
      readonly watermark: number | null
      readonly heldBy: TopicPartition | null
      readonly buffered: number
      /** So many records so far had no time that may be believed, and moved no watermark. */
      readonly clamped: number
    }
  | { readonly kind: 'watermark-moves'; readonly watermark: number | null }
  /** What a commit kept of the order cannot be read: some records may be handled twice. */
  | (TopicPartition & { readonly kind: 'order-unknown'; readonly offset: number })
  /** Whoever reads committed records gets no further than `offset`, where an open transaction begins. `null`: nobody tells whose. */
  | (TopicPartition & {
      readonly kind: 'readers-held-up'
      readonly offset: number
      readonly transactionalId: string | null
      readonly producerId: number | null
      readonly heldUpMs: number
    })
  | (TopicPartition & { readonly kind: 'readers-go-on'; readonly offset: number })
  | { readonly kind: 'fetch-unanswered'; readonly pollAgeMs: number }
  | { readonly kind: 'fetch-answered' }
  | { readonly kind: 'fetch-crashed'; readonly node: number; readonly error: unknown; readonly restartMs: number }
  | { readonly kind: 'commit-delayed'; readonly partitions: number }
  | { readonly kind: 'commit-caught-up' }
  /** What was handled in it is handled again: `partitions` partitions went back to where they were last on record. */
  | { readonly kind: 'transaction-aborted'; readonly partitions: number; readonly error: unknown }
  /** Of `partitions` partitions this is the first. */
  | (TopicPartition & { readonly kind: 'commit-forbidden'; readonly code: string; readonly partitions: number })
  // The consumer and its group
  | { readonly kind: 'joined'; readonly memberId: string; readonly generation: number; readonly partitions: number }
  | { readonly kind: 'outside-group'; readonly reason: string; readonly attempt: number }
  | { readonly kind: 'inside-group-again' }
  /** An attempt to enter the group goes on beyond all the time that its requests have: it hangs in this process. */
  | { readonly kind: 'member-stuck'; readonly allowedMs: number }
  | { readonly kind: 'member-moves' }
  /** The group was told, so it does not wait for the session. */
  | { readonly kind: 'left'; readonly memberId: string }
  | { readonly kind: 'membership-lost'; readonly reason: string; readonly next: string }
  | { readonly kind: 'failed'; readonly error: TidemarkError }
  | { readonly kind: 'failed-while-stopping'; readonly error: unknown }
  | { readonly kind: 'stopped-in-disorder'; readonly error: unknown }
  | { readonly kind: 'stopped' }
  // Batches
  /** `batches` had a problem, of which this is the last, and none of them is stored. */
  | { readonly kind: 'deliveries-delayed'; readonly batches: number; readonly error: TidemarkError }
  | { readonly kind: 'deliveries-resumed' }
  /** It was sent again after an attempt without an answer, and the broker knows that it has it. */
  | (TopicPartition & { readonly kind: 'doubt-resolved'; readonly records: number; readonly attempts: number })
  /** A batch goes again. */
  | (TopicPartition & { readonly kind: 'retried'; readonly reason: string; readonly delayMs: number })
  /** Whatever of a batch in doubt is still under way will be refused. */
  | (TopicPartition & { readonly kind: 'epoch-raised'; readonly reason: string })
  | (TopicPartition & { readonly kind: 'offset-regressed'; readonly offset: number })
  // Outboxes and their relays
  /** This relay sends from now on. */
  | { readonly kind: 'relay-leads' }
  | { readonly kind: 'relay-stands-by'; readonly why: 'another-leads' | 'not-renewed' | 'stopped' }
  /** Its database does not answer, or refuses. */
  | { readonly kind: 'outbox-unreachable'; readonly error: unknown }
  | { readonly kind: 'outbox-reached' }
  /** Rows of a topic are not stored, or nobody knows; they stay and are sent again. */
  | { readonly kind: 'outbox-not-sent'; readonly topic: string; readonly error: unknown }
  | { readonly kind: 'outbox-sent-again'; readonly topic: string }
  /** Kafka will never take the row, so it and what follows in its key waits for somebody. */
  | {
      readonly kind: 'outbox-row-held'
      readonly topic: string
      readonly number: number
      readonly id: string | undefined
      readonly error: TidemarkError
    }
  // Topics as the cluster keeps them
  /** What is acknowledged there may be lost, or writes stop early; `command` mends it. */
  | {
      readonly kind: 'not-durable'
      readonly topic: string
      readonly problems: readonly string[]
      readonly command: string | null
    }
  /** How it is kept could not be looked at. */
  | { readonly kind: 'durability-unverified'; readonly topic: string; readonly error: unknown }
  | { readonly kind: 'single-broker' }
  /** Settings that do not go together: `error` cannot work, `warning` works until something goes wrong. */
  | {
      readonly kind: 'settings-conflict'
      readonly code: string
      readonly severity: 'error' | 'warning'
      /** Whose. */
      readonly subject: string
      readonly reason: string
      readonly fix: string
    }
  /** It exists in another shape than its definition has. */
  | { readonly kind: 'topic-differs'; readonly topic: string; readonly differences: readonly string[] }

export type EventKind = ClientEvent['kind']

export type EventOf<Kind extends EventKind> = Extract<ClientEvent, { readonly kind: Kind }>
