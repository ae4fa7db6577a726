import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span as ApiSpan,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api'
import { tdHeader } from '../message/headers.js'
import type { Header, ReceivedRecord } from '../message/record.js'
import type { MetricScope } from '../telemetry/metric-names.js'
import type {
  ProcessSpan,
  RunInContext,
  SendSpan,
  Span,
  TracedAttempt,
  TracedCommit,
  TracedReceipt,
  TracedSend,
  Tracing,
} from '../telemetry/tracing.js'
import { attribute, operations, type Operation } from './attributes.js'
import { isSampled, originHeader, originIn, spanIn, type HeaderContexts } from './header-context.js'
import { originsOf } from './origins.js'
import { ParentsFollowed } from './parents-followed.js'
import { SharedSends, unseenSend } from './shared-sends.js'
import { AttemptSpan, EndedOnce, SentSpan, UnseenAttempt } from './spans.js'

export interface TracingSettings {
  readonly tracer: Tracer
  readonly headers: HeaderContexts
  /** Keys are data of people, often. */
  readonly messageKeys: boolean
  readonly receive: boolean
  readonly settle: boolean
  readonly sampling: 'parent' | 'each'
}

/** What all spans of one operation on one topic have in common. */
interface Common {
  readonly name: string
  readonly attributes: Attributes
  /** The same with a partition, by its number. */
  readonly inPartitions: Attributes[]
  readonly parents: ParentsFollowed
  /** What sends that begin a trace have in common, for now. */
  sends: SharedSends | null
}

/** Spans of one client, by OpenTelemetry's conventions for messaging. */
export class ClientTracing implements Tracing {
  readonly #settings: TracingSettings
  readonly #scope: MetricScope
  readonly #common: Readonly<Record<Operation, Map<string, Common>>> = {
    send: new Map(),
    process: new Map(),
    receive: new Map(),
    settle: new Map(),
  }

  constructor(settings: TracingSettings, scope: MetricScope) {
    this.#settings = settings
    this.#scope = scope
  }

  /**
   * | headers carry   | active is       | the parent is | and the record goes with |
   * |-----------------|-----------------|---------------|--------------------------|
   * | no context      | whatever        | what is active | this span |
   * | a context       | none            | the context in the headers: of an outbox, of what is sent back | this span |
   * | a context       | a span of the same trace | what is active, since headers are passed on | this span |
   * | a context       | a span of another trace | what is active, linked to the context in the headers | the context as it was |
   */
  send(sending: TracedSend): SendSpan {
    const { headers: contexts } = this.#settings
    const { topic, headers } = sending
    const common = this.#commonOf('send', topic)
    const own = this.#ofSend(common.attributes, sending)
    const active = context.active()
    const origin = originIn(headers)
    const hasOwn = own !== common.attributes || origin !== undefined || contexts.carry(headers)
    if (active === ROOT_CONTEXT && !hasOwn) return this.#sendWithOthers(common, headers)
    const activeSpan = spanIn(active)
    const given = contexts.extract(activeSpan === undefined ? active : ROOT_CONTEXT, headers)
    const givenSpan = spanIn(given)
    const parent = activeSpan === undefined ? given : active
    const isForeign = givenSpan !== undefined && activeSpan !== undefined && givenSpan.traceId !== activeSpan.traceId
    const movedFrom = givenSpan !== undefined && origin === undefined && isMoved(headers) ? givenSpan : null
    const isUnsampled = isOfUnsampled(activeSpan ?? givenSpan)
    if (isUnsampled && common.parents.skips()) {
      if (isForeign || (activeSpan === undefined && movedFrom === null)) return unseenSend(headers)
      return unseenSend(
        headers.length === 0 ? contexts.carrierOf(active) : this.#carrier(parent, headers, givenSpan, movedFrom),
      )
    }
    const links: Link[] = isForeign ? [{ context: givenSpan }] : []
    if (origin !== undefined && origin.spanId !== givenSpan?.spanId) links.push({ context: origin })
    const { tracer } = this.#settings
    const span = tracer.startSpan(common.name, { kind: SpanKind.PRODUCER, attributes: own, links }, parent)
    if (isUnsampled) common.parents.answered(span.isRecording())
    const spanContext = trace.setSpan(parent, span)
    if (isForeign || spanIn(spanContext) === undefined) return new SentSpan(span, headers)
    return new SentSpan(span, this.#carrier(spanContext, headers, givenSpan, movedFrom))
  }

  #carrier(
    inContext: Context,
    headers: readonly Header[],
    given: SpanContext | undefined,
    movedFrom: SpanContext | null,
  ): readonly Header[] {
    const carrier = this.#settings.headers.inject(inContext, headers, given !== undefined)
    if (movedFrom !== null) carrier.push(originHeader(movedFrom))
    return carrier
  }

  /** It begins a trace, and there is nothing about it that its span would tell alone. */
  #sendWithOthers(common: Common, headers: readonly Header[]): SendSpan {
    let sends = common.sends
    if (sends?.isOpen !== true) {
      const { tracer, headers: contexts } = this.#settings
      const { name, attributes } = common
      const span = tracer.startSpan(name, { kind: SpanKind.PRODUCER, attributes }, ROOT_CONTEXT)
      const begun = new SharedSends(span, contexts.inject(trace.setSpan(ROOT_CONTEXT, span), [], false))
      common.sends = sends = begun
      queueMicrotask(() => begun.close())
    }
    return sends.add(headers)
  }

  /**
   * | its records      | the parent is | links |
   * |------------------|---------------|-------|
   * | one              | its context   | where it was sent first, if it was moved since; the attempt before |
   * | all of one context | that context | the same |
   * | of several       | none          | each context, once; the attempt before |
   */
  process({ topic, partition, records, attempt, before }: TracedAttempt): ProcessSpan {
    const { tracer, headers, messageKeys } = this.#settings
    const { parent, isUnsampled, links: origins, unsampled } = originsOf(headers, records)
    const common = this.#commonOf('process', topic)
    if (isUnsampled && common.parents.skips()) return new UnseenAttempt(parent)
    const links = before instanceof AttemptSpan ? [...origins, { context: before.spanContext }] : [...origins]
    const attributes = inPartition(common, partition)
    const span = tracer.startSpan(common.name, { kind: SpanKind.CONSUMER, attributes, links }, parent)
    // What no sampler asks for is not made of spans that nobody will see.
    const isRecorded = span.isRecording()
    if (isUnsampled) common.parents.answered(isRecorded)
    if (isRecorded) {
      if (unsampled.length > 0) addLinks(span, unsampled, headers)
      const [first, count] = firstOf(records)
      if (count === 1) describe(span, first, messageKeys)
      else span.setAttribute(attribute.batchCount, count)
      if (attempt > 1) span.setAttribute(attribute.attempt, attempt)
    }
    return new AttemptSpan(span, trace.setSpan(parent, span))
  }

  receive({ topic, partition, count }: TracedReceipt): void {
    if (!this.#settings.receive) return
    const attributes = { [attribute.partition]: String(partition), [attribute.batchCount]: count }
    this.#client('receive', topic, attributes).end()
  }

  settle({ topic }: TracedCommit): Span {
    return this.#settings.settle ? new EndedOnce(this.#client('settle', topic ?? '', {})) : nothing
  }

  inject(headers: readonly Header[]): readonly Header[] {
    const { headers: contexts } = this.#settings
    const active = context.active()
    if (spanIn(active) === undefined || spanIn(contexts.extract(ROOT_CONTEXT, headers)) !== undefined) return headers
    return contexts.inject(active, headers, false)
  }

  capture(): RunInContext {
    const active = context.active()
    return (call) => context.with(active, call)
  }

  outside<Result>(call: () => Result): Result {
    return context.with(ROOT_CONTEXT, call)
  }

  #client(operation: Operation, topic: string, own: Attributes) {
    const { name, attributes } = this.#commonOf(operation, topic)
    const options = { kind: SpanKind.CLIENT, attributes: { ...attributes, ...own } }
    return this.#settings.tracer.startSpan(name, options, ROOT_CONTEXT)
  }

  #ofSend(common: Attributes, { count, partition, key, isTombstone }: TracedSend): Attributes {
    const hasKey = this.#settings.messageKeys && key !== null
    if (count === 1 && partition === undefined && !hasKey && !isTombstone) return common
    return {
      ...common,
      ...(count > 1 && { [attribute.batchCount]: count }),
      ...(partition !== undefined && { [attribute.partition]: String(partition) }),
      ...(hasKey && { [attribute.key]: key.toString('utf8') }),
      ...(isTombstone && { [attribute.tombstone]: true }),
    }
  }

  #commonOf(operation: Operation, topic: string): Common {
    const known = this.#common[operation].get(topic)
    if (known !== undefined) return known
    const { name, type } = operations[operation]
    const { client, group } = this.#scope
    const attributes: Attributes = {
      [attribute.system]: 'kafka',
      [attribute.operationName]: name,
      [attribute.operationType]: type,
      [attribute.client]: client,
      ...(topic !== '' && { [attribute.destination]: topic }),
      ...(group !== undefined && { [attribute.group]: group }),
    }
    const made: Common = {
      name: topic === '' ? name : `${name} ${topic}`,
      attributes: Object.freeze(attributes),
      inPartitions: [],
      parents: new ParentsFollowed(this.#settings.sampling === 'each'),
      sends: null,
    }
    this.#common[operation].set(topic, made)
    return made
  }
}

