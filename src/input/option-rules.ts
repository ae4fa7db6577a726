import { ConfigError, type ConfigIssue } from '../errors.js'
import { came } from './came.js'
import { isRecord } from './shapes.js'
import { remedyFor } from './suggestion.js'

/** What one option must be. */
export interface Rule {
  /** Completes "write …". */
  readonly expected: string
  accepts(value: unknown): boolean
}

/** One rule for every option there is; whatever else is given is a mistake. */
export type Rules<Options> = { readonly [Name in keyof Options]-?: Rule }

export const flag: Rule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' }

export const anything: Rule = { expected: 'a value', accepts: () => true }

/** Milliseconds from now that a call may take. */
export const timeLimit: Rule = {
  expected: 'milliseconds from now, of at least 0, or leave it out',
  accepts: (value) => typeof value === 'number' && value >= 0,
}

export function wholeNumber(from: number, to = Number.MAX_SAFE_INTEGER): Rule {
  return {
    expected: to === Number.MAX_SAFE_INTEGER ? `a whole number from ${from}` : `a whole number from ${from} to ${to}`,
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to,
  }
}

/** An object that has these methods. */
export function withMethods(expected: string, methods: readonly string[]): Rule {
  return {
    expected,
    accepts: (value) => isRecord(value) && methods.every((method) => typeof value[method] === 'function'),
  }
}

/** Every problem of the options; an option that is `undefined` counts as left out. */
export function optionIssues<Options>(options: unknown, rules: Rules<Options>): ConfigIssue[] {
  const names = Object.keys(rules)
  if (!isRecord(options)) {
    return [{ path: 'options', message: came(options), fix: `write an object with any of ${names.join(', ')}` }]
  }
  return Object.entries(options).flatMap(([name, value]: [string, unknown]) => {
    const rule = Object.hasOwn(rules, name) ? (rules as Readonly<Record<string, Rule>>)[name] : undefined
    if (rule === undefined) return [unknownOption(name, names)]
    if (value === undefined || rule.accepts(value)) return []
    return [{ path: name, message: came(value), fix: `write ${rule.expected}` }]
  })
}

/** Of options that cannot be left out, those that are. */
export function missingOptions<Options>(
  options: unknown,
  rules: Rules<Options>,
  required: readonly (keyof Options & string)[],
): ConfigIssue[] {
  if (!isRecord(options)) return []
  return required
    .filter((name) => options[name] === undefined)
    .map((name) => ({ path: name, message: 'is missing', fix: `write ${rules[name].expected}` }))
}

/** What is wrong with the options of a call, `null` when nothing is. */
export function optionProblem<Options>(call: string, options: unknown, rules: Rules<Options>): ConfigError | null {
  const issues = optionIssues(options, rules)
  return issues.length === 0 ? null : new ConfigError(call, issues)
}

export function unknownOption(name: string, names: readonly string[]): ConfigIssue {
  return { path: name, message: 'is not an option', fix: remedyFor(name, names) }
}
