import { ConfigError, type ConfigIssue } from '../errors.js'
import { came } from '../input/came.js'
import { hidden } from './hide-when-printed.js'
import { isSecretPath } from './secrets.js'

/** Who gave a value. More may come. */
export type ConfigSource = 'user' | 'environment' | 'file' | 'profile' | 'default'

/** One source of values, with the names it gave them. */
export interface ConfigLayer {
  readonly from: ConfigSource
  readonly values: object
}

/** One setting, and which source it comes from. */
export interface ExplainedValue {
  /** Dotted path. */
  readonly path: string
  /** As text; secrets as `***`. */
  readonly value: string
  /** The strongest source that has this path; `default` when none has. */
  readonly from: ConfigSource
}

/**
 * Each value of resolved options and where it came from. `layers` begin with the strongest, for example user,
 * environment, profile. Throws `ConfigError` on what is neither.
 */
export function explainConfig(resolved: object, layers: readonly ConfigLayer[]): readonly ExplainedValue[] {
  const issues = [...resolvedIssues(resolved), ...layerIssues(layers)]
  if (issues.length > 0) throw new ConfigError('explainConfig', issues)
  return leaves(resolved, []).map(({ path, value }) => ({
    path: path.join('.'),
    value: isSecretPath(path.join('.')) && value !== undefined && value !== null ? hidden : shown(value),
    from: layers.find((layer) => has(layer.values, path))?.from ?? 'default',
  }))
}

/** The explanation as a table of text. */
export function formatExplanation(explained: readonly ExplainedValue[]): string {
  if (!Array.isArray(explained)) {
    const fix = 'give what explainConfig returned'
    throw new ConfigError('formatExplanation', [{ path: 'explained', message: came(explained), fix }])
  }
  const width = (column: 'path' | 'value') => Math.max(0, ...explained.map((row) => row[column].length))
  const [paths, values] = [width('path'), width('value')]
  return explained.map((row) => `${row.path.padEnd(paths)}  ${row.value.padEnd(values)}  ${row.from}`).join('\n')
}

const sources: readonly unknown[] = ['user', 'environment', 'file', 'profile', 'default'] satisfies ConfigSource[]

function resolvedIssues(resolved: unknown): ConfigIssue[] {
  if (typeof resolved === 'object' && resolved !== null) return []
  return [{ path: 'resolved', message: came(resolved), fix: 'give the options as an object' }]
}

function layerIssues(layers: unknown): ConfigIssue[] {
  const fix = "write { from, values }: from is 'user', 'environment', 'file', 'profile' or 'default', values an object"
  if (!Array.isArray(layers)) return [{ path: 'layers', message: came(layers), fix: `give a list; ${fix}` }]
  return layers.flatMap((layer: unknown, index) =>
    isLayer(layer) ? [] : [{ path: `layers.${index}`, message: 'is no layer', fix }],
  )
}

function isLayer(layer: unknown): boolean {
  if (typeof layer !== 'object' || layer === null) return false
  const { from, values } = layer as Partial<ConfigLayer>
  return sources.includes(from) && typeof values === 'object' && values !== null
}

interface Leaf {
  readonly path: readonly string[]
  readonly value: unknown
}

function leaves(value: unknown, path: readonly string[]): readonly Leaf[] {
  if (path.length > 0 && !isBranch(value)) return [{ path, value }]
  return Object.entries(value as object).flatMap(([name, field]) => leaves(field, [...path, name]))
}

/** Plain objects are groups of options, but a driver, a logger or a schema (several functions) is one value. */
function isBranch(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  const fields: readonly unknown[] = Object.values(value)
  return fields.length > 0 && fields.filter((field) => typeof field === 'function').length < 2
}

/** A layer that has a value above the path (`commit: 'each'` above `commit.everyMs`) decided what is below it. */
function has(values: object, path: readonly string[]): boolean {
  let current: unknown = values
  for (const name of path) {
    if (typeof current !== 'object' || current === null) return current !== undefined
    current = (current as Record<string, unknown>)[name]
  }
  return current !== undefined
}

function shown(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return value.map(shown).join(', ')
  if (typeof value !== 'object' || value === null) return String(value)
  const { name } = value as { name?: unknown }
  return typeof name === 'string' ? name : Object.keys(value).length === 0 ? '{}' : 'an object'
}
