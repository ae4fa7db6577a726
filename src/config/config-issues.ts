import type { z } from 'zod'
import type { ConfigIssue } from '../errors.js'
import { descriptionOf, isListed, optionNames, schemaAt, valuesOf } from './option-schema.js'
import { isSecretPath } from './secrets.js'
import { remedyFor } from '../input/suggestion.js'

type SchemaIssue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/** What a schema found, as places and remedies; option values show only where a list of values is all there is. */
export function configIssues(schema: z.ZodType, input: unknown, issues: readonly SchemaIssue[]): ConfigIssue[] {
  return issues.flatMap((issue) => fromIssue({ schema, input }, [], issue))
}

/** The whole of what is being resolved, to look up what an issue's path leads to. */
interface Whole {
  readonly schema: z.ZodType
  readonly input: unknown
}

function fromIssue(whole: Whole, parent: Path, issue: SchemaIssue): ConfigIssue[] {
  const path = [...parent, ...issue.path]
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownOption(whole, path, key))
  if (issue.code === 'invalid_union') return fromUnion(whole, path, issue)
  return [{ path: dotted(path), message: whatCame(whole, path, issue), fix: fixOf(whole, path, expectationOf(issue)) }]
}

function unknownOption(whole: Whole, path: Path, key: string): ConfigIssue {
  const names = optionNames(schemaAt(whole.schema, path))
  const at = dotted([...path, key])
  // Of another branch of a union.
  if (names.includes(key)) return { path: at, message: 'does not go with the others', fix: 'take it out' }
  return { path: at, message: 'is not an option', fix: remedyFor(key, names) }
}

/** A branch that the value fits in shape says best what is wrong inside; else all that is allowed is listed. */
function fromUnion(whole: Whole, path: Path, issue: z.core.$ZodIssueInvalidUnion): ConfigIssue[] {
  const fitting = issue.errors.find((branch) => branch.length > 0 && branch.every((inner) => isInside(inner)))
  if (fitting !== undefined) return fitting.flatMap((inner) => fromIssue(whole, path, inner))
  // The one option that tells branches apart is none of them.
  if (issue.errors.length === 0) {
    const names = valuesOf(schemaAt(whole.schema, path)).map((value) => `'${value}'`)
    return [{ path: dotted(path), message: whatCame(whole, path, issue), fix: fixOf(whole, path, names.join(' or ')) }]
  }
  const expected = issue.errors.flatMap((branch) => branch.filter((inner) => !isInside(inner)).map(expectationOf))
  const allowed = [...new Set(expected)].filter((one) => one !== '')
  const listed = issue.errors.some((branch) => branch.some((inner) => inner.code === 'invalid_value'))
  const message = cameAs(valueAt(whole.input, path), path, listed)
  return [{ path: dotted(path), message, fix: fixOf(whole, path, allowed.join(', or ')) }]
}

function isInside(issue: SchemaIssue): boolean {
  return issue.path.length > 0 || issue.code === 'unrecognized_keys'
}

function whatCame(whole: Whole, path: Path, issue: SchemaIssue): string {
  const mayBeListed = issue.code === 'custom' || issue.code === 'invalid_union'
  const showText = issue.code === 'invalid_value' || (mayBeListed && isListed(whole.schema, path))
  return cameAs(valueAt(whole.input, path), path, showText)
}

function cameAs(value: unknown, path: Path, showText: boolean): string {
  if (value === undefined) return 'is missing'
  if (value === null) return 'is null'
  if (Array.isArray(value)) return `is a list of ${value.length}`
  if (isSecretPath(dotted(path))) return `is a ${typeof value} (not shown)`
  if (value === '') return 'is empty'
  if (typeof value === 'string') return showText && value.length <= 40 ? `is ${JSON.stringify(value)}` : 'is a string'
  if (typeof value === 'object') return value instanceof RegExp ? 'is a regular expression' : 'is an object'
  return typeof value === 'function' ? 'is a function' : `is ${String(value)}`
}

function fixOf(whole: Whole, path: Path, expectation: string): string {
  const description = descriptionOf(whole.schema, path)
  if (expectation === '') return `write ${description ?? 'something else'}`
  return description === undefined ? `write ${expectation}` : `write ${expectation} (${description})`
}

function expectationOf(issue: SchemaIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeWords[issue.expected] ?? `a value of type ${issue.expected}`
    case 'invalid_value':
      return issue.values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value))).join(' or ')
    case 'too_small':
      return limit(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum)
    case 'too_big':
      return limit(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum)
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`
    case 'invalid_format':
      return `text of the form ${issue.format}`
    case 'invalid_union':
    case 'unrecognized_keys':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return issue.message === 'Invalid input' ? '' : issue.message
  }
}

const typeWords: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'an integer',
  string: 'a string',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  function: 'a function',
  undefined: 'nothing',
  null: 'null',
  date: 'a Date',
}

function limit(origin: string, bound: string, count: number | bigint): string {
  if (origin === 'array' || origin === 'set') return `a list of ${bound} ${count} entries`
  return origin === 'string' ? `text of ${bound} ${count} characters` : `a number of ${bound} ${count}`
}

function valueAt(input: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (parent, key) =>
      typeof parent === 'object' && parent !== null ? (parent as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  )
}

function dotted(path: Path): string {
  return path.length === 0 ? 'options' : path.map(String).join('.')
}
