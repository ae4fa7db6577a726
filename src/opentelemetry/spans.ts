import { context, SpanStatusCode, type Context, type Exception, type Span as ApiSpan } from '@opentelemetry/api'
import { DecodeError, TidemarkError } from '../errors.js'
import type { Header } from '../message/record.js'
import { isError, thrownText } from '../runtime/thrown.js'
import { errorText } from '../telemetry/error-text.js'
import type { ProcessSpan, SendSpan, Span, SpanEnd } from '../telemetry/tracing.js'
import { attribute } from './attributes.js'

/** What somebody decided is no failure of it, whatever was thrown to say so. */
const good: ReadonlySet<string> = new Set(['handled', 'discarded', 'duplicate', 'late', 'stored', 'committed'])

export class EndedOnce implements Span {
  constructor(protected readonly span: ApiSpan) {}

  get isRecorded(): boolean {
    return this.span.isRecording()
  }

  end({ outcome, error, partition, offset }: SpanEnd): void {
    const { span } = this
    if (span.isRecording()) {
      span.setAttribute(attribute.outcome, outcome)
      if (partition !== undefined) span.setAttribute(attribute.partition, String(partition))
      if (offset !== undefined && offset !== null) span.setAttribute(attribute.offset, offset)
      if (error !== undefined && !good.has(outcome)) tellError(span, error)
    }
    span.end()
  }
}

export class SentSpan extends EndedOnce implements SendSpan {
  constructor(
    span: ApiSpan,
    readonly headers: readonly Header[],
  ) {
    super(span)
  }
}

/** An attempt of which no span is made: it goes on in the trace of its record. */
export class UnseenAttempt implements ProcessSpan {
  readonly isRecorded = false
  readonly #context: Context

  constructor(inContext: Context) {
    this.#context = inContext
  }

  run<Result>(call: () => Result): Result {
    return context.with(this.#context, call)
  }

  end(): void {
    // There is none.
  }
}

export class AttemptSpan extends EndedOnce implements ProcessSpan {
  readonly #context: Context

  constructor(span: ApiSpan, inContext: Context) {
    super(span)
    this.#context = inContext
  }

  get spanContext() {
    return this.span.spanContext()
  }

  run<Result>(call: () => Result): Result {
    return context.with(this.#context, call)
  }
}

/** Never what a parser quotes of a record. */
function tellError(span: ApiSpan, error: unknown): void {
  const { name } = thrownText(error)
  const message = errorText(error)
  const type = error instanceof TidemarkError ? error.code : name
  span.setAttribute(attribute.errorType, type)
  span.setStatus({ code: SpanStatusCode.ERROR, message })
  const exception: Exception = { name, message }
  if (isError(error) && typeof error.stack === 'string' && !mayQuote(error)) exception.stack = error.stack
  span.recordException(exception)
}

function mayQuote(error: Error): boolean {
  return error instanceof SyntaxError || error instanceof DecodeError
}
