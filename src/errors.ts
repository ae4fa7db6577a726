import type { ErrorCode } from './error-codes.js'

/** Where in Kafka something went wrong, and why; every part is optional because not every error has a place. */
export interface ErrorDetails {
  readonly topic?: string | undefined
  readonly partition?: number | undefined
  readonly offset?: number | undefined
  readonly cause?: unknown
  readonly retriable?: boolean | undefined
}

/** Root of every error this library throws. Match on `code`: codes are stable, messages are for people. */
export class TidemarkError extends Error {
  override readonly name: string = 'TidemarkError'
  /** May the same call succeed later without a change by the caller? */
  readonly retriable: boolean
  readonly topic: string | undefined
  readonly partition: number | undefined
  readonly offset: number | undefined

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.retriable = details.retriable ?? false
    this.topic = details.topic
    this.partition = details.partition
    this.offset = details.offset
  }

  /** For facts and logs: with the message, which JSON leaves out of errors, and of causes that are not ours the class alone. */
  toJSON(): object {
    const { cause } = this
    return { ...this, message: this.message, ...(cause === undefined ? {} : { cause: causeAsData(cause) }) }
  }
}

/** The text of other people's errors may show what is in a record. */
function causeAsData(cause: unknown): unknown {
  if (cause instanceof TidemarkError) return cause.toJSON()
  return { name: cause instanceof Error ? cause.constructor.name : typeof cause }
}

/**
 * A send that did not end as stored.
 *
 * - `not-stored`: certainly not in the log; sending again cannot double it.
 * - `unknown`: the broker may have it; send again only with an `id` that the reader de-duplicates.
 */
export class SendError extends TidemarkError {
  override readonly name: string = 'SendError'
  constructor(
    code: string,
    readonly outcome: 'not-stored' | 'unknown',
    message: string,
    details: ErrorDetails = {},
  ) {
    super(code, message, details)
  }
}

/**
 * A transaction that was not committed, as far as is known.
 *
 * - `aborted`: none of it is visible to who reads committed records, nor ever will be; running it again cannot double it.
 * - `unknown`: it may be visible. `resolution` tells, if anybody can.
 */
export class TransactionError extends TidemarkError {
  override readonly name = 'TransactionError'
  readonly #resolution: Promise<'committed' | 'aborted' | 'unknown'>

  constructor(
    code: string,
    readonly outcome: 'aborted' | 'unknown',
    readonly transactionalId: string,
    message: string,
    details: ErrorDetails & { readonly resolution?: Promise<'committed' | 'aborted' | 'unknown'> | undefined } = {},
  ) {
    super(code, message, details)
    this.#resolution = details.resolution ?? Promise.resolve(outcome)
  }

  /** What became of it, once it is known; `unknown` when nobody can tell any more. Never rejects. */
  get resolution(): Promise<'committed' | 'aborted' | 'unknown'> {
    return this.#resolution
  }
}

/** A handler threw, and no dead-letter topic was configured: the partition is stopped at this record. */
export class HandlerError extends TidemarkError {
  override readonly name = 'HandlerError'
}

/** A record's bytes could not be turned into a value: malformed, or refused by its schema. Never retriable. */
export class DecodeError extends TidemarkError {
  override readonly name = 'DecodeError'
}

/** One thing wrong with the options, and what to write instead. */
export interface ConfigIssue {
  /** Dotted path of the option, for example `commit.everyMs`. */
  readonly path: string
  readonly message: string
  /** What to do about it. */
  readonly fix: string
}

/** Options that cannot work. All problems are listed at once. */
export class ConfigError extends TidemarkError {
  override readonly name = 'ConfigError'
  constructor(
    readonly subject: string,
    readonly issues: readonly ConfigIssue[],
  ) {
    const lines = issues.map((issue) => `  ${issue.path}: ${issue.message}; ${issue.fix}`)
    super('invalid-config', `${subject}: ${issues.length} invalid option(s)\n${lines.join('\n')}`)
  }
}

/** Another client took over this identity (producer epoch or group instance id). Fatal for this client. */
export class FencedError extends TidemarkError {
  override readonly name = 'FencedError'
}

/** The cluster refused or could not be reached. `brokerCode` is Kafka's number where a broker answered. */
export class DriverError extends TidemarkError {
  override readonly name: string = 'DriverError'
  constructor(
    code: string,
    message: string,
    details: ErrorDetails & { readonly brokerCode?: number | undefined } = {},
  ) {
    super(code, message, details)
    this.brokerCode = details.brokerCode
  }
  readonly brokerCode: number | undefined
}

/** A bounded wait ended before what it waited for. */
export class TimeoutError extends TidemarkError {
  override readonly name = 'TimeoutError'
}

/** A method was called in a state that does not allow it, for example `send` after `close`. */
export class StateError extends TidemarkError {
  override readonly name = 'StateError'
}
