import { describe, expect, test } from 'vitest'
import { avro } from '../../../src/avro/avro.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import type { SchemaReference } from '../../../src/registry/schema.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'

function world() {
  const registry = schemaRegistry({ transport: memoryRegistry(), retries: 0 })
  const register = (subject: string, schema: unknown, references: readonly SchemaReference[] = []) =>
    registry.register(subject, { schema: JSON.stringify(schema), schemaType: 'AVRO', references })
  /** What a client that knows nothing makes of these bytes of another. */
  const read = async (id: number, bytes: readonly number[], into?: unknown): Promise<unknown> => {
    const schema = into === undefined ? undefined : JSON.stringify(into)
    const serde = avro<unknown>({ registry, schema }).ofTopic!('t')
    const record = Buffer.from([0, 0, 0, 0, id, ...bytes])
    await serde.reading?.missing(record)?.load()
    return serde.decode(record)
  }
  return { register, read }
}

const record = (name: string, ...fields: readonly object[]) => ({ type: 'record', name, fields })
const field = (name: string, type: unknown) => record('R', { name, type })

describe('schemas that others have registered', () => {
  test.each<[string, unknown, readonly number[], unknown]>([
    ['null that is not first', record('R', { name: 's', type: ['string', 'null'], default: null }), [2], { s: null }],
    ['text for a number', record('R', { name: 'n', type: 'int', default: '0' }), [8], { n: 4 }],
    ['null for text', record('R', { name: 's', type: 'string', default: null }), [2, 65], { s: 'A' }],
    [
      'of a record inside',
      field('i', record('I', { name: 'b', type: 'boolean', default: 'no' })),
      [1],
      { i: { b: true } },
    ],
    ['no symbol of its enum', { type: 'enum', name: 'E', symbols: ['A', 'B'], default: 'Z' }, [2], 'B'],
  ])('are read though a default of theirs does not fit: %s', async (_, schema, bytes, value) => {
    const { register, read } = world()
    const id = await register('t-value', schema)
    expect(await read(id, bytes)).toEqual(value)
  })

  test('are read into one of ours with its own defaults, and as what others refer to', async () => {
    const { register, read } = world()
    const odd = record('Money', { name: 'cents', type: 'int', default: '0' }, { name: 'of', type: record('Of') })
    await register('money', odd)
    const bill = await register('t-value', field('sum', 'Money'), [{ name: 'Money', subject: 'money', version: 1 }])
    expect(await read(bill, [10])).toEqual({ sum: { cents: 5, of: {} } })
    const fixed = record('Money', { name: 'cents', type: 'int' }, { name: 'currency', type: 'string', default: 'EUR' })
    expect(await read(bill, [10], field('sum', fixed))).toEqual({ sum: { cents: 5, currency: 'EUR' } })
  })

  test.each<[string, unknown, readonly number[], unknown]>([
    ['a time as text', { type: 'string', logicalType: 'timestamp-millis' }, [2, 65], 'A'],
    ['a date as text', { type: 'string', logicalType: 'date' }, [2, 65], 'A'],
    ['a decimal as text', { type: 'string', logicalType: 'decimal', precision: 4, scale: 2 }, [2, 49], '1'],
    ['a decimal without precision', { type: 'bytes', logicalType: 'decimal' }, [2, 65], Buffer.from('A')],
    ['a decimal of more places than digits', { type: 'bytes', logicalType: 'decimal', precision: 1, scale: 2 }, [2, 65], Buffer.from('A')], // prettier-ignore
    ['a uuid as bytes', { type: 'bytes', logicalType: 'uuid' }, [2, 65], Buffer.from('A')],
    ['a uuid that is too short', { type: 'fixed', name: 'U', size: 1, logicalType: 'uuid' }, [65], Buffer.from('A')],
    ['a list that would be a decimal', { type: 'array', items: 'int', logicalType: 'decimal' }, [2, 8, 0], [4]],
  ])('are read as what they stand on where a logical type says nothing: %s', async (_, type, bytes, value) => {
    const { register, read } = world()
    // What is defined behind it has its name all the same.
    const id = await register('t-value', record('R', { name: 'x', type }, { name: 'y', type: record('Y') }))
    expect(await read(id, bytes)).toEqual({ x: value, y: {} })
    const id2 = await register('u-value', record('S', { name: 'r', type: 'R' }), [
      { name: 'R', subject: 't-value', version: 1 },
    ])
    expect(await read(id2, bytes)).toEqual({ r: { x: value, y: {} } })
  })
})
