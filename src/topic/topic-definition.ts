import { ConfigError, type ConfigIssue } from '../errors.js'
import { came } from '../input/came.js'

const legalName = /^[a-zA-Z0-9._-]+$/
const maxNameLength = 249
const maxInt16 = 32_767
const maxInt32 = 2_147_483_647
export const topicNameRule = `1 to ${maxNameLength} of the characters a–z A–Z 0–9 . _ -`
const known = [
  'name',
  'value',
  'key',
  'keySerde',
  'partitioner',
  'partitions',
  'replicationFactor',
  'configs',
  'deadLettersOf',
]

/** What is wrong with a topic's name by Kafka's own rules; `null` when it is legal. */
function topicNameProblem(name: unknown): string | null {
  if (typeof name !== 'string') return `${came(name)}, not a string`
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return `is "${name}", which no topic may be called`
  if (name.length > maxNameLength) return `has ${name.length} characters, Kafka takes ${maxNameLength}`
  if (!legalName.test(name)) return `has characters that Kafka does not take in "${name}"`
  return null
}

export function isTopicName(name: unknown): boolean {
  return topicNameProblem(name) === null
}

/** Throws `ConfigError` with every problem of a definition; types may have been cast away. */
export function checkTopicDefinition(definition: object): void {
  if (typeof definition !== 'object' || definition === null) {
    const fix = 'write an object, for example { name, value: json(schema) }'
    throw new ConfigError('defineTopic', [{ path: 'definition', message: `is ${String(definition)}`, fix }])
  }
  const fields = definition as Readonly<Record<string, unknown>>
  const issues = [
    ...nameIssues(fields['name']),
    ...serdeIssues('value', fields['value']),
    ...keyIssues(fields['key']),
    ...(fields['keySerde'] === undefined ? [] : serdeIssues('keySerde', fields['keySerde'])),
    ...optionalIssue(
      'partitioner',
      fields['partitioner'],
      (value) => hasMethods(value, ['create']),
      'murmur2(), roundRobin() or spread(…)',
    ),
    ...optionalIssue(
      'partitions',
      fields['partitions'],
      (value) => isCount(value, maxInt32),
      'an integer from 1, or leave it out',
    ),
    ...optionalIssue(
      'replicationFactor',
      fields['replicationFactor'],
      (value) => isCount(value, maxInt16),
      'an integer from 1, or leave it out',
    ),
    ...optionalIssue(
      'configs',
      fields['configs'],
      isConfigs,
      "names and values, for example { 'retention.ms': 86400000 }",
    ),
    ...optionalIssue('deadLettersOf', fields['deadLettersOf'], isOtherTopic(fields['name']), 'another topic'),
    ...unknownIssues(fields),
  ]
  if (issues.length === 0) return
  const name = typeof fields['name'] === 'string' ? fields['name'].slice(0, maxNameLength) : '?'
  throw new ConfigError(`defineTopic "${name}"`, issues)
}

function nameIssues(name: unknown): ConfigIssue[] {
  const problem = topicNameProblem(name)
  if (problem === null) return []
  const isPattern = name instanceof RegExp || (typeof name === 'string' && /[*\\^$[\]()|]/.test(name))
  const many = isPattern ? '; for all topics whose names match, pattern(/…/, { value }) of tidemark/pattern' : ''
  return [{ path: 'name', message: problem, fix: `write ${topicNameRule}${many}` }]
}

function serdeIssues(path: 'value' | 'keySerde', serde: unknown): ConfigIssue[] {
  // Schemas of zod have methods of these names too, which do something else.
  if (typeof serde === 'object' && serde !== null && '~standard' in serde) {
    return [{ path, message: 'is a schema, not a serde', fix: 'write json(schema)' }]
  }
  return shapeIssue(path, hasMethods(serde, ['encode', 'decode']), 'is not a serde', 'json(…), string() or bytes()')
}

function keyIssues(key: unknown): ConfigIssue[] {
  return optionalIssue(
    'key',
    key,
    (value) => typeof value === 'function' || (typeof value === 'string' && value !== ''),
    'the name of a field, or a function of the value; how keys become bytes says keySerde',
  )
}

function unknownIssues(fields: object): ConfigIssue[] {
  const names = Object.keys(fields).filter((name) => !known.includes(name))
  return names.map((name) => ({
    path: name,
    message: 'is not an option',
    fix: `take it out; options are ${known.join(', ')}`,
  }))
}

function optionalIssue(
  path: string,
  value: unknown,
  accepts: (value: unknown) => boolean,
  expected: string,
): ConfigIssue[] {
  if (value === undefined) return []
  const came = typeof value === 'number' ? String(value) : value === null ? 'null' : typeof value
  return shapeIssue(path, accepts(value), `is ${came}`, expected)
}

function shapeIssue(path: string, accepted: boolean, message: string, expected: string): ConfigIssue[] {
  return accepted ? [] : [{ path, message, fix: `write ${expected}` }]
}

function hasMethods(candidate: unknown, methods: readonly string[]): boolean {
  if (typeof candidate !== 'object' || candidate === null) return false
  return methods.every((method) => typeof (candidate as Record<string, unknown>)[method] === 'function')
}

function isOtherTopic(own: unknown): (value: unknown) => boolean {
  return (value) => {
    const name = typeof value === 'object' && value !== null ? (value as { readonly name?: unknown }).name : undefined
    return isTopicName(name) && name !== own
  }
}

function isCount(value: unknown, max: number): boolean {
  return value === -1 || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max)
}

function isConfigs(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((entry) => ['string', 'number', 'boolean'].includes(typeof entry))
}
