import avsc from 'avsc'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { avro, type AvroOptions } from '../../../src/avro/avro.js'
import { canRead } from '../../../src/avro/can-read.js'
import { ConfigError } from '../../../src/errors.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import { json } from '../../../src/serde/json.js'
import { nullable } from '../../../src/serde/nullable.js'
import type { SerdeError } from '../../../src/serde/serde-error.js'
import type { Serde } from '../../../src/serde/serde.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'

const order = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'cents', type: 'long' },
    { name: 'note', type: ['null', 'string'], default: null },
  ],
} as const

function world() {
  const server = memoryRegistry({ isCompatible: canRead })
  return { server, registry: schemaRegistry({ transport: server, retries: 0 }) }
}

/** Written and read as a client does it: what is missing is fetched first. */
async function write<Value>(serde: Serde<Value>, value: Value): Promise<Buffer> {
  const bytes = serde.encode(value)
  await serde.writing?.prepare()
  if (bytes !== null) serde.writing?.complete(bytes)
  return bytes as Buffer
}

async function read<Value>(serde: Serde<Value>, bytes: Buffer | null): Promise<Value> {
  await serde.reading?.missing(bytes)?.load()
  expect(serde.reading?.missing(bytes)).toBeNull()
  return serde.decode(bytes)
}

function bound<Value>(serde: Serde<Value>, topic = 'orders'): Serde<Value> {
  return serde.ofTopic?.(topic) ?? serde
}

/** A value under a schema, there and back by another instance. */
async function roundTrip(schema: unknown, value: unknown, options: Partial<AvroOptions> = {}): Promise<unknown> {
  const { registry } = world()
  const settings = { registry, schema, ...options } as AvroOptions
  const bytes = await write(bound(avro(settings)), value)
  return read(bound(avro(settings)), bytes)
}

function problemOf(run: () => unknown): SerdeError {
  try {
    run()
  } catch (error) {
    return error as SerdeError
  }
  throw new Error('should have failed')
}

const timestamp = { type: 'long', logicalType: 'timestamp-millis' }
const slim = { type: 'record', name: 'In', fields: [{ name: 'a', type: 'int' }] }
const wide = { ...slim, fields: [...slim.fields, { name: 'b', type: 'string', default: 'x' }] }
const optionalMap = ['null', { type: 'map', values: ['null', wide] }]
const letters = (...symbols: readonly string[]) => ({ type: 'enum', name: 'Letter', symbols })

