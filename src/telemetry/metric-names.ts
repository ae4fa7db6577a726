export interface MetricDefinition {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** Base unit: `seconds`, `bytes`, or what is counted. */
  readonly unit: string
  readonly labels: readonly string[]
  readonly meaning: string
  /** Of gauges: what several measure under the same labels is added up. Else the most of it is told. */
  readonly isSummed?: boolean | undefined
  /** Of histograms: upper bounds that tell apart what matters, rising. */
  readonly buckets?: readonly number[] | undefined
}

const byteBuckets = [1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 33_554_432] as const
const secondBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300] as const

/** Every metric there is; adapters and the docs page are made from this table. Labels are bounded: never a key, an offset or a text. */
export const metricNames = {
  tidemark_producer_records_total: {
    kind: 'counter',
    unit: 'records',
    labels: ['client', 'topic', 'outcome'],
    meaning: 'Records whose send ended, by outcome: stored, not-stored, unknown.',
  },
  tidemark_producer_batches_total: {
    kind: 'counter',
    unit: 'batches',
    labels: ['client', 'topic', 'outcome'],
    meaning: 'Batches whose send ended, by outcome.',
  },
  tidemark_producer_batch_bytes: {
    kind: 'histogram',
    unit: 'bytes',
    labels: ['client', 'topic'],
    meaning: 'Estimated size of a batch when it was handed to the driver.',
    buckets: byteBuckets,
  },
  tidemark_producer_send_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['client', 'topic'],
    meaning: 'From hand-over of a batch to its last word, retries included.',
    buckets: secondBuckets,
  },
  tidemark_producer_failures_total: {
    kind: 'counter',
    unit: 'batches',
    labels: ['client', 'topic', 'outcome', 'reason'],
    meaning: 'Batches that ended not-stored or unknown, by the code of their error.',
  },
  tidemark_producer_doubts_resolved_total: {
    kind: 'counter',
    unit: 'batches',
    labels: ['client', 'topic'],
    meaning: 'Batches sent again after an attempt without an answer, of which the broker said that it has them, once.',
  },
  tidemark_producer_retries_total: {
    kind: 'counter',
    unit: 'batches',
    labels: ['client', 'topic', 'reason'],
    meaning: 'Batches sent again, by the name of the error that caused it.',
  },
  tidemark_producer_epoch_bumps_total: {
    kind: 'counter',
    unit: 'bumps',
    labels: ['client', 'topic', 'reason'],
    meaning: 'Times a partition went on with a raised producer epoch after a batch in doubt.',
  },
  tidemark_producer_offset_regressions_total: {
    kind: 'counter',
    unit: 'batches',
    labels: ['client', 'topic'],
    meaning: 'Stored batches whose offset lay below an earlier one: unclean election, or the topic was made anew.',
  },
  tidemark_producer_buffer_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    isSummed: true,
    labels: ['client'],
    meaning: 'Bytes of records waiting or in flight.',
  },
  tidemark_consumer_changed_values_total: {
    kind: 'counter',
    unit: 'values',
    labels: ['client', 'group', 'topic'],
    meaning: 'Values read with a number that JavaScript cannot hold as it was written (see largeIntegers of json).',
  },
  tidemark_consumer_records_total: {
    kind: 'counter',
    unit: 'records',
    labels: ['client', 'group', 'topic', 'outcome'],
    meaning:
      'Records whose handling ended: handled, failed, dead-lettered, put-off (to a delay topic), discarded, duplicate (handled before), late (an old epoch).',
  },
  tidemark_consumer_in_flight: {
    kind: 'gauge',
    unit: 'records',
    isSummed: true,
    labels: ['client', 'group'],
    meaning: 'Records received and not settled.',
  },
  tidemark_consumer_dead_letters_total: {
    kind: 'counter',
    unit: 'records',
    labels: ['client', 'group', 'topic', 'reason'],
    meaning:
      'Records put on the dead-letter topic, by why: undecodable, invalid, rejected (by the handler or its classifier), exhausted, timeout.',
  },
  tidemark_consumer_dead_letter_failures_total: {
    kind: 'counter',
    unit: 'writes',
    labels: ['client', 'group', 'topic'],
    meaning: 'Dead letters that were not stored and are written again.',
  },
  tidemark_consumer_possible_repeats_total: {
    kind: 'counter',
    unit: 'records',
    labels: ['client', 'group', 'topic'],
    meaning:
      'Offsets handled here, wholly or in part, and not known to be committed when their partition was given up.',
  },
  tidemark_consumer_lag_records: {
    kind: 'gauge',
    unit: 'records',
    labels: ['client', 'group', 'topic', 'partition'],
    meaning: 'From the lowest record that is not settled to the end of the log, of partitions that are held.',
  },
  tidemark_consumer_lag_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['client', 'group', 'topic', 'partition'],
    meaning:
      'How old the work is that waits: the age of what was settled last, or how long there has been a lag if that is less; 0 without one.',
  },
  tidemark_consumer_handle_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['client', 'group', 'topic'],
    meaning: 'Time in the handler, of attempts that failed too.',
    buckets: secondBuckets,
  },
  tidemark_consumer_retries_total: {
    kind: 'counter',
    unit: 'retries',
    labels: ['client', 'group', 'topic'],
    meaning: 'Deliveries (records, or batches) that failed and are tried again.',
  },
  tidemark_consumer_outages_total: {
    kind: 'counter',
    unit: 'outages',
    labels: ['client', 'group', 'topic', 'cause'],
    meaning:
      'Times a partition paused because nothing succeeded: its handler said so (unavailable), or it was concluded (nothing-succeeds).',
  },
  tidemark_consumer_decoding_delays_total: {
    kind: 'counter',
    unit: 'requests',
    labels: ['client', 'group', 'topic'],
    meaning: 'Times that what a record is decoded with (a schema) could not be had, and was asked for again later.',
  },
  tidemark_consumer_handler_timeouts_total: {
    kind: 'counter',
    unit: 'handlers',
    labels: ['client', 'group', 'topic'],
    meaning: 'Handlers whose deadline passed before they ended.',
  },
  tidemark_consumer_commits_total: {
    kind: 'counter',
    unit: 'offsets',
    labels: ['client', 'group', 'outcome'],
    meaning: 'Offsets whose commit was answered, by outcome.',
  },
  tidemark_consumer_commit_window_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['client', 'group'],
    meaning:
      'How long settled work stays uncommitted at the most while commits are answered; it grows with the partitions.',
  },
  tidemark_consumer_rebalances_total: {
    kind: 'counter',
    unit: 'rebalances',
    labels: ['client', 'group', 'kind'],
    meaning: 'Partitions taken away: revoked (drained) or lost.',
  },
  tidemark_consumer_position_jumps_total: {
    kind: 'counter',
    unit: 'jumps',
    labels: ['client', 'group', 'topic', 'to'],
    meaning: 'Positions that lay outside the log and were moved by onOutOfRange: earliest or latest.',
  },
  tidemark_consumer_stalls_total: {
    kind: 'counter',
    unit: 'stalls',
    labels: ['client', 'group', 'topic', 'waits_for'],
    meaning:
      'Times a partition had work and settled nothing for stallWarningMs, by what it waited for: handler, retry, outage, place, order, schema, dead-letter, delay-topic, seek, fetch.',
  },
  tidemark_consumer_stalled_partitions: {
    kind: 'gauge',
    unit: 'partitions',
    isSummed: true,
    labels: ['client', 'group'],
    meaning: 'Partitions in a stall that was told.',
  },
  tidemark_consumer_poll_age_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['client', 'group'],
    meaning: 'How long no fetch has been answered although there are partitions to fetch.',
  },
  tidemark_consumer_oldest_handler_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['client', 'group'],
    meaning: 'How long the oldest handler has been running.',
  },
  tidemark_consumer_crashes_total: {
    kind: 'counter',
    unit: 'crashes',
    labels: ['client', 'group'],
    meaning: 'Times a background loop met a defect and was started again.',
  },
  tidemark_consumer_paused_partitions: {
    kind: 'gauge',
    unit: 'partitions',
    isSummed: true,
    labels: ['client', 'group'],
    meaning: 'Partitions paused by back-pressure, by the user, or stopped by a failure.',
  },
  tidemark_consumer_watermark_lag_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['client', 'group'],
    meaning: 'With reorder: how far the watermark is behind the wall clock.',
  },
  tidemark_consumer_watermark_holder: {
    kind: 'gauge',
    unit: 'partitions',
    labels: ['client', 'group', 'topic', 'partition'],
    meaning:
      'With reorder: 1 for the partition that holds the watermark while records wait for it, 0 when it does no more.',
  },
  tidemark_consumer_order_buffered_records: {
    kind: 'gauge',
    unit: 'records',
    isSummed: true,
    labels: ['client', 'group'],
    meaning: 'With reorder: records kept back until the watermark has come so far.',
  },
  tidemark_consumer_order_buffered_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    isSummed: true,
    labels: ['client', 'group'],
    meaning: 'With reorder: what those keep in memory, estimated.',
  },
  tidemark_consumer_order_ready_records: {
    kind: 'gauge',
    unit: 'records',
    isSummed: true,
    labels: ['client', 'group'],
    meaning: 'With reorder: records that may be handled and wait for their turn.',
  },
  tidemark_consumer_late_records_total: {
    kind: 'counter',
    unit: 'records',
    labels: ['client', 'group', 'policy'],
    meaning:
      'With reorder: records that came behind the watermark, by what is done with them: deliver, drop, side-topic, callback.',
  },
  tidemark_consumer_late_by_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['client', 'group', 'topic'],
    meaning: 'With reorder: how far late records were behind what was let go before them, in event time.',
    buckets: secondBuckets,
  },
  tidemark_consumer_order_wait_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['client', 'group', 'topic'],
    meaning: 'With reorder: how long records waited for their turn after they were taken up into the order.',
    buckets: secondBuckets,
  },
  tidemark_consumer_order_exceptions_total: {
    kind: 'counter',
    unit: 'records',
    labels: ['client', 'group', 'what'],
    meaning:
      'With reorder: records let go for lack of room (forced), done before a restart (replayed), ordered by another time than their own (clamped), dropped for want of one (skipped); and times that all was let go because every partition was idle (idle-release).',
  },
  tidemark_outbox_sent_total: {
    kind: 'counter',
    unit: 'rows',
    labels: ['client', 'topic'],
    meaning: 'Rows of outboxes that were stored in Kafka.',
  },
  tidemark_outbox_refused_total: {
    kind: 'counter',
    unit: 'rows',
    labels: ['client', 'topic'],
    meaning: 'Rows of outboxes that Kafka refused for good.',
  },
  tidemark_outbox_rows: {
    kind: 'gauge',
    unit: 'rows',
    isSummed: true,
    labels: ['client'],
    meaning: 'Rows of an outbox that are not sent yet, told by the relay that sends.',
  },
  tidemark_outbox_held_rows: {
    kind: 'gauge',
    unit: 'rows',
    isSummed: true,
    labels: ['client'],
    meaning: 'Rows of an outbox that Kafka refused for good and that wait for somebody.',
  },
  tidemark_outbox_oldest_age_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['client'],
    meaning: 'Age of the oldest row of an outbox that is not sent yet.',
  },
  tidemark_degrade_level: {
    kind: 'gauge',
    unit: 'levels',
    labels: ['client', 'topic'],
    meaning:
      'Level of degradation in force, from 0 (everything is handled) to 3, by the topic that takes what is shed.',
  },
  tidemark_degrade_records_total: {
    kind: 'counter',
    unit: 'records',
    labels: ['client', 'topic', 'outcome'],
    meaning:
      'Records that the level in force puts aside, by what became of them: shed, divert, or refused: it could not be stored there, so it was handled.',
  },
  tidemark_group_lag_records: {
    kind: 'gauge',
    unit: 'records',
    labels: ['client', 'watched_group'],
    meaning: 'By lagMonitor: how far a group is behind, over all partitions that were seen.',
  },
  tidemark_group_lag_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['client', 'watched_group'],
    meaning: 'By lagMonitor: how old the oldest record is that a group has not read; not told while that is not known.',
  },
  tidemark_group_stalled_partitions: {
    kind: 'gauge',
    unit: 'partitions',
    labels: ['client', 'watched_group'],
    meaning:
      'By lagMonitor: partitions with work in which a group commits nothing, never has, or has committed what the log does not hold.',
  },
  tidemark_group_seen_timestamp_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['client', 'watched_group'],
    meaning:
      'By lagMonitor: when it last saw all of a group, in seconds since 1970; 0 until it has. While looks fail, the other figures of the group stay as they were then.',
  },
  tidemark_redrive_letters_total: {
    kind: 'counter',
    unit: 'records',
    labels: ['client', 'topic', 'outcome', 'reason'],
    meaning:
      'Letters that redrives took from a dead-letter topic, dry runs left out: redriven, parked (reason: why they were dead letters), refused (reason: why not sent), or passed over as not selected.',
  },
  tidemark_foreign_failures_total: {
    kind: 'counter',
    unit: 'failures',
    labels: ['client', 'source'],
    meaning: 'Times that code given by the user threw where it must not: logger, or a listener by its name.',
  },
} as const satisfies Record<string, MetricDefinition>

/** More may come. */
export type MetricName = keyof typeof metricNames

/** Metrics of one kind. */
export type MetricNameOf<Kind extends 'counter' | 'gauge' | 'histogram'> = {
  [Name in MetricName]: (typeof metricNames)[Name]['kind'] extends Kind ? Name : never
}[MetricName]

/** Labels that a measurement brings; those of its client (`client`, `group`) are added once for all. */
export type LabelsOf<Name extends MetricName> = {
  readonly [Label in Exclude<(typeof metricNames)[Name]['labels'][number], keyof MetricScope>]: string | number
}

/** Whose measurements and events they are. */
export interface MetricScope {
  readonly client: string
  /** Without a group: empty. */
  readonly group?: string | undefined
}
