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
        issues.push({ path: path.join('.'), message: `expected ${nameOf(expected)}, but it is ${described(found)}` })
      },
    })
  } catch {
    // A getter of the value threw; where cannot be told.
  }
  return issues
}

/** A number may be of the right type and still be none that fits: too large, or with a fraction. */
function described(value: unknown): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return describeType(value)
  return Number.isSafeInteger(value) ? 'a number beyond its range' : 'a number with a fraction, or beyond its range'
}

function nameOf(type: avsc.Type): string {
  return type.name ?? type.typeName.replace(/^(logical|abstract):/, '')
}
