import { describe, expect, test } from 'vitest'
import { SchemaCache } from '../../../src/registry/schema-cache.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

function cached({ mostSchemas = 100, schemas = 0 } = {}) {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(1) }
  const server = memoryRegistry({ clock })
  const registry = schemaRegistry({ transport: server, runtime, retries: 0 })
  const cache = new SchemaCache<string>({
    registry,
    compile: ({ schema }) => {
      if (schema === '"broken"') throw new Error('no schema')
      return schema
    },
    runtime,
    mostSchemas,
  })
  const add = async (schema: string) => registry.register(`s${schema}`, { schema, schemaType: 'AVRO', references: [] })
  const added = Promise.all(Array.from({ length: schemas }, (_, index) => add(`"${index}"`)))
  return { clock, server, cache, add, added }
}

describe('a cache of schemas', () => {
  test('stays within its bound over 10,000 ids, and keeps what is in use', async () => {
    const { cache, added } = cached({ mostSchemas: 100, schemas: 10_000 })
    const ids = await added
    const inUse = ids[0] as number
    await cache.load(inUse)
    for (const id of ids.slice(1)) {
      await cache.load(id)
      expect(cache.size).toBeLessThanOrEqual(100)
      if (id % 50 === 0) expect(cache.get(inUse)).toMatchObject({ kind: 'reader' })
    }
    expect(cache.get(ids.at(-1) as number)).toMatchObject({ kind: 'reader', reader: '"9999"' })
  })

  test('asks once for an id that a thousand records need at the same time', async () => {
    const { cache, server, add } = cached()
    const id = await add('"one"')
    const before = server.requests.length
    await Promise.all(Array.from({ length: 1_000 }, () => cache.load(id)))
    expect(server.requests.length - before).toBe(1)
  })

  test('takes an id for unknown only when the registry has had none for a while, and asks again later', async () => {
    const { cache, clock, add } = cached()
    await expect(cache.load(1)).rejects.toMatchObject({ code: 'schema-not-found' })
    await clock.advance(1_000)
    await expect(cache.load(1)).rejects.toMatchObject({ code: 'schema-not-found' })
    expect(cache.get(1)).toBeNull()
    await clock.advance(2_000)
    await cache.load(1)
    expect(cache.get(1)).toMatchObject({ kind: 'refused', error: { kind: 'malformed' } })
    await add('"late"')
    expect(cache.get(1)).toMatchObject({ kind: 'refused' })
    await clock.advance(60_000)
    expect(cache.get(1)).toBeNull()
    await cache.load(1)
    expect(cache.get(1)).toMatchObject({ kind: 'reader', reader: '"late"' })
  })

  test('loses no record to a registry that tells a new schema a moment late', async () => {
    const { cache, clock, add } = cached()
    await expect(cache.load(1)).rejects.toMatchObject({ code: 'schema-not-found' })
    await add('"new"')
    await clock.advance(500)
    await cache.load(1)
    expect(cache.get(1)).toMatchObject({ kind: 'reader' })
  })

  test('refuses a schema that cannot be read, and remembers no outage', async () => {
    const { cache, server, add } = cached()
    const id = await add('"broken"')
    server.state = 'down'
    await expect(cache.load(id)).rejects.toMatchObject({ code: 'registry-unreachable' })
    expect(cache.get(id)).toBeNull()
    server.state = 'up'
    await cache.load(id)
    expect(cache.get(id)).toMatchObject({ kind: 'refused' })
  })
})
