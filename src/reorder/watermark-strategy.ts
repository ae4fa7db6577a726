import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import type { Message } from '../message/message.js'
import type { TopicPartition } from '../message/topic-partition.js'
import { requireOptions } from './named-options.js'
import { AdaptiveSlack, BoundedOutOfOrderness, type WatermarkGenerator } from './watermark-generator.js'

/** What becomes of a record whose timestamp is none: `fail` stops its partition, `skip` drops and counts it, `partition-time` takes the greatest seen. */
export type InvalidTimestamp = 'fail' | 'skip' | 'partition-time'

/** What becomes of a record from too far in the future: ordered as if it were of now, handled as late, or its partition stops. */
export type FutureTimestamp = 'partition-time' | 'late' | 'fail'

export interface FutureGuard {
  readonly maxFutureMs: number
  readonly policy: FutureTimestamp
}

export interface Idleness {
  /** So long after it was read to its end a partition holds up the others no more. `Infinity`: never. */
  readonly maxIdleMs: number
  /** The same without knowing where the end is; `null`: off. */
  readonly timeoutMs: number | null
}

/** What a strategy says, for those who carry it out. */
export interface WatermarkRules {
  readonly generator: (partition: TopicPartition) => WatermarkGenerator
  readonly timestampOf: ((message: Message) => number) | null
  readonly invalid: InvalidTimestamp
  readonly future: FutureGuard | null
  readonly idleness: Idleness
  /** How far a partition may run ahead of the slowest before it is paused; `Infinity`: as far as there is room. */
  readonly maxDriftMs: number
}

const defaults = {
  timestampOf: null,
  invalid: 'fail',
  future: { maxFutureMs: 300_000, policy: 'partition-time' },
  idleness: { maxIdleMs: 1_000, timeoutMs: null },
  maxDriftMs: Infinity,
} as const satisfies Omit<WatermarkRules, 'generator'>

/**
 * How the watermark of a partition follows from its records: "no record of this time or an earlier one is expected any
 * more". Immutable; each `with…` gives another strategy.
 *
 * @example
 * boundedOutOfOrderness(5_000).withIdleness({ maxIdleMs: 2_000 })
 */
export class WatermarkStrategy {
  /** @internal */
  readonly rules: WatermarkRules

  /** @internal */
  constructor(rules: WatermarkRules) {
    this.rules = rules
  }

  /** The time of a record, in ms since the Unix epoch; default its timestamp. Runs once for each record. */
  withTimestampAssigner(timestampOf: (message: Message) => number): WatermarkStrategy {
    requireFunction('withTimestampAssigner', timestampOf)
    return this.#with({ timestampOf })
  }

  /** For times that are negative or no whole number. Default `fail`: the partition stops at the record. */
  withInvalidTimestamp(invalid: InvalidTimestamp): WatermarkStrategy {
    requireOneOf('withInvalidTimestamp', 'policy', invalid, ['fail', 'skip', 'partition-time'])
    return this.#with({ invalid })
  }

  /**
   * A record from the far future must not move the watermark, or all that follows is late. Default
   * `{ maxFutureMs: 300_000, policy: 'partition-time' }`; `false` believes every time.
   */
  withFutureGuard(
    guard: false | { readonly maxFutureMs: number; readonly policy?: FutureTimestamp | undefined },
  ): WatermarkStrategy {
    if (guard === false) return this.#with({ future: null })
    const { maxFutureMs, policy = 'partition-time' } = requireOptions('withFutureGuard', guard, [
      'maxFutureMs',
      'policy',
    ])
    requireMs('withFutureGuard', 'maxFutureMs', maxFutureMs)
    requireOneOf('withFutureGuard', 'policy', policy, ['partition-time', 'late', 'fail'])
    return this.#with({ future: { maxFutureMs, policy } })
  }

