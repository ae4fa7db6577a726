import { describe, expect, test } from 'vitest'
import { avro } from '../../../src/avro/avro.js'
import { ConfigError } from '../../../src/errors.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import { SerdeError } from '../../../src/serde/serde-error.js'
import type { Serde } from '../../../src/serde/serde.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'

/** A serde of a topic, and one that reads into `into` what the first writes. */
async function world(schema: unknown, into: unknown = schema) {
  const registry = schemaRegistry({ transport: memoryRegistry(), retries: 0 })
  const serdeBy = (text: unknown) => avro<unknown>({ registry, schema: JSON.stringify(text) })
  const writer = serdeBy(schema).ofTopic?.('t') as Serde<unknown>
  const reader = serdeBy(into).ofTopic?.('t') as Serde<unknown>
  await writer.writing?.prepare()
  const empty = Buffer.from([0, 0, 0, 0, 1])
  await reader.reading?.missing(empty)?.load()
  return { writer, reader, behindPrefix: (bytes: readonly number[]) => Buffer.concat([empty, Buffer.from(bytes)]) }
}

/** Zigzag, seven bits a byte. */
function long(value: number): number[] {
  let rest = value >= 0 ? BigInt(value) * 2n : BigInt(value) * -2n - 1n
  const bytes: number[] = []
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return [...bytes, Number(rest)]
}

const record = (...fields: readonly [string, unknown][]) => ({
  type: 'record',
  name: 'R',
  fields: fields.map(([name, type]) => ({ name, type })),
})
const strings = { type: 'array', items: 'string' }
const nulls = { type: 'array', items: 'null' }
const map = { type: 'map', values: 'string' }
const empties = { type: 'array', items: { type: 'record', name: 'Empty', fields: [] } }

describe('bytes that are not what their schema says', () => {
  const much = 2 ** 31
  test.each<[string, unknown, readonly number[]]>([
    ['of an array', strings, [...long(much), ...long(1), 97]],
    ['of an array in a block with its size', strings, [...long(-much), ...long(4), ...long(1), 97]],
    ['of a map', map, [...long(much), ...long(1), 97, ...long(1), 97]],
    ['of items that take no bytes', nulls, long(much)],
    ['of records that take none', empties, long(much)],
    ['beyond any array', strings, long(2 ** 52)],
  ])('are refused at once where they count more than they hold: %s', async (_, schema, bytes) => {
    const { reader, behindPrefix } = await world(schema)
    expect(() => reader.decode(behindPrefix(bytes))).toThrow(SerdeError)
    // The same where nobody wants it, so that it is passed over.
    const passing = await world(record(['passed', schema], ['n', 'int']), record(['n', 'int']))
    expect(() => passing.reader.decode(passing.behindPrefix(bytes))).toThrow(SerdeError)
  })

  test('end where a block that is passed over says that it lies behind', async () => {
    const { reader, behindPrefix } = await world(record(['passed', strings], ['n', 'int']), record(['n', 'int']))
    expect(() => reader.decode(behindPrefix([...long(-1), ...long(-2), ...long(0), ...long(1)]))).toThrow(SerdeError)
    expect(reader.decode(behindPrefix([...long(-1), ...long(2), ...long(1), 97, ...long(0), ...long(1)]))).toEqual({
      n: 1,
    })
  })

  test.each([-1, -2, -(2 ** 31)])('are refused without a question where they name schema %i', async (id) => {
    const server = memoryRegistry()
    const registry = schemaRegistry({ transport: server, retries: 0 })
    const serde = avro<unknown>({ registry }).ofTopic?.('t') as Serde<unknown>
    const bytes = Buffer.alloc(6)
    bytes.writeInt32BE(id, 1)
    // Whose registry answers such a question as if it were out of order would wait for it for ever.
    expect(serde.reading?.missing(bytes)).toBeNull()
    expect(() => serde.decode(bytes)).toThrow(`the value names schema ${id}: `)
    expect(server.requests).toEqual([])
  })

  test('are read in blocks, with their sizes and without, and where items take no bytes', async () => {
    const inBlocks = [...long(2), ...long(1), 97, ...long(1), 98, ...long(-1), ...long(2), ...long(1), 99, ...long(0)]
    const { reader, behindPrefix } = await world(strings)
    expect(reader.decode(behindPrefix(inBlocks))).toEqual(['a', 'b', 'c'])
    const { writer, reader: readerOfNulls } = await world(nulls)
    const many = Array.from({ length: 5_000 }, () => null)
    expect(readerOfNulls.decode(writer.encode(many))).toEqual(many)
  })
})

describe('names that every object of JavaScript has', () => {
  test('are entries of a map like any other', async () => {
    const { reader, behindPrefix } = await world({ type: 'map', values: record(['admin', 'boolean']) })
    const key = (text: string) => [...long(text.length), ...Buffer.from(text)]
    const value = reader.decode(
      behindPrefix([...long(2), ...key('__proto__'), 1, ...key('constructor'), 1, ...long(0)]),
    )
    expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect((value as { admin?: boolean }).admin).toBeUndefined()
  })

  test('are fields of a record like any other: constructor, toString', async () => {
    const { writer, reader } = await world(record(['constructor', 'string'], ['toString', 'int']))
    const value = { constructor: 'a', toString: 1 }
    expect(reader.decode(writer.encode(value))).toEqual(value)
    expect(() => writer.encode({ toString: 1 })).toThrow('constructor: expected string, but it is function')
  })

  test('are names of types', async () => {
    const schema = record(['one', { ...record(['n', 'int']), name: 'constructor' }], ['other', 'constructor'])
    const { writer, reader } = await world(schema)
    const value = { one: { n: 1 }, other: { n: 2 } }
    expect(reader.decode(writer.encode(value))).toEqual(value)
    const stranger = record(['n', { type: 'int', logicalType: 'constructor' }])
    const { writer: writes, reader: reads } = await world(stranger)
    expect(reads.decode(writes.encode({ n: 1 }))).toEqual({ n: 1 })
  })

  test('but for __proto__, which is refused when the topic is defined, and never read into what a record inherits from', async () => {
    const registry = schemaRegistry({ transport: memoryRegistry(), retries: 0 })
    const schema = record(['__proto__', record(['admin', 'boolean'])])
    expect(() => avro({ registry, schema: JSON.stringify(schema) })).toThrow(ConfigError)
    expect(() => avro({ registry, schema: JSON.stringify(schema) })).toThrow('a field is named __proto__')
    const id = await registry.register('t-value', {
      schema: JSON.stringify(schema),
      schemaType: 'AVRO',
      references: [],
    })
    const serde = avro({ registry })
    const bytes = Buffer.from([0, 0, 0, 0, id, 1])
    await serde.reading?.missing(bytes)?.load()
    expect(() => serde.decode(bytes)).toThrow('a field is named __proto__')
  })
})
