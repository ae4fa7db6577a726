import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/errors.js'
import { json } from '../../../src/serde/json.js'
import { nullable } from '../../../src/serde/nullable.js'
import { string } from '../../../src/serde/string.js'
import { defineTopic } from '../../../src/topic/define-topic.js'
import type { Key } from '../../../src/topic/key.js'

interface Event {
  readonly tenant: number
  readonly source: string
}
const value = json<Event>()
const event: Event = { tenant: 2, source: 'näs' }
const issuesOf = (definition: object) => {
  try {
    defineTopic(definition as never)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).issues
  }
  return []
}

describe('defineTopic', () => {
  it('fills in what is left out', () => {
    const topic = defineTopic({ name: 'raw_events', value })
    expect(topic).toMatchObject({ name: 'raw_events', partitions: -1, replicationFactor: -1, configs: {} })
    expect(topic.partitioner.name).toBe('murmur2')
    expect(topic.keyOf(event)).toBeNull()
  })

  it('writes configs as text, as brokers take them', () => {
    const configs = { 'retention.ms': 86_400_000, 'cleanup.policy': 'compact', preallocate: true }
    expect(defineTopic({ name: 't', value, configs }).configs).toEqual({
      'retention.ms': '86400000',
      'cleanup.policy': 'compact',
      preallocate: 'true',
    })
  })

  it('takes keys from a field: text as UTF-8, numbers as decimal text', () => {
    expect(defineTopic({ name: 't', value, key: 'source' }).keyOf(event)).toEqual(Buffer.from('näs'))
    expect(defineTopic({ name: 't', value, key: 'tenant' }).keyOf(event)).toEqual(Buffer.from('2'))
  })

  it.each([
    [0, '0'],
    [-0, '0'],
    [-17, '-17'],
    [1.5, '1.5'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [1e21, '1000000000000000000000'],
  ])('writes the number %s as the decimal text %s', (tenant, expected) => {
    expect(
      defineTopic({ name: 't', value, key: 'tenant' })
        .keyOf({ ...event, tenant })
        ?.toString(),
    ).toBe(expected)
  })

  it('takes keys from a function, with null for none and bytes as they are', () => {
    const key = Buffer.from([0, 255])
    expect(defineTopic({ name: 't', value, key: () => key }).keyOf(event)).toBe(key)
    expect(defineTopic({ name: 't', value, key: () => null }).keyOf(event)).toBeNull()
    expect(
      defineTopic({ name: 't', value, key: (one) => `${one.tenant}-${one.source}` })
        .keyOf(event)
        ?.toString(),
    ).toBe('2-näs')
    expect(defineTopic({ name: 't', value, key: () => '' }).keyOf(event)).toHaveLength(0)
  })

  it('makes keys by a serde of their own, bound to the keys of its topic, from a field or a function', () => {
    const bound: unknown[] = []
    const keySerde = {
      ...json<unknown>(),
      ofTopic: (...place: unknown[]) => {
        bound.push(place)
        return json<unknown>()
      },
    }
    const byField = defineTopic({ name: 't', value, key: 'tenant', keySerde })
    expect(byField.keyOf(event)?.toString()).toBe('2')
    expect(byField.keySerde.decode(Buffer.from('2'))).toBe(2)
    const byFunction = defineTopic({
      name: 't',
      value,
      key: ({ tenant }) => (tenant === 2 ? { tenant } : null),
      keySerde,
    })
    expect(byFunction.keyOf(event)?.toString()).toBe('{"tenant":2}')
    expect(byFunction.keyOf({ ...event, tenant: 3 })).toBeNull()
    expect(bound).toEqual([
      ['t', 'key'],
      ['t', 'key'],
    ])
    expect(defineTopic({ name: 't', value }).keySerde).toBeUndefined()
  })

  it('refuses a serde of keys that answers with a promise, and a tombstone whose key would be a field', () => {
    const late = { name: 'late', encode: () => Promise.resolve(Buffer.alloc(1)), decode: () => '' }
    const topic = defineTopic({ name: 't', value: nullable(value), key: 'source', keySerde: late as never }) as {
      keyOf(value: Event | null): Buffer | null
    }
    expect(() => topic.keyOf(event)).toThrow('the key field source of topic t: serde late made a promise of it')
    expect(() => topic.keyOf(null)).toThrow('a tombstone has no fields')
    expect(issuesOf({ name: 't', value, keySerde: 'avro' })).toEqual([
      { path: 'keySerde', message: 'is not a serde', fix: 'write json(…), string() or bytes()' },
    ])
  })

  it('takes large numbers, bigint and any bytes as they read in decimal text, or are', () => {
    const keyOf = (key: Key) =>
      defineTopic({ name: 't', value, key: () => key })
        .keyOf(event)
        ?.toString('latin1')
    expect(keyOf(2 ** 70)).toBe('1180591620717411303424')
    expect(keyOf(2n ** 70n)).toBe('1180591620717411303424')
    expect(keyOf(new Uint8Array([65, 66]).subarray(1))).toBe('B')
  })

  it.each([
    ['half a surrogate pair', 'a\ud800', /surrogate/],
    ['a promise', Promise.resolve('late'), /promise/],
  ])('refuses %s as a key', (_, key, message) => {
    expect(() => defineTopic({ name: 't', value, key: () => key as never }).keyOf(event)).toThrow(message)
  })

  it.each([
    ['missing', {}, /key field tenant of topic t.*undefined/],
    ['NaN', { tenant: NaN }, /NaN/],
    ['infinite', { tenant: Infinity }, /Infinity/],
    ['null', { tenant: null }, /null/],
    ['an object', { tenant: { secret: 1 } }, /is object/],
    ['too small for decimal text', { tenant: 1e-9 }, /string/],
  ])('refuses a key that is %s', (_, wrong, message) => {
    const { keyOf } = defineTopic({ name: 't', value, key: 'tenant' })
    expect(() => keyOf(wrong as never)).toThrow(message)
    expect(() => keyOf(wrong as never)).toThrow(expect.objectContaining({ code: 'invalid-key' }))
  })

  it('says how to give a tombstone its key', () => {
    const topic = defineTopic({ name: 't', value: nullable(value), key: 'tenant' })
    expect(() => topic.keyOf(null)).toThrow(/tombstone.*with the send/)
  })

  it.each(['a', 'raw_events.dlq', 'A-1', '...', 'x'.repeat(249)])('takes the name %s', (name) => {
    expect(issuesOf({ name, value })).toEqual([])
  })

  it.each(['', '.', '..', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(250), 5, null, undefined])(
    'refuses the name %j',
    (name) => {
      expect(issuesOf({ name, value })).toMatchObject([{ path: 'name', fix: expect.stringMatching(/249/) }])
    },
  )

  it('tells a schema from a serde, though both have encode and decode', () => {
    const schema = { '~standard': {}, encode: () => '', decode: () => '' }
    expect(issuesOf({ name: 't', value: schema })).toEqual([
      { path: 'value', message: 'is a schema, not a serde', fix: 'write json(schema)' },
    ])
  })

  it.each([undefined, null, 't'])('refuses %s as a whole', (definition) => {
    expect(issuesOf(definition as never)).toMatchObject([{ path: 'definition', message: `is ${String(definition)}` }])
  })

  it('lists every problem at once', () => {
    const wrong = {
      name: 'a b',
      value: {},
      key: 7,
      partitioner: 'murmur2',
      partitions: 0,
      replicationFactor: 1.5,
      configs: { a: {} },
      partition: 3,
    }
    expect(issuesOf(wrong).map((issue) => issue.path)).toEqual([
      'name', 'value', 'key', 'partitioner', 'partitions', 'replicationFactor', 'configs', 'partition',
    ]) // prettier-ignore
  })

  it('cannot be changed afterwards', () => {
    const topic = defineTopic({ name: 't', value: string() })
    expect(() => Object.assign(topic, { name: 'other' })).toThrow(TypeError)
  })
})
