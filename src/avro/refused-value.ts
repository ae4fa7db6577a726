import type avsc from 'avsc'
import type { RecordPart } from '../registry/subject.js'
import { describeType, SerdeError, type ValueIssue } from '../serde/serde-error.js'

/** A message with more lines than this helps nobody. */
const mostIssues = 10

/** What avsc throws quotes the value; this tells places and types alone. */
export function refusedValue(type: avsc.Type, value: unknown, cause: unknown, part: RecordPart): SerdeError {
  const issues = issuesOf(type, value)
  const lines = issues.map(({ path, message }) => `${path === '' ? `the ${part}` : path}: ${message}`)
  const problem = lines.length > 0 ? lines.join('; ') : `it is ${describeType(value)}`
  const error = new SerdeError('refused', `the ${part} does not fit its Avro schema: ${problem}`, issues)
  error.cause = cause
  return error
}

function issuesOf(type: avsc.Type, value: unknown): readonly ValueIssue[] {
  const issues: ValueIssue[] = []
  try {
    type.isValid(value, {
      errorHook: (path, found, expected) => {
        if (issues.length === mostIssues) return
        issues.push({
          path: path.join('.'),
          message: `expected ${wanted(expected)}, but it is ${described(found, expected)}`,
        })
      },
    })
  } catch {
    // A getter of the value threw; where cannot be told.
  }
  return issues
}

/** A number may be of the right type and still be none that fits: too large, or with a fraction. */
function described(value: unknown, expected: avsc.Type): string {
  if (typeof value === 'bigint' && expected.typeName === 'long') return "bigint (for those write longs: 'bigint')"
  if (typeof value !== 'number' || !Number.isFinite(value) || !numbers.has(expected.typeName))
    return describeType(value)
  return Number.isSafeInteger(value) ? 'a number beyond its range' : 'a number with a fraction, or beyond its range'
}

const numbers: ReadonlySet<string> = new Set(['int', 'long', 'float', 'double'])

/** What would fit, as it is written in JavaScript where the name of the type alone does not say it. */
function wanted(type: avsc.Type): string {
  const { name = type.typeName.replace(/^(logical|abstract):/, ''), types, expects } = type as Wanted
  if (types !== undefined) {
    const isWrapped = type.typeName === 'union:wrapped'
    return types.map((branch) => (isWrapped ? wrapped(branch) : wanted(branch))).join(' or ')
  }
  if (expects !== undefined) return `${name} (${expects})`
  if (type.typeName === 'enum') return `a symbol of ${name}`
  if (type.typeName === 'bytes' || type.typeName === 'fixed') return `${name} (a Buffer)`
  return type.typeName === 'abstract:long' ? 'long (a bigint)' : name
}

/** Types of avsc, as far as they are these; `expects` have ours for logical types. */
interface Wanted {
  readonly name?: string | undefined
  readonly types?: readonly avsc.Type[] | undefined
  readonly expects?: string | undefined
}

function wrapped(branch: avsc.Type): string {
  return branch.typeName === 'null' ? 'null' : `{ ${branch.branchName ?? branch.typeName}: … }`
}
