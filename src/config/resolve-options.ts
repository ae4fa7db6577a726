import { z } from 'zod'
import { ConfigError } from '../errors.js'
import { configIssues } from './config-issues.js'

/**
 * User options in, resolved options out: defaults filled in, every field there. Throws `ConfigError` with all problems at
 * once: path, what came (never content), and what to write instead. `subject` names what is configured, for example
 * `consumer "detect"`.
 */
export function resolveOptions<Schema extends z.ZodType>(
  subject: string,
  schema: Schema,
  input: unknown,
): z.output<Schema> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw new ConfigError(subject, configIssues(schema, input, result.error.issues))
}

const anyObject = z.looseObject({})

/** Throws `ConfigError` unless the options are an object: before anything is read from them. */
export function requireObject(subject: string, input: unknown): void {
  resolveOptions(subject, anyObject, input)
}
