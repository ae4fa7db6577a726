import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { avro, type AvroOptions } from '../../../src/avro/avro.js'
import { ConfigError } from '../../../src/errors.js'
import { jsonSchema } from '../../../src/json-schema/json-schema.js'
import type { RegistryError } from '../../../src/registry/registry-error.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import { SerdeError } from '../../../src/serde/serde-error.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'

const server = memoryRegistry()
const registry = schemaRegistry({ transport: server, retries: 0 })
const order = { type: 'record', name: 'Order', fields: [{ name: 'id', type: 'string' }] }
const holding = (type: unknown) => ({ type: 'record', name: 'R', fields: [{ name: 'f', type }] })

function problemOf(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('should have failed')
}

/** What whoever writes the first lines by the docs gets wrong, and what the error says to do. */
describe('a first try that mistakes', () => {
  test.each<[string, object, string]>([
    ['the schema for the options', order, 'is a schema; write avro({ registry, schema })'],
    [
      'the in-process server for its client',
      { registry: server, schema: order },
      'write registry: schemaRegistry({ transport: … }) with it',
    ],
    [
      'a schema of zod for one of Avro',
      { registry, schema: z.object({}) },
      'is what checks values, and no Avro schema; write check with it',
    ],
    [
      'the name of a file for its text',
      { registry, schema: './order.avsc' },
      "is the name of a file; read it: schema: readFileSync(path, 'utf8')",
    ],
  ])('%s is told what to write', (_, options, message) => {
    const error = problemOf(() => avro(options as AvroOptions))
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.message).toContain(message)
  })

  test.each<[string, unknown, unknown, string]>([
    [
      'a time as a number',
      { type: 'long', logicalType: 'timestamp-millis' },
      5,
      'f: expected timestamp-millis (a Date), but it is number',
    ],
    [
      'a date with a time of day',
      { type: 'int', logicalType: 'date' },
      new Date(5),
      'f: expected date (a Date at midnight UTC), but it is Date',
    ],
    [
      'a decimal as a number',
      { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 },
      1.5,
      'f: expected decimal (text of 4 digits, 2 of them behind the point), but it is number',
    ],
    [
      'a uuid of another form',
      { type: 'string', logicalType: 'uuid' },
      'a',
      'f: expected uuid (text as 123e4567-e89b-12d3-a456-426614174000), but it is string',
    ],
    ['what may be null, left out', ['null', 'string'], undefined, 'f: expected null or string, but it is undefined'],
    [
      'a branch that has to be named, without',
      ['int', 'double'],
      5,
      'f: expected { int: … } or { double: … }, but it is number',
    ],
    [
      'a symbol that there is not',
      { type: 'enum', name: 'E', symbols: ['A'] },
      'B',
      'f: expected a symbol of E, but it is string',
    ],
    ['text for bytes', 'bytes', 'text', 'f: expected bytes (a Buffer), but it is string'],
    ['a bigint for a number', 'long', 5n, "f: expected long, but it is bigint (for those write longs: 'bigint')"],
    [
      'a number with a fraction',
      'int',
      1.5,
      'f: expected int, but it is a number with a fraction, or beyond its range',
    ],
  ])('%s is told what would fit', (_, type, value, message) => {
    const serde = avro<unknown>({ registry, schema: JSON.stringify(holding(type)) }).ofTopic?.('t')
    const error = problemOf(() => serde?.encode({ f: value }))
    expect(error).toBeInstanceOf(SerdeError)
    expect(error.message).toBe(`the value does not fit its Avro schema: ${message}`)
  })

  test('a number for a bigint is told that it would be one', () => {
    const serde = avro<unknown>({ registry, schema: JSON.stringify(holding('long')), longs: 'bigint' }).ofTopic?.('t')
    expect(problemOf(() => serde?.encode({ f: 5 })).message).toContain('f: expected long (a bigint), but it is number')
  })

  test('a function that gives subjects is told of which topic, record and part', () => {
    const asked: unknown[] = []
    const subject = (...place: unknown[]) => String(asked.push(place))
    const serde = avro<unknown>({ registry, schema: JSON.stringify(order), subject })
    serde.ofTopic?.('t', 'key')
    serde.ofTopic?.('t', 'value')
    expect(asked).toEqual([
      ['t', 'Order', 'key'],
      ['t', 'Order', 'value'],
    ])
  })

  test('a function that gives no subject registers nothing under another name', () => {
    for (const [subject, came] of [
      [() => undefined, 'is a function whose result is missing'],
      [() => '', 'is a function whose result is empty'],
    ] as const) {
      const options = { registry, schema: 'string', subject: subject as () => string } as const
      expect(problemOf(() => avro(options).ofTopic?.('t')).message).toContain(came)
    }
  })

  test('register: false of a schema that nobody registered is told both ways out', async () => {
    const writing = avro({ registry, schema: 'string', register: false }).ofTopic?.('nobody').writing
    const error = (await writing?.prepare().catch((failed: unknown) => failed)) as RegistryError
    expect(error.code).toBe('subject-not-found')
    expect(error.message).toContain('register it, or take register: false out')
  })

  test('a schema as text for one as registries keep it is told their form', async () => {
    const error = (await registry.isCompatible('s', '"string"' as never).catch((failed: unknown) => failed)) as Error
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.message).toContain("write { schema: text, schemaType: 'AVRO', references: [] }")
  })

  test('a schema of zod for a JSON Schema, and options that memoryRegistry has not, are told what to write', () => {
    expect(problemOf(() => jsonSchema({ registry, schema: z.object({}) as never })).message).toContain(
      'write check with it, and as schema what z.toJSONSchema makes of it',
    )
    expect(problemOf(() => memoryRegistry({ isCompatibel: () => true } as never)).message).toContain(
      'did you mean isCompatible?',
    )
    expect(problemOf(() => memoryRegistry({ isCompatible: true } as never)).message).toContain('write a function')
  })
})
