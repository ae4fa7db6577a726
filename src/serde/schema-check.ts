import type { StandardSchemaV1 } from '@standard-schema/spec'
import { ConfigError } from '../errors.js'
import { isPromised } from '../input/asynchronous.js'
import { describeType, SerdeError, type ValueIssue } from './serde-error.js'
import { childPath } from './value-path.js'

/** Returns what the schema makes of the value; throws `refused` with the paths of what it does not accept. */
export type SchemaCheck = (value: unknown, action: 'written' | 'read') => unknown

/** A message with more lines than this helps nobody. */
const maxIssues = 10

export function schemaCheck(schema: StandardSchemaV1): SchemaCheck {
  return (value, action) => {
    const result = validate(schema, value, action)
    if (result.issues === undefined) return result.value
    throw refused(result.issues, value, schema['~standard'].vendor, action)
  }
}

function validate(schema: StandardSchemaV1, value: unknown, action: string): StandardSchemaV1.Result<unknown> {
  let result: StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>>
  try {
    result = schema['~standard'].validate(value)
  } catch (error) {
    throw threw(error, action)
  }
  if (isPromised(result)) throw promisedBecause(schema, value, action)
  return result as StandardSchemaV1.Result<unknown>
}

/**
 * zod answers with a promise both when a schema is asynchronous and when one of its functions threw. The first is a
 * mistake in the code and concerns every record, the second concerns this value alone.
 */
function promisedBecause(schema: StandardSchemaV1, value: unknown, action: string): ConfigError | SerdeError {
  const { safeParse } = schema as { safeParse?: unknown }
  if (typeof safeParse !== 'function') return asyncSchema(schema)
  try {
    safeParse.call(schema, value)
  } catch (error) {
    if (!(error instanceof Error && error.constructor.name.includes('Async'))) return threw(error, action)
  }
  return asyncSchema(schema)
}

function threw(error: unknown, action: string): SerdeError {
  const name = error instanceof Error ? error.name : typeof error
  return new SerdeError('refused', `the value to be ${action} made a function of its schema throw ${name}`)
}

function refused(
  schemaIssues: readonly StandardSchemaV1.Issue[],
  value: unknown,
  vendor: string,
  action: string,
): SerdeError {
  const issues = schemaIssues.slice(0, maxIssues).map((issue) => valueIssue(issue, value, vendor))
  const lines = issues.map((issue) => `${issue.path === '' ? 'the value' : issue.path}: ${issue.message}`)
  const more = schemaIssues.length > maxIssues ? ` and ${schemaIssues.length - maxIssues} more` : ''
  return new SerdeError(
    'refused',
    `the value to be ${action} is refused by its schema: ${lines.join('; ')}${more}`,
    issues,
  )
}

function valueIssue(issue: StandardSchemaV1.Issue, value: unknown, vendor: string): ValueIssue {
  const keys = (issue.path ?? []).map((segment) => (typeof segment === 'object' ? segment.key : segment))
  const path = keys.reduce<string>((parent, key) => childPath(parent, String(key)), '')
  // zod's texts name types and limits; other libraries quote what came.
  const message = vendor === 'zod' ? issue.message : `not accepted, came ${describeType(valueAt(value, keys))}`
  return { path, message }
}

function valueAt(value: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce<unknown>(
    (parent, key) =>
      typeof parent === 'object' && parent !== null ? (parent as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  )
}

function asyncSchema(schema: StandardSchemaV1): ConfigError {
  return new ConfigError('json(schema)', [
    {
      path: 'schema',
      message: `this ${schema['~standard'].vendor} schema is asynchronous, but values are checked synchronously`,
      fix: 'take asynchronous checks and transforms out of it and do them in the handler',
    },
  ])
}
