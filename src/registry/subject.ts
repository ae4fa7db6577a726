import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'

/** What of a record a schema describes. */
export type RecordPart = 'key' | 'value'

/**
 * Under which subject of its registry the schema of a topic stands: `topic` is `orders-value`, or `orders-key` of keys;
 * `record` is the full name of the record whatever the topic, `topic-record` both. A function gives another.
 */
export type SubjectStrategy =
  'topic' | 'record' | 'topic-record' | ((topic: string, record: string | null, part: 'key' | 'value') => string)

/** @param record the full name of what the schema describes; `null` when it has none */
export function subjectOf(strategy: SubjectStrategy, topic: string, part: RecordPart, record: string | null): string {
  if (typeof strategy === 'function') return checked(strategy(topic, record, part))
  if (strategy === 'topic') return `${topic}-${part}`
  return strategy === 'record' ? String(record) : `${topic}-${String(record)}`
}

function checked(subject: unknown): string {
  if (typeof subject === 'string' && subject !== '') return subject
  const message = `is a function whose result ${subject === '' ? 'is empty' : came(subject)}`
  throw new ConfigError('subject', [{ path: 'subject', message, fix: 'return the name of a subject, as text' }])
}
