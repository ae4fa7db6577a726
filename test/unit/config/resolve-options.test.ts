import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigError } from '../../../src/errors.js'
import { listOptions } from '../../../src/config/option-schema.js'
import { resolveOptions } from '../../../src/config/resolve-options.js'

const schema = z.strictObject({
  group: z.string().min(1).describe('consumer group'),
  concurrency: z.int().min(1).max(10_000).default(16).describe('handlers at once'),
  lingerMs: z.number().min(0).default(5).describe('milliseconds a batch waits for more'),
  order: z.enum(['partition', 'key', 'none']).default('partition'),
  commit: z
    .union([
      z.literal('each'),
      z.strictObject({ everyMs: z.int().min(1).describe('interval in milliseconds'), everyMessages: z.int().min(1) }),
    ])
    .optional()
    .describe('when settled work is committed'),
  topics: z.array(z.strictObject({ name: z.string() })).min(1),
  labels: z.record(z.string(), z.number()).optional(),
  sasl: z
    .strictObject({ mechanism: z.enum(['plain']), password: z.string().min(8), pin: z.number().max(5) })
    .optional(),
  handle: z.custom<() => void>((value) => typeof value === 'function', 'a function'),
})
const valid = { group: 'g', topics: [{ name: 't' }], handle: () => undefined }

const issuesOf = (input: unknown) => {
  try {
    resolveOptions('consumer "detect"', schema, input)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).issues
  }
  throw new Error('expected a ConfigError')
}
const issueOf = (change: object) => {
  const issues = issuesOf({ ...valid, ...change })
  expect(issues).toHaveLength(1)
  return issues[0]
}

describe('resolveOptions', () => {
  it('fills in defaults and leaves nothing optional that has one', () => {
    expect(resolveOptions('consumer', schema, valid)).toEqual({
      ...valid,
      concurrency: 16,
      lingerMs: 5,
      order: 'partition',
    })
  })

  it('lists all problems at once, with the subject', () => {
    const wrong = { group: '', concurrency: 1.5, order: 'keys', topics: [], lingerMS: 3, handle: 'no' }
    const issues = issuesOf(wrong)
    expect(issues.map((issue) => issue.path).sort()).toEqual(
      ['concurrency', 'group', 'handle', 'lingerMS', 'order', 'topics'].sort(),
    )
    expect(() => resolveOptions('consumer "detect"', schema, wrong)).toThrow(
      /^consumer "detect": 6 invalid option\(s\)/,
    )
  })

  it.each<[string, object, object]>([
    ['a missing option', { group: undefined }, { path: 'group', message: 'is missing', fix: 'write a string (consumer group)' }],
    ['an empty text', { group: '' }, { path: 'group', message: 'is empty', fix: /at least 1 characters \(consumer group\)/ }],
    ['a number out of range', { concurrency: 0 }, { path: 'concurrency', message: 'is 0', fix: /a number of at least 1 \(handlers at once\)/ }],
    ['a fraction', { concurrency: 1.5 }, { path: 'concurrency', message: 'is 1.5', fix: /an integer/ }],
    ['NaN', { lingerMs: NaN }, { path: 'lingerMs', message: 'is NaN', fix: /a number/ }],
    ['a text for a number', { concurrency: '16' }, { path: 'concurrency', message: 'is a string', fix: /an integer|a number/ }],
    ['a value that is not in the list', { order: 'keys' }, { path: 'order', message: 'is "keys"', fix: "write 'partition' or 'key' or 'none'" }],
    ['an empty list', { topics: [] }, { path: 'topics', message: 'is a list of 0', fix: /at least 1 entries/ }],
    ['a list’s item', { topics: [{ name: 't' }, { name: 7 }] }, { path: 'topics.1.name', message: 'is 7', fix: /a string/ }],
    ['a record’s value', { labels: { a: 'x' } }, { path: 'labels.a', message: 'is a string', fix: /a number/ }],
    ['a function’s place', { handle: null }, { path: 'handle', message: 'is null', fix: 'write a function' }],
    ['the inside of the branch that fits', { commit: { everyMs: 0, everyMessages: 1 } }, { path: 'commit.everyMs', message: 'is 0', fix: /at least 1 \(interval in milliseconds\)/ }],
    ['an unknown name inside a branch', { commit: { everyMs: 1, everyMessages: 1, everyMessage: 1 } }, { path: 'commit.everyMessage', fix: 'did you mean everyMessages?' }],
    ['a value no branch fits', { commit: 'all' }, { path: 'commit', message: 'is "all"', fix: "write 'each', or an object (when settled work is committed)" }],
  ])('says for %s where, what came and what to write', (_, change, expected) => {
    const issue = issueOf(change)
    for (const [field, wanted] of Object.entries(expected)) {
      const actual = issue?.[field as 'path']
      if (wanted instanceof RegExp) expect(actual).toMatch(wanted)
      else expect(actual).toBe(wanted)
    }
  }) // prettier-ignore

  it.each([
    ['lingerMS', 'lingerMs'],
    ['linger.ms', 'lingerMs'],
    ['linger', 'lingerMs'],
    ['gruop', 'group'],
    ['concurency', 'concurrency'],
  ])('guesses what %s was meant to be', (name, meant) => {
    expect(issueOf({ [name]: 1 })).toMatchObject({ path: name, fix: `did you mean ${meant}?` })
  })

  it('lists the options when none is near', () => {
    expect(issueOf({ zookeeper: 1 })?.fix).toMatch(/take it out; options are group, concurrency/)
  })

  it('never shows what came for a secret, or any free text', () => {
    const sasl = { mechanism: 'hunter2', password: 'short', pin: 4711 }
    const text = JSON.stringify(issuesOf({ ...valid, group: 5, labels: { a: 'hunter2' }, sasl }))
    expect(text).not.toMatch(/hunter2|short|4711/)
  })

  it.each([null, undefined, 'text', []])('refuses %j as options', (input) => {
    expect(issuesOf(input)).toMatchObject([{ path: 'options', fix: 'write an object' }])
  })
})

describe('listOptions', () => {
  it('gives every option with its description and default, nested ones too', () => {
    const options = listOptions(schema)
    expect(options).toContainEqual({ path: 'lingerMs', description: 'milliseconds a batch waits for more', default: 5 })
    expect(options).toContainEqual({
      path: 'commit',
      description: 'when settled work is committed',
      default: undefined,
    })
    expect(options).toContainEqual({
      path: 'commit.everyMs',
      description: 'interval in milliseconds',
      default: undefined,
    })
  })
})
