import { beforeAll, describe, expect, test } from 'vitest'
import { avro } from '../../src/avro.js'
import { schemaRegistry } from '../../src/registry.js'
import { memoryRegistry } from '../../src/testing.js'
import type { Serde } from '../../src/index.js'
import { javaAvro, type AvroAnswer } from '../support/java-avro.js'
import { avroVectors, type AvroVector } from './support/avro-vectors.js'

/** Written here, read by Java with the reader's schema, written by Java with the writer's, and read here again. */
interface Trip {
  readonly vector: AvroVector
  readonly serde: Serde<unknown>
  readonly written: Buffer
  answer: AvroAnswer
}

const trips = new Map<string, Trip>()

beforeAll(async () => {
  const schemas = new Map<number, string>()
  const registry = schemaRegistry({ transport: memoryRegistry() })
  const prepared: { readonly trip: Omit<Trip, 'answer'>; readonly reader: number }[] = []
  for (const [index, vector] of avroVectors.entries()) {
    const serdeOf = async (name: string, schema: unknown) => {
      const topic = `vectors.${index}.${name}`
      const options = { registry, schema: JSON.stringify(schema), longs: vector.longs ?? 'number' } as const
      const serde: Serde<unknown> = avro<unknown>(options).ofTopic?.(topic) ?? avro<unknown>(options)
      await serde.writing?.prepare()
      const { id } = await registry.latest(`${topic}-value`)
      schemas.set(id, JSON.stringify(schema))
      return { serde, id }
    }
    const writer = await serdeOf('writer', vector.writer)
    const reader = await serdeOf('reader', vector.reader ?? vector.writer)
    const written = writer.serde.encode(vector.value) as Buffer
    writer.serde.writing?.complete(written)
    prepared.push({ trip: { vector, serde: reader.serde, written }, reader: reader.id })
  }
  const records = prepared.map(({ trip, reader }) => ({ bytes: trip.written, reader }))
  const answers = await javaAvro(schemas, records)
  expect(answers).toHaveLength(avroVectors.length)
  for (const [index, { trip }] of prepared.entries()) trips.set(trip.vector.name, { ...trip, answer: answers[index]! })
}, 300_000)

test('there are 200 vectors, each with a name of its own', () => {
  expect(avroVectors.length).toBeGreaterThanOrEqual(200)
  expect(trips.size).toBe(avroVectors.length)
})

describe('Avro and Java understand each other', () => {
  test.each(avroVectors.map(({ name }) => [name]))('%s', async (name) => {
    const { vector, serde, written, answer } = trips.get(name)!
    if (answer.kind === 'failed') throw new Error(`Java: ${answer.why}`)
    const expected = vector.read === undefined ? vector.value : vector.read
    expect(asHere(answer.shown, vector)).toEqual(expected)
    for (const bytes of [written, answer.written, answer.inBlocks]) {
      await serde.reading?.missing(bytes)?.load()
      expect(serde.decode(bytes)).toEqual(expected)
    }
  })
})

/** What Java shows as the values of `avro()`. */
function asHere(shown: unknown, vector: AvroVector): unknown {
  if (shown === null || typeof shown !== 'object') return shown
  if (Array.isArray(shown)) return shown.map((item) => asHere(item, vector))
  const [[tag = '', value] = []] = Object.entries(shown) as [string, unknown][]
  const text = String(value)
  switch (tag) {
    case '$int':
      return Number(text)
    case '$long':
      return vector.longs === 'bigint' ? BigInt(text) : Number(text)
    case '$double':
      return Buffer.from(text, 'hex').readDoubleBE()
    case '$instant':
      return new Date(Number(text))
    case '$date':
      return new Date(`${text}T00:00:00.000Z`)
    case '$bytes':
      return Buffer.from(text, 'base64')
    case '$union': {
      const [branch, inner] = value as [string, unknown]
      return vector.wrapped === true ? { [branch]: asHere(inner, vector) } : asHere(inner, vector)
    }
    default:
      return Object.fromEntries(Object.entries(shown).map(([key, inner]) => [key, asHere(inner, vector)]))
  }
}