const nothing: Span = { end: () => undefined }

function firstOf(records: TracedAttempt['records']): readonly [ReceivedRecord, number] {
  const list = records as readonly ReceivedRecord[]
  return Array.isArray(records) ? [list[0] as ReceivedRecord, list.length] : [records as ReceivedRecord, 1]
}

function inPartition({ attributes, inPartitions }: Common, partition: number): Attributes {
  return (inPartitions[partition] ??= Object.freeze({ ...attributes, [attribute.partition]: String(partition) }))
}

function describe(span: ApiSpan, { offset, key, value }: ReceivedRecord, messageKeys: boolean): void {
  span.setAttribute(attribute.offset, offset)
  if (messageKeys && key !== null) span.setAttribute(attribute.key, key.toString('utf8'))
  if (value === null && key !== null) span.setAttribute(attribute.tombstone, true)
}

function isOfUnsampled(span: SpanContext | undefined): boolean {
  return span !== undefined && !isSampled(span)
}

/** Where the sampler has been asked: it looks at links to what is sampled. */
function addLinks(span: ApiSpan, unsampled: readonly (readonly Header[])[], contexts: HeaderContexts): void {
  const links: Link[] = []
  for (const headers of unsampled) {
    const origin = spanIn(contexts.extract(ROOT_CONTEXT, headers))
    if (origin !== undefined) links.push({ context: origin })
  }
  span.addLinks(links)
}

/** Dead letters, and what is tried again later. */
function isMoved(headers: readonly Header[]): boolean {
  return headers.some(([name]) => name === tdHeader.originTopic)
}
