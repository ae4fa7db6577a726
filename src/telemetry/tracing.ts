import type { Header, ReceivedRecord } from '../message/record.js'
import type { MetricScope } from './metric-names.js'

/**
 * Where spans go: `openTelemetryTracing()` of `tidemark/opentelemetry`, or yours. Calls should be cheap; one that throws is
 * told, and changes nothing. Without it nothing is made for any record.
 */
export interface TracingAdapter {
  /** What the parts of one client trace with. */
  of(scope: MetricScope): Tracing
}

/** What the parts of one client trace with. */
export interface Tracing {
  /** Records are about to be sent. Called where their sender called. */
  send(sending: TracedSend): SendSpan
  /** One attempt to handle what was read begins. */
  process(attempt: TracedAttempt): ProcessSpan
  /** Records of one partition came in. */
  receive(receipt: TracedReceipt): void
  /** Offsets are about to be committed. */
  settle(commit: TracedCommit): Span
  /** These headers with the context of whoever calls, for what somebody else sends later. */
  inject(headers: readonly Header[]): readonly Header[]
  /** What runs a call, at another time, in the context of whoever asks now. */
  capture(): RunInContext
  /** Runs it outside of any context: work of our own that somebody happened to start. */
  outside<Result>(call: () => Result): Result
}

/** Runs a call, at once and once, in the context in which something else happened. */
export type RunInContext = <Result>(call: () => Result) => Result

/** What a tracing adapter has begun. */
export interface Span {
  /** `false` from the beginning: nobody will see it, so it need not be ended. */
  readonly isRecorded?: boolean | undefined
  /** Called once. */
  end(end: SpanEnd): void
}

/** How it ended. */
export interface SpanEnd {
  /** What became of it, in a word of a few. */
  readonly outcome: string
  readonly error?: unknown
  /** Where one record was stored. */
  readonly partition?: number | undefined
  readonly offset?: number | null | undefined
}

/** A span around one send. */
export interface SendSpan extends Span {
  /** What is sent in place of the headers that were given: the context too, for whoever reads it. */
  readonly headers: readonly Header[]
}

/** A span around one attempt of a handler. */
export interface ProcessSpan extends Span {
  /** Runs it, at once and once, with this span as the one that is active. */
  run<Result>(call: () => Result): Result
}

/** One record, or all records of one call. */
export interface TracedSend {
  readonly topic: string
  readonly count: number
  readonly headers: readonly Header[]
  /** As its sender says. */
  readonly partition: number | undefined
  /** Of one record. */
  readonly key: Buffer | null
  readonly isTombstone: boolean
}

/** One attempt of a handler. */
export interface TracedAttempt {
  /** Where it was read: of what was put off, the delay topic. */
  readonly topic: string
  readonly partition: number
  /** Never empty. */
  readonly records: ReceivedRecord | readonly ReceivedRecord[]
  /** 1 for the first. */
  readonly attempt: number
  /** Of the attempt before, where that was made here. */
  readonly before: ProcessSpan | null
}

/** What one answer of a broker brought. */
export interface TracedReceipt {
  readonly topic: string
  readonly partition: number
  readonly count: number
}

/** What one request committed. */
export interface TracedCommit {
  /** `null`: of several. */
  readonly topic: string | null
  readonly partitions: number
}