  /**
   * When a partition without records stops holding up the others: `maxIdleMs` after it was read to its end (default 1,000;
   * `Infinity` never), or, where the end cannot be known, `timeoutMs` after its last record (default off).
   */
  withIdleness(idleness: {
    readonly maxIdleMs?: number | undefined
    readonly timeoutMs?: number | null | undefined
  }): WatermarkStrategy {
    const { maxIdleMs = this.rules.idleness.maxIdleMs, timeoutMs = this.rules.idleness.timeoutMs } = requireOptions(
      'withIdleness',
      idleness,
      ['maxIdleMs', 'timeoutMs'],
    )
    if (maxIdleMs !== Infinity) requireMs('withIdleness', 'maxIdleMs', maxIdleMs)
    if (timeoutMs !== null) requireMs('withIdleness', 'timeoutMs', timeoutMs)
    return this.#with({ idleness: { maxIdleMs, timeoutMs } })
  }

  /** A partition that is ahead of the slowest by more than this is paused until that has caught up. Default no limit but that of the buffer. */
  withWatermarkAlignment(alignment: { readonly maxDriftMs: number }): WatermarkStrategy {
    const { maxDriftMs } = requireOptions('withWatermarkAlignment', alignment, ['maxDriftMs'])
    requireMs('withWatermarkAlignment', 'maxDriftMs', maxDriftMs)
    return this.#with({ maxDriftMs })
  }

  #with(changed: Partial<WatermarkRules>): WatermarkStrategy {
    return new WatermarkStrategy({ ...this.rules, ...changed })
  }
}

/** Not by its class: the package may be loaded twice, once for `import` and once for `require`. */
export function isWatermarkStrategy(value: unknown): value is WatermarkStrategy {
  const rules = (value as Partial<WatermarkStrategy> | null | undefined)?.rules as Partial<WatermarkRules> | undefined
  return typeof rules?.generator === 'function' && typeof rules.idleness === 'object'
}

/** Records of a partition are at most `maxOutOfOrdernessMs` older than the newest before them; what is older still is late. */
export function boundedOutOfOrderness(maxOutOfOrdernessMs: number): WatermarkStrategy {
  requireMs('boundedOutOfOrderness', 'maxOutOfOrdernessMs', maxOutOfOrdernessMs)
  return generatedBy(() => new BoundedOutOfOrderness(maxOutOfOrdernessMs))
}

/** Records of a partition never go back in time. */
export function monotonousTimestamps(): WatermarkStrategy {
  return boundedOutOfOrderness(0)
}

/**
 * The out-of-orderness is learnt from the delays seen, so that `quantile` of the records are in time. A target of 1 % late
 * is met closely; of 0.1 % rather one and a half times that.
 */
export function adaptiveSlack(options: {
  readonly quantile: number
  readonly maxMs: number
  readonly minMs?: number | undefined
}): WatermarkStrategy {
  const { quantile, maxMs, minMs = 0 } = requireOptions('adaptiveSlack', options, ['quantile', 'maxMs', 'minMs'])
  if (!(typeof quantile === 'number' && quantile > 0 && quantile < 1)) {
    throw refusal('adaptiveSlack', 'quantile', quantile, 'write a number between 0 and 1, for example 0.99')
  }
  requireMs('adaptiveSlack', 'maxMs', maxMs)
  requireMs('adaptiveSlack', 'minMs', minMs)
  if (minMs > maxMs) throw refusal('adaptiveSlack', 'minMs', minMs, `write at most maxMs, ${maxMs}`)
  return generatedBy(() => new AdaptiveSlack({ quantile, maxMs, minMs }))
}

/** Watermarks of your own making: one generator for each partition and each time it is taken. */
export function watermarksBy(make: (partition: TopicPartition) => WatermarkGenerator): WatermarkStrategy {
  requireFunction('watermarksBy', make)
  return generatedBy(make)
}

function generatedBy(generator: WatermarkRules['generator']): WatermarkStrategy {
  return new WatermarkStrategy({ ...defaults, generator })
}

function requireMs(call: string, path: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return
  throw refusal(call, path, value, 'write a whole number of milliseconds from 0')
}

function requireOneOf(call: string, path: string, value: unknown, names: readonly string[]): void {
  if (!names.includes(value as string)) throw refusal(call, path, value, `write ${names.join(' or ')}`)
}

function requireFunction(call: string, value: unknown): void {
  if (typeof value !== 'function') throw refusal(call, 'argument', value, 'write a function')
}

function refusal(call: string, path: string, value: unknown, fix: string): ConfigError {
  return new ConfigError(call, [{ path, message: came(value), fix }])
}