describe('values as Avro', () => {
  test('begin with a zero byte and the id of their schema, and are read by it', async () => {
    const { registry, server } = world()
    const serde = bound(avro({ registry, schema: order }))
    const value = { id: 'a', cents: 12, note: null }
    const bytes = await write(serde, value)
    expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0, 1])
    expect(bytes.subarray(5)).toEqual(avsc.Type.forSchema(order as never).toBuffer(value))
    expect(await read(serde, bytes)).toEqual(value)
    expect(server.requests).toEqual(['POST /subjects/orders-value/versions', 'GET /schemas/ids/1'])
  })

  test.each<[string, unknown, unknown]>([
    ['null', 'null', null],
    ['boolean', 'boolean', true],
    ['int', 'int', -2_147_483_648],
    ['long', 'long', Number.MAX_SAFE_INTEGER - 1],
    ['float', 'float', 1.5],
    ['double', 'double', 1e300],
    ['string', 'string', 'grüße 🌊'],
    ['bytes', 'bytes', Buffer.from([0, 255])],
    ['fixed', { type: 'fixed', name: 'F', size: 2 }, Buffer.from([1, 2])],
    ['enum', { type: 'enum', name: 'E', symbols: ['A', 'B'] }, 'B'],
    ['array', { type: 'array', items: 'int' }, [1, 2, 3]],
    ['map', { type: 'map', values: 'long' }, { a: 1, b: 2 }],
    ['union', ['null', 'string', 'int'], 'x'],
    ['wrapped union', ['int', 'long'], { long: 5 }],
    ['timestamp-millis', { type: 'long', logicalType: 'timestamp-millis' }, new Date(1_700_000_000_123)],
    ['timestamp-micros', { type: 'long', logicalType: 'timestamp-micros' }, 1_700_000_000_123_456],
    ['date', { type: 'int', logicalType: 'date' }, new Date('2026-11-29')],
    ['date before 1970', { type: 'int', logicalType: 'date' }, new Date('1969-12-31')],
    ['uuid', { type: 'string', logicalType: 'uuid' }, '123e4567-e89b-12d3-a456-426614174000'],
    [
      'uuid as fixed',
      { type: 'fixed', name: 'U', size: 16, logicalType: 'uuid' },
      '123e4567-e89b-12d3-a456-426614174000',
    ],
    ['decimal', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }, '-12345.67'],
    ['decimal zero', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }, '0.00'],
    ['decimal below one', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 4 }, '-0.0001'],
    ['decimal -128', { type: 'bytes', logicalType: 'decimal', precision: 3 }, '-128'],
    ['decimal 128', { type: 'bytes', logicalType: 'decimal', precision: 3 }, '128'],
    ['decimal of 38 digits', { type: 'bytes', logicalType: 'decimal', precision: 38 }, '9'.repeat(38)],
    [
      'decimal as fixed',
      { type: 'fixed', name: 'D', size: 8, logicalType: 'decimal', precision: 12, scale: 3 },
      '-1.500',
    ],
  ])('come back as they were: %s', async (_, schema, value) => {
    expect(await roundTrip(schema, value)).toEqual(value)
  })

  test('have the bytes that other languages give and take, to both ends of what a number holds', async () => {
    const ends = [-(2 ** 53) + 2, -(2 ** 53) + 3, -(2 ** 52) - 1, -(2 ** 52), 2 ** 52, 2 ** 52 + 1, 2 ** 53 - 2]
    for (const n of ends) {
      const plain = { type: 'record', name: 'R', fields: [{ name: 'n', type: 'long' }] }
      const asNumber = await write(
        bound(avro<unknown>({ registry: world().registry, schema: JSON.stringify(plain) })),
        { n },
      )
      const asBigInt = await write(
        bound(avro<unknown>({ registry: world().registry, schema: JSON.stringify(plain), longs: 'bigint' })),
        {
          n: BigInt(n),
        },
      )
      expect([n, asNumber]).toEqual([n, asBigInt])
      expect(await roundTrip(plain, { n })).toEqual({ n })
    }
    const micros = { type: 'long', logicalType: 'timestamp-micros' }
    expect(await roundTrip(micros, -(2 ** 52) - 1)).toBe(-(2 ** 52) - 1)
    const at = { type: 'long', logicalType: 'timestamp-millis' }
    for (const ms of [-8_639_999_999_999_999, -8.64e15, 8.64e15]) {
      expect(await roundTrip(at, new Date(ms))).toEqual(new Date(ms))
    }
    const twice = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'a', type: at },
        { name: 'b', type: at },
      ],
    }
    expect(await roundTrip(twice, { a: new Date(1), b: new Date(2) })).toEqual({ a: new Date(1), b: new Date(2) })
  })

  test('come back as BigInt where longs are', async () => {
    const schema = { type: 'record', name: 'R', fields: [{ name: 'n', type: 'long' }] }
    for (const n of [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      expect(await roundTrip(schema, { n }, { longs: 'bigint' })).toEqual({ n })
    }
    const at = {
      type: 'record',
      name: 'R',
      fields: [{ name: 'n', type: { type: 'long', logicalType: 'timestamp-millis' } }],
    }
    expect(await roundTrip(at, { n: new Date(5) }, { longs: 'bigint' })).toEqual({ n: new Date(5) })
  })

  test('are refused with places and without content where they do not fit', () => {
    const { registry } = world()
    const serde = bound(avro<unknown>({ registry, schema: JSON.stringify(order) }))
    const error = problemOf(() => serde.encode({ id: 7, cents: 'secret', note: 3 }))
    expect(error).toMatchObject({ kind: 'refused' })
    expect(error.issues.map(({ path }) => path)).toEqual(['id', 'cents', 'note'])
    expect(error.message).not.toContain('secret')
    expect(error.message).toContain('cents: expected long, but it is string')
  })

  test.each<[string, unknown, unknown]>([
    ['an integer that long would round', 'long', 2 ** 60],
    ['a date with a time of day', { type: 'int', logicalType: 'date' }, new Date(5)],
    ['an invalid Date', { type: 'long', logicalType: 'timestamp-millis' }, new Date(NaN)],
    ['digits that a decimal does not have', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }, '1.234'],
    ['more digits than a decimal has', { type: 'bytes', logicalType: 'decimal', precision: 3, scale: 1 }, '123.4'],
    ['a number for a decimal', { type: 'bytes', logicalType: 'decimal', precision: 3, scale: 1 }, 1.5],
    ['text that is no uuid', { type: 'string', logicalType: 'uuid' }, 'x'],
    ['null without nullable', order, null],
    ['nothing', order, undefined],
  ])('are refused rather than changed: %s', (_, schema, value) => {
    const { registry } = world()
    const serde = bound(avro({ registry, schema } as AvroOptions))
    expect(problemOf(() => serde.encode(value))).toMatchObject({ name: 'SerdeError', kind: 'refused' })
  })

  test('of a newer and an older writer are brought to the schema of the reader', async () => {
    const { registry } = world()
    const v1 = { type: 'record', name: 'R', fields: [{ name: 'a', type: 'int' }] } as const
    const v2 = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'a', type: 'long' },
        { name: 'b', type: 'string', default: 'none' },
        { name: 'kind', type: { type: 'enum', name: 'K', symbols: ['X', 'Y'], default: 'X' }, default: 'Y' },
      ],
    } as const
    const [old, young] = [bound(avro({ registry, schema: v1 })), bound(avro({ registry, schema: v2 }))]
    const byOld = await write(old, { a: 1 })
    const byYoung = await write(young, { a: 2, b: 'x', kind: 'X' })
    expect(await read(young, byOld)).toEqual({ a: 1, b: 'none', kind: 'Y' })
    const error = await read(old, byYoung).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ kind: 'malformed' })
    const loose = bound(
      avro({ registry, schema: { type: 'record', name: 'R', fields: [{ name: 'a', type: 'long' }] } }),
    )
    expect(await read(loose, byYoung)).toEqual({ a: 2 })
  })

  test.each<[string, unknown, unknown]>([
    ['timestamp-millis', { type: 'long', logicalType: 'timestamp-millis' }, new Date(1_700_000_000_123)],
    ['timestamp-micros', { type: 'long', logicalType: 'timestamp-micros' }, 1_700_000_000_123_456],
    ['date', { type: 'int', logicalType: 'date' }, new Date('2026-11-29')],
    ['decimal', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }, '-1.25'],
    ['uuid', { type: 'string', logicalType: 'uuid' }, '123e4567-e89b-12d3-a456-426614174000'],
    [
      'uuid as fixed',
      { type: 'fixed', name: 'U', size: 16, logicalType: 'uuid' },
      '123e4567-e89b-12d3-a456-426614174000',
    ],
  ])('with a logical type are read by a schema that has a field more: %s', async (_, type, value) => {
    const { registry } = world()
    const fields = [{ name: 'a', type }]
    const more = [...fields, { name: 'b', type: 'int', default: 1 }]
    const [old, young] = [fields, more].map((one) =>
      bound(avro<unknown>({ registry, schema: JSON.stringify({ type: 'record', name: 'R', fields: one }) })),
    ) as [Serde<unknown>, Serde<unknown>]
    expect(await read(young, await write(old, { a: value }))).toEqual({ a: value, b: 1 })
    expect(await read(old, await write(young, { a: value, b: 2 }))).toEqual({ a: value })
  })

  test.each<[string, unknown, unknown, unknown, unknown?]>([
    [
      'a record of another namespace',
      { ...slim, namespace: 'a' },
      { ...wide, namespace: 'b' },
      { a: 1 },
      { a: 1, b: 'x' },
    ],
    ['a long far below zero', 'long', 'long', 2 - 2 ** 53],
    ['a large long', 'long', 'long', 2 ** 53 - 2],
    ['a long of a union', ['null', 'long'], ['null', 'long'], 2 - 2 ** 53],
    ['longs of an array', { type: 'array', items: 'long' }, { type: 'array', items: ['null', 'long'] }, [2 - 2 ** 53]],
    ['a long as a double', 'long', 'double', 2 - 2 ** 53],
    ['a long as a float', { type: 'long' }, { type: 'float' }, -(2 ** 52) - 1],
    ['a long as a timestamp', 'long', timestamp, -8.64e15, new Date(-8.64e15)],
    ['an optional timestamp', ['null', timestamp], ['null', timestamp], new Date(5)],
    ['a timestamp that becomes optional', timestamp, ['null', timestamp], new Date(5)],
    ['a record that becomes optional and has a field more', slim, ['null', wide], { a: 1 }, { a: 1, b: 'x' }],
    [
      'a map in a union',
      ['null', { type: 'map', values: ['null', slim] }],
      optionalMap,
      { k: { a: 1 } },
      { k: { a: 1, b: 'x' } },
    ],
    ['an enum in an array', { type: 'array', items: letters('A', 'B') }, { type: 'array', items: letters('B') }, ['B']],
  ])('are the same by another schema of the reader: %s', async (_, written, into, value, expected = value) => {
    const { registry } = world()
    const record = (type: unknown, more: readonly unknown[]) =>
      JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'v', type }, ...more] })
    const schemas = [record(written, []), record(into, [{ name: 'more', type: 'int', default: 1 }])]
    const [writer, reader] = schemas.map((schema, index) =>
      bound(avro<unknown>({ registry, schema }), `topic ${index}`),
    ) as [Serde<unknown>, Serde<unknown>]
    expect(await read(reader, await write(writer, { v: value }))).toEqual({ v: expected, more: 1 })
  })

  test('are refused one by one where only some of a schema have a place in that of the reader', async () => {
    const { registry } = world()
    const suit = { type: 'enum', name: 'Suit', symbols: ['CLUBS', 'HEARTS'] }
    const list = (item: unknown) => ({
      type: 'record',
      name: 'L',
      fields: [
        { name: 'item', type: item },
        { name: 'next', type: ['null', 'L'] },
      ],
    })
    const all = list(['null', 'string', 'long', suit])
    const some = list(['null', { ...suit, symbols: ['CLUBS'] }])
    const [writer, reader] = [all, some].map((schema, index) =>
      bound(avro<unknown>({ registry, schema: JSON.stringify(schema) }), `topic ${index}`),
    ) as [Serde<unknown>, Serde<unknown>]
    const good = { item: null, next: { item: { Suit: 'CLUBS' }, next: null } }
    expect(await read(reader, await write(writer, good))).toEqual({ item: null, next: { item: 'CLUBS', next: null } })
    for (const item of [{ string: 'secret' }, { long: 7 }, { Suit: 'HEARTS' }]) {
      const bytes = await write(writer, { item: null, next: { item, next: null } })
      const error = problemOf(() => reader.decode(bytes))
      expect(error).toMatchObject({ kind: 'malformed' })
      expect(error.message).toContain('is none of the schema given here')
      expect(error.message).not.toMatch(/secret|HEARTS/)
    }
    expect(await read(reader, await write(reader, { item: 'CLUBS', next: null }))).toEqual({
      item: 'CLUBS',
      next: null,
    })
  })

  test('are read as they were written where no schema is given', async () => {
    const { registry } = world()
    const bytes = await write(bound(avro({ registry, schema: order })), { id: 'a', cents: 1, note: 'n' })
    const reader = bound(avro({ registry }))
    expect(await read(reader, bytes)).toEqual({ id: 'a', cents: 1, note: 'n' })
    expect(problemOf(() => reader.encode({})).message).toContain('only reads')
  })

  test('of a schema that refers to others are read with them', async () => {
    const { registry, server } = world()
    const money = '{"type":"record","name":"shop.Money","fields":[{"name":"cents","type":"long"}]}'
    await registry.register('money', { schema: money, schemaType: 'AVRO', references: [] })
    const schema = '{"type":"record","name":"Bill","fields":[{"name":"sum","type":"shop.Money"}]}'
    const id = await registry.register('bills-value', {
      schema,
      schemaType: 'AVRO',
      references: [{ name: 'shop.Money', subject: 'money', version: 1 }],
    })
    const bytes = Buffer.from([0, 0, 0, 0, id, 10])
    expect(await read(bound(avro({ registry }), 'bills'), bytes)).toEqual({ sum: { cents: 5 } })
    expect(server.requests).toContain('GET /subjects/money/versions/1')
  })

  test.each<[AvroOptions['subject'], string]>([
    [undefined, 'orders-value'],
    ['topic', 'orders-value'],
    ['record', 'shop.Order'],
    ['topic-record', 'orders-shop.Order'],
    [(topic, record) => `${topic}/${record}`, 'orders/shop.Order'],
  ])('stand under the subject of their strategy: %s', async (subject, name) => {
    const { registry, server } = world()
    await write(bound(avro({ registry, schema: order, subject })), { id: 'a', cents: 1, note: null })
    expect(server.requests).toEqual([`POST /subjects/${encodeURIComponent(name)}/versions`])
  })

  test('are not sent by a schema that is not registered when registering is off', async () => {
    const { registry } = world()
    const serde = bound(avro({ registry, schema: order, register: false }))
    await expect(write(serde, { id: 'a', cents: 1, note: null })).rejects.toMatchObject({ code: 'subject-not-found' })
    await bound(avro({ registry, schema: order })).writing?.prepare()
    expect((await write(serde, { id: 'a', cents: 1, note: null }))[4]).toBe(1)
  })

  test('are not registered where that would break those who read them', async () => {
    const { registry } = world()
    await bound(avro({ registry, schema: { type: 'record', name: 'R', fields: [] } })).writing?.prepare()
    const breaking = { type: 'record', name: 'R', fields: [{ name: 'x', type: 'int' }] } as const
    const failed = bound(avro({ registry, schema: breaking })).writing?.prepare()
    await expect(failed).rejects.toMatchObject({ code: 'schema-incompatible', status: 409 })
  })

  test('of a topic with records of before are told apart by their first byte', async () => {
    const { registry } = world()
    const serde = bound(avro({ registry, schema: order, otherwise: json() }))
    const bytes = await write(serde, { id: 'a', cents: 1, note: null })
    expect(await read(serde, bytes)).toEqual({ id: 'a', cents: 1, note: null })
    expect(await read(serde, Buffer.from('{"id":"b"}'))).toEqual({ id: 'b' })
  })

  test.each<[string, Buffer]>([
    ['JSON', Buffer.from('{"id":"a"}')],
    ['nothing', Buffer.alloc(0)],
    ['a prefix that is cut', Buffer.from([0, 0, 0])],
  ])('are undecodable where they name no schema: %s', async (_, bytes) => {
    const { registry } = world()
    const error = problemOf(() => bound(avro({ registry })).decode(bytes))
    expect(error).toMatchObject({ kind: 'malformed' })
    expect(error.message).toContain('names no schema')
  })

  test('are undecodable where their bytes are not what the schema says, to the last byte', async () => {
    const { registry } = world()
    const serde = bound(avro({ registry, schema: order }))
    const bytes = await write(serde, { id: 'a', cents: 1, note: 'note' })
    await read(serde, bytes)
    for (let end = 5; end < bytes.length; end += 1) {
      expect(problemOf(() => serde.decode(bytes.subarray(0, end)))).toMatchObject({ kind: 'malformed' })
    }
    expect(problemOf(() => serde.decode(Buffer.concat([bytes, Buffer.from([0])])))).toMatchObject({ kind: 'malformed' })
  })

  test('are checked by a schema of zod beside Avro, both ways', async () => {
    const { registry } = world()
    const check = z.object({ id: z.string(), cents: z.number().positive(), note: z.string().nullable() })
    const serde = bound(avro({ registry, schema: order, check }))
    expect(problemOf(() => serde.encode({ id: 'a', cents: -1, note: null }))).toMatchObject({ kind: 'refused' })
    const bytes = await write(bound(avro({ registry, schema: order })), { id: 'a', cents: -1, note: null })
    await serde.reading?.missing(bytes)?.load()
    expect(problemOf(() => serde.decode(bytes))).toMatchObject({ kind: 'refused' })
  })

  test('may be tombstones where nullable says so', async () => {
    const { registry } = world()
    const serde = bound(nullable(avro({ registry, schema: order })))
    expect(serde.encode(null)).toBeNull()
    expect(await read(serde, null)).toBeNull()
    const bytes = await write(serde, { id: 'a', cents: 1, note: null })
    expect(await read(serde, bytes)).toEqual({ id: 'a', cents: 1, note: null })
  })

  test('that run code of their own while they are written disturb no other', async () => {
    const { registry } = world()
    const serde = bound(avro<unknown>({ registry, schema: JSON.stringify(order) }))
    const plain = { id: 'p'.repeat(5_000), cents: 1, note: null }
    let inner: Buffer | null = null
    const nested = {
      id: 'outer',
      get cents() {
        inner = serde.encode(plain)
        return 2
      },
      note: null,
    }
    const outer = await write(serde, nested)
    expect(await read(serde, outer)).toEqual({ id: 'outer', cents: 2, note: null })
    serde.writing?.complete(inner as unknown as Buffer)
    expect(await read(serde, inner)).toEqual(plain)
  })

  test('are read whole where what reads them reads others meanwhile', async () => {
    const { registry } = world()
    const plain = bound(avro<unknown>({ registry, schema: 'string' }), 'inner')
    const inner = await write(plain, 'inner')
    await read(plain, inner)
    class Reading extends avsc.types.LogicalType {
      protected override _fromValue(value: string): unknown {
        return `${value} ${String(plain.decode(inner))}`
      }

      protected override _toValue(value: unknown): unknown {
        return value
      }
    }
    const schema = JSON.stringify({ type: 'array', items: { type: 'string', logicalType: 'reading' } })
    const outer = bound(avro<unknown>({ registry, schema, logicalTypes: { reading: Reading } }), 'outer')
    expect(await read(outer, await write(outer, ['a', 'b']))).toEqual(['a inner', 'b inner'])
  })

  test.each<[string, unknown, string]>([
    ['no registry', {}, 'registry'],
    ['an address for a registry', { registry: 'http://r:1' }, 'registry'],
    ['a schema of zod as schema', { registry: world().registry, schema: z.string() }, 'schema'],
    ['a schema that is none', { registry: world().registry, schema: { type: 'recrd' } }, 'schema'],
    ['text that is no schema', { registry: world().registry, schema: '{"type":' }, 'schema'],
    ['a strategy that is none', { registry: world().registry, subject: 'both' }, 'subject'],
    ['longs of another kind', { registry: world().registry, longs: 'string' }, 'longs'],
    ['an option that is none', { registry: world().registry, schemas: 1 }, 'schemas'],
  ])('refuse bad options with the path: %s', (_, options, path) => {
    const error = problemOf(() => avro(options as AvroOptions)) as unknown as ConfigError
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.issues.map((issue) => issue.path)).toContain(path)
  })

  test('refuse a strategy by name for a schema without one when the topic is defined', () => {
    const { registry } = world()
    expect(problemOf(() => bound(avro({ registry, schema: 'string', subject: 'record' })))).toBeInstanceOf(ConfigError)
  })
})
