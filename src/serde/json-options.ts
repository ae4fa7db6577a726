import { ConfigError, type ConfigIssue } from '../errors.js'
import { describeType } from './serde-error.js'

/** What becomes of an integer that a number cannot hold. More may come. */
export type LargeIntegers = 'warn' | 'refuse' | 'bigint'

/** How `json` reads and writes; sizes in bytes of the text. */
export interface JsonOptions {
  /** Larger values are refused before they are parsed, and after they are written. Default: no limit of its own. */
  readonly maxBytes?: number | undefined
  /** Some agents end a text with NUL bytes, as C does: `trim` cuts them off. Default `refuse`, because they are not JSON. */
  readonly trailingNul?: 'refuse' | 'trim' | undefined
  /**
   * Integers beyond 2^53, which JavaScript's numbers round (and numbers beyond 1.8e308, which become Infinity). `warn` reads
   * them so; the consumer counts them and warns once per topic. `refuse` fails the record. `bigint` reads every such integer
   * as BigInt, which is written as text: JSON.stringify knows none. Default `warn`.
   */
  readonly largeIntegers?: LargeIntegers | undefined
  /**
   * Check values against the schema before they are written, too. Default true. Turn it off for a schema that does not
   * accept its own output (one that turns text into a Date); values are then trusted when written. What was written first
   * is read back once all the same: a schema that cannot read it is a mistake that no consumer should find.
   */
  readonly checkOnEncode?: boolean | undefined
}

const checks: Readonly<Record<keyof JsonOptions, readonly [accepts: (value: unknown) => boolean, expected: string]>> = {
  maxBytes: [(value) => typeof value === 'number' && value >= 1, 'a number of at least 1'],
  trailingNul: [(value) => value === 'refuse' || value === 'trim', "'refuse' or 'trim'"],
  largeIntegers: [
    (value) => value === 'warn' || value === 'refuse' || value === 'bigint',
    "'warn', 'refuse' or 'bigint'",
  ],
  checkOnEncode: [(value) => typeof value === 'boolean', 'true or false'],
}

/** Throws `ConfigError` with every problem. A schema without the standard interface must not pass for options: nothing would be checked. */
export function checkJsonOptions(options: JsonOptions): void {
  const issues = typeof options === 'object' && options !== null ? optionIssues(options) : [notOptions(options)]
  if (issues.length > 0) throw new ConfigError('json()', issues)
}

function optionIssues(options: object): ConfigIssue[] {
  const prototype: unknown = Object.getPrototypeOf(options)
  if (prototype !== Object.prototype && prototype !== null) return [notOptions(options)]
  return Object.entries(options).flatMap(([name, value]) => optionIssue(name, value))
}

function optionIssue(name: string, value: unknown): ConfigIssue[] {
  if (!Object.hasOwn(checks, name)) {
    return [
      { path: name, message: 'is not an option', fix: `take it out; options are ${Object.keys(checks).join(', ')}` },
    ]
  }
  const [accepts, expected] = checks[name as keyof JsonOptions]
  if (value === undefined || accepts(value)) return []
  return [{ path: name, message: `is ${describeType(value)}`, fix: `write ${expected}` }]
}

function notOptions(value: unknown): ConfigIssue {
  return {
    path: 'schema',
    message: `is ${describeType(value)}, which is neither a Standard Schema nor options`,
    fix: 'give a schema of a library that has the standard interface (zod from 3.24, valibot from 1.0, ArkType from 2.0)',
  }
}
