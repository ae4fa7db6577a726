import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ConfigError } from '../../../src/errors.js'
import { jsonSchema, type JsonSchemaOptions } from '../../../src/json-schema/json-schema.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import { json } from '../../../src/serde/json.js'
import { nullable } from '../../../src/serde/nullable.js'
import type { Serde } from '../../../src/serde/serde.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'

const Order = z.object({ id: z.string(), cents: z.number().positive() })

function world() {
  const server = memoryRegistry()
  return { server, registry: schemaRegistry({ transport: server, retries: 0 }) }
}

async function write<Value>(serde: Serde<Value>, value: Value): Promise<Buffer> {
  const bytes = serde.encode(value) as Buffer
  await serde.writing?.prepare()
  serde.writing?.complete(bytes)
  return bytes
}

describe('values as JSON by a registered schema', () => {
  test('are JSON behind the id of their schema, registered as JSON, and need no registry to be read', async () => {
    const { server, registry } = world()
    const schema = z.toJSONSchema(Order)
    const serde = jsonSchema({ registry, schema, check: Order }).ofTopic?.('orders') as Serde<z.infer<typeof Order>>
    const bytes = await write(serde, { id: 'a', cents: 1 })
    expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0, 1])
    expect(bytes.subarray(5).toString()).toBe('{"id":"a","cents":1}')
    expect(await registry.schemaById(1)).toEqual({ schema: JSON.stringify(schema), schemaType: 'JSON', references: [] })
    const asked = server.requests.length
    expect(jsonSchema({ registry, check: Order }).decode(bytes)).toEqual({ id: 'a', cents: 1 })
    expect(server.requests).toHaveLength(asked)
    expect(() => serde.encode({ id: 'a', cents: -1 })).toThrow(expect.objectContaining({ kind: 'refused' }))
  })

  test('may stand beside JSON of before, and tombstones', async () => {
    const { registry } = world()
    const both = nullable(jsonSchema({ registry, schema: '{"type":"object"}', otherwise: json() }))
    const serde = both.ofTopic?.('orders') as Serde<unknown>
    expect(serde.decode(Buffer.from('{"old":true}'))).toEqual({ old: true })
    expect(serde.decode(await write(serde, { young: true }))).toEqual({ young: true })
    expect(serde.decode(null)).toBeNull()
    const strict = jsonSchema({ registry, schema: '{"type":"object"}' })
    expect(() => strict.decode(Buffer.from('{}'))).toThrow(expect.objectContaining({ kind: 'malformed' }))
    expect(() => strict.encode({})).toThrow('belongs to no topic')
    expect(() => jsonSchema({ registry }).ofTopic?.('t').encode({})).toThrow('only reads')
  })

  test('stand under the title of their schema where the strategy says so', async () => {
    const { server, registry } = world()
    const options = { registry, schema: { title: 'shop.Order', type: 'object' }, subject: 'record' } as const
    await write(jsonSchema(options).ofTopic?.('orders') as Serde<unknown>, {})
    expect(server.requests).toEqual(['POST /subjects/shop.Order/versions'])
    expect(() => jsonSchema({ ...options, schema: {} }).ofTopic?.('orders')).toThrow(ConfigError)
  })

  test.each<[string, unknown, string]>([
    ['no registry', {}, 'registry'],
    ['zod where JSON Schema belongs', { registry: world().registry, schema: Order }, 'schema'],
    ['text that is no JSON', { registry: world().registry, schema: 'order' }, 'schema'],
    ['a check that checks nothing', { registry: world().registry, check: {} }, 'check'],
  ])('refuse bad options with the path: %s', (_, options, path) => {
    let error: unknown
    try {
      jsonSchema(options as JsonSchemaOptions)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).issues.map((issue) => issue.path)).toContain(path)
  })
})
