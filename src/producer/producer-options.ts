import { z } from 'zod'
import type { Compression } from '../connection/requests/produce.js'
import type { SendMiddleware } from './send-middleware.js'

/** Options of a producer that no profile settles. */
export interface ProducerSettingsOptions {
  /** How batches are compressed. Default `'none'`. */
  readonly compression?: Compression | undefined
  /**
   * How long a record may wait for others before its batch is sent. Records sent in the same turn of the event loop, and
   * while the partition's former batch is out, share a batch anyway. Default 0.
   */
  readonly lingerMs?: number | undefined
  /** A batch is closed at this estimated size; at most `maxRequestBytes`. Default 1 MiB, or `maxRequestBytes` where that is less. */
  readonly batchBytes?: number | undefined
  /** The largest batch, record and request. The topic's `max.message.bytes` must allow it. Default 1 MiB. */
  readonly maxRequestBytes?: number | undefined
  /**
   * Memory for records that wait or are out, and for those that are out as they were compressed; when it is full, `send`
   * waits. Default 32 MiB.
   */
  readonly bufferBytes?: number | undefined
  /** How long a `send` may wait for memory, and for the topic's metadata, before it fails `not-stored`. Default 30,000. */
  readonly maxBlockMs?: number | undefined
  /** From `send` to its last word, retries included. Default 120,000. */
  readonly deliveryTimeoutMs?: number | undefined
  /** Silence of a broker after which a request counts as lost and is repeated. Default 5,000. */
  readonly requestTimeoutMs?: number | undefined
  /**
   * How often partitions added to the topics are looked for; until then records are spread over those that are known. A
   * `partition` that is not known is looked for before it is refused. Default 60,000.
   */
  readonly metadataMaxAgeMs?: number | undefined
  /** How long `close` waits for what was sent. Default 25,000. */
  readonly closeTimeoutMs?: number | undefined
  /** Around every send, the first outermost. Default none. */
  readonly use?: readonly SendMiddleware[] | undefined
}

/** Options of a producer. Those that the profile settles may be given to override it. */
export interface ProducerOptions extends ProducerSettingsOptions {
  /**
   * Who must have a record before it counts as stored: `'all'` in-sync replicas, `1` the leader alone, `0` nobody (the
   * send resolves when the bytes were handed to the socket). Default `'all'`.
   */
  readonly acks?: 'all' | -1 | 0 | 1 | undefined
  /** The broker drops repeats of a batch, so retries store nothing twice and keep the order. Needs acks `'all'`. Default: true with acks `'all'`. */
  readonly idempotent?: boolean | undefined
  /** Without idempotence: send a batch again whose fate is unknown, which may store it twice (true), or report it `unknown` at once (false). Default true. */
  readonly retryInDoubt?: boolean | undefined
}

/** The same, checked and with every field there. */
export interface ResolvedProducerOptions {
  readonly acks: -1 | 0 | 1
  readonly idempotent: boolean
  readonly retryInDoubt: boolean
  readonly compression: Compression
  readonly lingerMs: number
  readonly batchBytes: number
  readonly maxRequestBytes: number
  readonly bufferBytes: number
  readonly maxBlockMs: number
  readonly deliveryTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly metadataMaxAgeMs: number
  readonly closeTimeoutMs: number
  readonly use: readonly SendMiddleware[]
}

const mebibyte = 1_048_576
const longestTimerMs = 2_147_483_647
const milliseconds = (atLeast: number) => z.int().min(atLeast).max(longestTimerMs)

/** Checks, defaults and descriptions of {@link ProducerOptions}. */
export const producerOptionsSchema = z
  .strictObject({
    acks: z.literal(['all', -1, 0, 1]).default('all').describe('who must have a record before it counts as stored'),
    idempotent: z.boolean().optional().describe("retries store nothing twice; default: true with acks 'all'"),
    retryInDoubt: z
      .boolean()
      .default(true)
      .describe('without idempotence: send again what may be stored already, instead of reporting it unknown'),
    compression: z
      .enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
      .default('none')
      .describe('how batches are compressed'),
    lingerMs: milliseconds(0).default(0).describe('how long a record may wait for others, in milliseconds'),
    batchBytes: z
      .int()
      .min(1)
      .optional()
      .describe('size at which a batch is closed; default: maxRequestBytes, at most 1 MiB'),
    maxRequestBytes: z
      .int()
      .min(1_024)
      .max(100 * mebibyte)
      .default(mebibyte)
      .describe("the largest record, batch and request; the topic's max.message.bytes must allow it"),
    bufferBytes: z
      .int()
      .min(1)
      .default(32 * mebibyte)
      .describe('memory for records that wait or are out'),
    maxBlockMs: milliseconds(0).default(30_000).describe('how long a send may wait for memory or metadata'),
    deliveryTimeoutMs: milliseconds(1).default(120_000).describe('from send to its last word, retries included'),
    requestTimeoutMs: milliseconds(10).default(5_000).describe('silence of a broker after which a request is repeated'),
    metadataMaxAgeMs: milliseconds(1)
      .default(60_000)
      .describe('how often new partitions are looked for, in milliseconds'),
    closeTimeoutMs: milliseconds(0).default(25_000).describe('how long close waits for what was sent'),
    use: z
      .array(z.custom<SendMiddleware>((value) => typeof value === 'function', 'a function (sending, next)'))
      .default([])
      .describe('middleware around every send, the first outermost'),
  })
  .superRefine((options, context) => {
    const refuse = (path: keyof ProducerOptions, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (options.idempotent === true && (options.acks === 0 || options.acks === 1)) {
      refuse('idempotent', "false, or acks 'all': brokers drop repeats only when every in-sync replica confirms")
    }
    if (options.batchBytes !== undefined && options.batchBytes > options.maxRequestBytes) {
      refuse('batchBytes', `at most maxRequestBytes, ${options.maxRequestBytes}`)
    }
    if (options.bufferBytes < options.maxRequestBytes) {
      refuse('bufferBytes', `at least maxRequestBytes, ${options.maxRequestBytes}`)
    }
    if (options.lingerMs >= options.deliveryTimeoutMs) {
      refuse('lingerMs', `less than deliveryTimeoutMs, ${options.deliveryTimeoutMs}`)
    }
  })
  .transform(({ acks, idempotent, batchBytes, ...rest }): ResolvedProducerOptions => ({
    ...rest,
    acks: acks === 'all' ? -1 : acks,
    idempotent: idempotent ?? (acks === 'all' || acks === -1),
    batchBytes: batchBytes ?? Math.min(mebibyte, rest.maxRequestBytes),
  })) satisfies z.ZodType<ResolvedProducerOptions, ProducerOptions>
