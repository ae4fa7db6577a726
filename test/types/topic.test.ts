import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { bytes } from '../../src/serde/bytes.js'
import { json } from '../../src/serde/json.js'
import { nullable } from '../../src/serde/nullable.js'
import type { NoSchema, Serde } from '../../src/serde/serde.js'
import { string } from '../../src/serde/string.js'
import { defineTopic } from '../../src/topic/define-topic.js'
import { murmur2, spread } from '../../src/topic/partitioners.js'
import type { Topic, ValueOf } from '../../src/topic/topic.js'

const RawEvent = z.object({
  bk_biz_id: z.number(),
  source: z.string(),
  retries: z.number().default(0),
  note: z.string().optional(),
  parts: z.array(z.string()),
})
type RawEvent = z.output<typeof RawEvent>

describe('types of serdes', () => {
  it('follow the schema: what it puts out is the value', () => {
    expectTypeOf(json(RawEvent)).toEqualTypeOf<Serde<RawEvent>>()
    expectTypeOf(json()).toEqualTypeOf<Serde<unknown>>()
    expectTypeOf(json<{ a: 1 }>({ maxBytes: 5 })).toEqualTypeOf<Serde<{ a: 1 }>>()
    expectTypeOf(nullable(string())).toEqualTypeOf<Serde<string | null>>()
    expectTypeOf(bytes()).toEqualTypeOf<Serde<Buffer>>()
  })
})

describe('types of topics', () => {
  it('keep the literal name and the schema’s output', () => {
    const topic = defineTopic({ name: 'raw_events', key: 'bk_biz_id', value: json(RawEvent) })
    expectTypeOf(topic).toEqualTypeOf<Topic<RawEvent, 'raw_events'>>()
    expectTypeOf<ValueOf<typeof topic>>().toEqualTypeOf<RawEvent>()
    expectTypeOf(topic.keyOf).parameter(0).toEqualTypeOf<RawEvent>()
  })

  it('refuse a key field that the value has not, or that is neither text nor number', () => {
    // @ts-expect-error no such field
    defineTopic({ name: 't', key: 'bk_bizid', value: json(RawEvent) })
    // @ts-expect-error an array is no key
    defineTopic({ name: 't', key: 'parts', value: json(RawEvent) })
    // @ts-expect-error a field that may be missing is no key
    defineTopic({ name: 't', key: 'note', value: json(RawEvent) })
    // @ts-expect-error text has no fields
    defineTopic({ name: 't', key: 'length2', value: string() })
  })

  it('give a key function the value', () => {
    defineTopic({
      name: 't',
      value: json(RawEvent),
      key: (value) => {
        expectTypeOf(value).toEqualTypeOf<RawEvent>()
        return value.note ?? null
      },
    })
    // @ts-expect-error a boolean is no key
    defineTopic({ name: 't', value: json(RawEvent), key: (value) => value.retries > 0 })
  })

  it('take as key what the serde of keys takes, and hand that serde on with its type', () => {
    const Place = z.object({ source: z.string(), tenant: z.number() })
    const topic = defineTopic({
      name: 'keyed',
      value: json(RawEvent),
      key: (value) => {
        expectTypeOf(value).toEqualTypeOf<RawEvent>()
        return { source: value.source, tenant: value.bk_biz_id }
      },
      keySerde: json(Place),
    })
    expectTypeOf(topic.keySerde).toEqualTypeOf<Serde<{ source: string; tenant: number }>>()
    expectTypeOf<ValueOf<typeof topic>>().toEqualTypeOf<RawEvent>()
    expectTypeOf(topic).toExtend<Topic<RawEvent, 'keyed'>>()
    defineTopic({ name: 't', key: 'source', keySerde: string(), value: json(RawEvent) })
    // @ts-expect-error a number is no text
    defineTopic({ name: 't', key: 'bk_biz_id', keySerde: string(), value: json(RawEvent) })
    // @ts-expect-error tenant is missing
    defineTopic({ name: 't', key: ({ source }) => ({ source }), keySerde: json(Place), value: json(RawEvent) })
    // @ts-expect-error without a serde of keys an object is no key
    defineTopic({ name: 't', key: ({ source }) => ({ source }), value: json(RawEvent) })
  })

  it('take a spread of the value, and refuse one made for another value', () => {
    defineTopic({ name: 't', value: json(RawEvent), partitioner: murmur2() })
    defineTopic({ name: 't', value: json(RawEvent), partitioner: murmur2({ by: (value: RawEvent) => value.source }) })
    defineTopic({
      name: 't',
      value: json(RawEvent),
      partitioner: spread({ over: 8, by: (value: RawEvent) => value.source }),
    })
    const other = spread({ over: 8, by: (value: { other: string }) => value.other })
    // @ts-expect-error reads a field that this value has not
    defineTopic({ name: 't', value: json(RawEvent), partitioner: other })
  })

  it('take a field of what is not a tombstone as key', () => {
    const topic = defineTopic({ name: 'state', key: 'source', value: nullable(json(RawEvent)) })
    expectTypeOf(topic).toEqualTypeOf<Topic<RawEvent | null, 'state'>>()
  })

  it('refuse a value of another type', () => {
    const topic = defineTopic({ name: 't', value: json(RawEvent) })
    const send = <Value>(_topic: Topic<Value>, _value: NoInfer<Value>): void => undefined
    send(topic, { bk_biz_id: 1, source: 's', retries: 0, parts: [] })
    // @ts-expect-error bk_biz_id is a number
    send(topic, { bk_biz_id: '1', source: 's', retries: 0, parts: [] })
  })

  it('refuse a schema where a serde is wanted, with what to write', () => {
    // @ts-expect-error write json(RawEvent)
    expect(() => defineTopic({ name: 't', value: RawEvent })).toThrow(/write json\(schema\)/)
    // @ts-expect-error write json(RawEvent)
    expect(() => nullable(RawEvent)).toThrow(/write json\(schema\)/)
    expectTypeOf<NoSchema['~standard']>().toEqualTypeOf<'a schema is not a serde: write json(schema)' | undefined>()
  })

  it('fit where any topic is taken', () => {
    const topics: readonly Topic[] = [
      defineTopic({ name: 'a', key: 'source', value: json(RawEvent) }),
      defineTopic({ name: 'b', value: string() }),
    ]
    expectTypeOf(topics).toExtend<readonly Topic[]>()
  })
})
