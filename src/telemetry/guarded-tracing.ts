import type { Header } from '../message/record.js'
import { heedRejection, type GuardedTelemetry } from './guard.js'
import type { ProcessSpan, SendSpan, Span, SpanEnd, TracedSend, Tracing, TracingAdapter } from './tracing.js'

/** A propagator that adds more is not heeded: a record is not made large, or refused, for its trace. */
const mostHeaders = 16
const mostBytes = 16_384

type Failed = (error: unknown) => void

/**
 * The same tracing, which no longer throws or rejects, runs each call exactly once, and adds few headers that are headers. What fails is
 * counted, and told the first time.
 */
export function guardedTracing(
  adapter: TracingAdapter,
  client: string,
  { logger, metrics }: GuardedTelemetry,
): TracingAdapter {
  let isTold = false
  const failed = (error: unknown) => {
    metrics.count('tidemark_foreign_failures_total', { client, source: 'tracing' })
    if (isTold) return
    isTold = true
    logger.error({ error }, 'tracing threw; spans are lost as long as it does, and records go on without')
  }
  return {
    of(scope) {
      const tracing = attempt(() => adapter.of(scope), failed)
      return tracing === undefined ? noTracing : new GuardedTracing(tracing, failed)
    },
  }
}

class GuardedTracing implements Tracing {
  readonly #inner: Tracing
  readonly #failed: Failed
  /** Headers that were few enough beside none, and so are beside any: sends that share a span have them in common. */
  #passed: readonly Header[] | null = null
  #passedCount = 0

  constructor(inner: Tracing, failed: Failed) {
    this.#inner = inner
    this.#failed = failed
  }

  send(sending: TracedSend): SendSpan {
    try {
      const span = this.#inner.send(sending)
      heedRejection(span, this.#failed)
      const { headers } = span
      if (headers !== this.#passed || headers.length !== this.#passedCount) {
        requireFew(headers, sending.headers)
        // Of what was given with the call nothing is known at the next.
        if (sending.headers.length === 0) {
          this.#passed = headers
          this.#passedCount = headers.length
        }
      }
      return span.isRecorded === false ? span : new GuardedSpan(span, this.#failed, headers)
    } catch (error) {
      this.#failed(error)
      return { headers: sending.headers, end: () => undefined }
    }
  }

  process(begun: Parameters<Tracing['process']>[0]): ProcessSpan {
    const { before } = begun
    try {
      const inner = before instanceof GuardedProcess ? { ...begun, before: before.inner } : begun
      const span = this.#inner.process(inner)
      heedRejection(span, this.#failed)
      return new GuardedProcess(span, this.#failed)
    } catch (error) {
      this.#failed(error)
      return untraced
    }
  }

  receive(receipt: Parameters<Tracing['receive']>[0]): void {
    attempt(() => this.#inner.receive(receipt), this.#failed)
  }

  settle(commit: Parameters<Tracing['settle']>[0]): Span {
    const span = attempt(() => this.#inner.settle(commit), this.#failed)
    return span === undefined ? untraced : new GuardedSpan(span, this.#failed, [])
  }

  inject(headers: readonly Header[]): readonly Header[] {
    return attempt(() => requireFew(this.#inner.inject(headers), headers), this.#failed) ?? headers
  }

  capture(): ReturnType<Tracing['capture']> {
    const run = attempt(() => this.#inner.capture(), this.#failed)
    return run === undefined ? untraced.run : (call) => once(run, call, this.#failed)
  }

  outside<Result>(call: () => Result): Result {
    return once((inner) => this.#inner.outside(inner), call, this.#failed)
  }
}

class GuardedSpan implements SendSpan {
  readonly #span: Span
  readonly #failed: Failed

  constructor(
    span: Span,
    failed: Failed,
    readonly headers: readonly Header[],
  ) {
    this.#span = span
    this.#failed = failed
  }

  end(end: SpanEnd): void {
    try {
      heedRejection(this.#span.end(end), this.#failed)
    } catch (error) {
      this.#failed(error)
    }
  }
}

class GuardedProcess implements ProcessSpan {
  readonly isRecorded: boolean | undefined
  readonly #failed: Failed

  constructor(
    readonly inner: ProcessSpan,
    failed: Failed,
  ) {
    this.isRecorded = inner.isRecorded
    this.#failed = failed
  }

  run<Result>(call: () => Result): Result {
    return once((traced) => this.inner.run(traced), call, this.#failed)
  }

  end(end: SpanEnd): void {
    try {
      heedRejection(this.inner.end(end), this.#failed)
    } catch (error) {
      this.#failed(error)
    }
  }
}

const untraced: ProcessSpan = { run: (call) => call(), end: () => undefined }

const noTracing: Tracing = {
  send: ({ headers }) => ({ headers, end: untraced.end }),
  process: () => untraced,
  receive: () => undefined,
  settle: () => untraced,
  inject: (headers) => headers,
  capture: () => untraced.run,
  outside: untraced.run,
}

/** Whatever the tracer does with it, the call runs once, now, and ends as it ends. */
function once<Result>(run: (call: () => void) => unknown, call: () => Result, failed: Failed): Result {
  let hasBegun = false
  let end: 'returned' | 'thrown' = 'returned'
  let value: unknown
  const runOnce = () => {
    // It may ask to run once more while it runs.
    if (hasBegun) return
    hasBegun = true
    try {
      value = call()
    } catch (error) {
      end = 'thrown'
      value = error
    }
  }
  try {
    heedRejection(run(runOnce), failed)
  } catch (error) {
    failed(error)
  }
  runOnce()
  if ((end as string) === 'thrown') throw value
  return value as Result
}

function attempt<Result>(call: () => Result, failed: Failed): Result | undefined {
  try {
    const result = call()
    heedRejection(result, failed)
    return result
  } catch (error) {
    failed(error)
    return undefined
  }
}

/** Throws unless it is the given headers and little more. */
function requireFew(headers: readonly Header[], given: readonly Header[]): readonly Header[] {
  if (headers === given) return given
  if (headers.length > given.length + mostHeaders) throw tooMuch(`${headers.length - given.length} headers`)
  let bytes = 0
  for (const [name, value] of headers) {
    if (typeof name !== 'string' || !(value === null || Buffer.isBuffer(value))) {
      throw new TypeError('tracing gave headers that are not pairs of a name and bytes')
    }
    bytes += name.length + (value?.length ?? 0)
  }
  for (const [name, value] of given) bytes -= name.length + (value?.length ?? 0)
  if (bytes > mostBytes) throw tooMuch(`${bytes} bytes`)
  return headers
}

function tooMuch(what: string): RangeError {
  const most = `${mostHeaders} headers and ${mostBytes} bytes`
  return new RangeError(`the propagator wants to add ${what} to a record; at most ${most} are added, so none is`)
}
