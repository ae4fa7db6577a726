import { describe, expectTypeOf, it } from 'vitest'
import { defineTopic, type ValueOf } from 'tidemark'
import { avro, type AvroValue } from 'tidemark/avro'
import { jsonSchema } from 'tidemark/json-schema'
import { schemaRegistry } from 'tidemark/registry'
import { memoryRegistry } from 'tidemark/testing'
import { z } from 'zod'

const registry = schemaRegistry({ transport: memoryRegistry() })

describe('the values of an Avro schema', () => {
  it('are typed by a schema that is written in place', () => {
    const orders = defineTopic({
      name: 'orders',
      key: 'id',
      value: avro({
        registry,
        schema: {
          type: 'record',
          name: 'Order',
          fields: [
            { name: 'id', type: 'string' },
            { name: 'cents', type: 'long' },
            { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
            { name: 'day', type: { type: 'string', logicalType: 'date' } },
            { name: 'note', type: ['null', 'string'], default: null },
            { name: 'state', type: { type: 'enum', name: 'State', symbols: ['OPEN', 'PAID'] } },
            { name: 'tags', type: { type: 'map', values: { type: 'array', items: 'bytes' } } },
          ],
        },
      }),
    })
    expectTypeOf(orders.name).toEqualTypeOf<'orders'>()
    expectTypeOf<ValueOf<typeof orders>>().toEqualTypeOf<{
      id: string
      cents: number
      at: Date
      day: string
      note: string | null
      state: 'OPEN' | 'PAID'
      tags: { [key: string]: Buffer[] }
    }>()
  })

  it('may be records of records, and bigint where longs are', () => {
    const tree = {
      type: 'record',
      name: 'Tree',
      fields: [
        { name: 'size', type: 'long' },
        { name: 'left', type: ['null', 'Tree'] },
      ],
    } as const
    type Tree = AvroValue<typeof tree>
    expectTypeOf(avro({ registry, schema: tree }).decode).returns.toEqualTypeOf<Tree>()
    expectTypeOf<Tree['size']>().toEqualTypeOf<number>()
    expectTypeOf<NonNullable<Tree['left']>['size']>().toEqualTypeOf<number>()
    const large = avro({ registry, schema: { type: 'array', items: 'long' }, longs: 'bigint' })
    expectTypeOf(large.decode).returns.toEqualTypeOf<bigint[]>()
  })

  it('are what their user or a check says where the compiler sees text alone', () => {
    expectTypeOf(avro<{ id: string }>({ registry, schema: '"string"' }).decode).returns.toEqualTypeOf<{ id: string }>()
    expectTypeOf(avro({ registry }).decode).returns.toEqualTypeOf<unknown>()
    const checked = avro({ registry, schema: '"string"', check: z.object({ id: z.string() }) })
    expectTypeOf(checked.decode).returns.toEqualTypeOf<{ id: string }>()
    const byJson = jsonSchema({ registry, schema: {}, check: z.object({ id: z.string() }) })
    expectTypeOf(byJson.decode).returns.toEqualTypeOf<{ id: string }>()
  })
})
