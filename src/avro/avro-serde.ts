import type avsc from 'avsc'
import { ConfigError } from '../errors.js'
import { RegisteredId } from '../registry/registered-id.js'
import type { RegisteredSchema, SchemaRegistry } from '../registry/schema.js'
import type { SchemaCache } from '../registry/schema-cache.js'
import { subjectOf, type RecordPart, type SubjectStrategy } from '../registry/subject.js'
import { noId, prefixBytes, putSchemaId, schemaIdOf } from '../registry/wire-format.js'
import type { SchemaCheck } from '../serde/schema-check.js'
import { SerdeError, type ValueIssue } from '../serde/serde-error.js'
import type { Missing, Reading, Serde } from '../serde/serde.js'
import { readValue, type Reads } from './cursor.js'
import { refusedValue } from './refused-value.js'

/** What is written with; `null` of a serde that only reads. */
export interface WritingType {
  readonly type: avsc.Type
  readonly schema: RegisteredSchema
}

export interface AvroParts {
  readonly writes: WritingType | null
  readonly registry: SchemaRegistry
  readonly subject: SubjectStrategy
  readonly register: boolean
  readonly readers: SchemaCache<Reads>
  readonly check: SchemaCheck | null
  /** For bytes that name no schema. */
  readonly otherwise: Serde<unknown> | null
}

/** Room for what is being encoded; `null` while it is in use. */
let scratch: Buffer | null = Buffer.allocUnsafe(4_096)

/** Behind the prefix that names the schema of each record. The serde of one topic knows the id of the schema that it writes by. */
export class AvroSerde implements Serde<unknown> {
  readonly name = 'avro'
  readonly #parts: AvroParts
  readonly #part: RecordPart
  readonly reading: Reading
  readonly writing: RegisteredId | undefined
  /** Records of a topic mostly are of one schema, and what an id means stays. */
  #lastId = noId
  #last: Reads | null = null

  constructor(parts: AvroParts, topic: string | null, part: RecordPart = 'value') {
    this.#parts = parts
    this.#part = part
    this.reading = { missing: (bytes) => this.#missing(bytes) }
    this.writing = topic === null ? undefined : idFor(parts, topic, part)
  }

  ofTopic = (topic: string, part?: RecordPart): AvroSerde => new AvroSerde(this.#parts, topic, part)

  encode(value: unknown): Buffer {
    const { writes, check } = this.#parts
    if (writes === null) throw cannotWrite()
    if (value === null && writes.type.typeName === 'record') throw this.#noNull('a value')
    if (this.writing === undefined) throw noTopic()
    if (check !== null) check(value, 'written')
    const bytes = bytesOf(writes.type, value, this.#part)
    putSchemaId(bytes, this.writing.isReady ? this.writing.id : noId)
    return bytes
  }

  decode(bytes: Buffer | null, onChanged?: (issue: ValueIssue) => void): unknown {
    const { check, otherwise } = this.#parts
    if (bytes === null) throw this.#noNull('bytes')
    const id = schemaIdOf(bytes)
    if (id === null) {
      if (otherwise !== null) return otherwise.decode(bytes, onChanged)
      throw new SerdeError('malformed', noPrefix(bytes, this.#part))
    }
    const reader = id === this.#lastId && this.#last !== null ? this.#last : this.#readerOf(id)
    const value = readBy(reader, bytes, id, this.#part)
    return check === null ? value : check(value, 'read')
  }

  #readerOf(id: number): Reads {
    const { readers } = this.#parts
    const known = readers.get(id)
    if (known === null) {
      if (id < 0) throw new SerdeError('malformed', noSuchId(id, this.#part))
      // Whoever tries again finds it; what keeps it from coming is told to those that wait for it.
      readers.load(id).catch(() => undefined)
      throw notLoaded(id)
    }
    if (known.kind === 'refused') throw known.error
    this.#lastId = id
    this.#last = known.reader
    return known.reader
  }

  #missing(bytes: Buffer | null): Missing | null {
    const id = bytes === null ? null : schemaIdOf(bytes)
    const { readers } = this.#parts
    if (id === null || id < 0 || readers.get(id) !== null) return null
    return { what: this.#part === 'key' ? `schema ${id} of a key` : `schema ${id}`, load: () => readers.load(id) }
  }

  #noNull(what: string): SerdeError {
    return this.#part === 'key' ? noKey() : needsNullable(what)
  }
}

function idFor(
  { writes, registry, subject, register }: AvroParts,
  topic: string,
  part: RecordPart,
): RegisteredId | undefined {
  if (writes === null) return undefined
  const record = writes.type.name ?? null
  if (record === null && (subject === 'record' || subject === 'topic-record')) {
    throw new ConfigError('avro()', [
      {
        path: 'subject',
        message: `is '${subject}', but the schema is of no record that has a name`,
        fix: "give a schema with a name, or write subject: 'topic'",
      },
    ])
  }
  const name = subjectOf(subject, topic, part, record)
  return new RegisteredId({ registry, subject: name, part, schema: writes.schema, register })
}

function bytesOf(type: avsc.Type, value: unknown, part: RecordPart): Buffer {
  // What is encoded may run code of its own, which may encode too.
  let room = scratch ?? Buffer.allocUnsafe(4_096)
  scratch = null
  try {
    let end = type.encode(value, room, prefixBytes)
    if (end < 0) {
      room = Buffer.allocUnsafe(2 * (room.length - end))
      end = type.encode(value, room, prefixBytes)
    }
    return Buffer.from(room.subarray(0, end))
  } catch (cause) {
    throw refusedValue(type, value, cause, part)
  } finally {
    if (room.length <= mostScratch) scratch = room
  }
}

/** One large value must not hold its room for good. */
const mostScratch = 1_048_576

function readBy(reader: Reads, bytes: Buffer, id: number, part: RecordPart): unknown {
  try {
    return readValue(reader, bytes)
  } catch (cause) {
    if (cause instanceof SerdeError)
      throw new SerdeError('malformed', `a ${part} of schema ${id} has no place here: ${cause.message}`)
    // What avsc throws may quote the value.
    const error = new SerdeError(
      'malformed',
      `the bytes are not what schema ${id} says; was the record written by another registry?`,
    )
    error.cause = cause
    throw error
  }
}

function noPrefix(bytes: Buffer, part: RecordPart): string {
  const came = bytes.length < prefixBytes ? `are ${bytes.length} bytes` : `begin with byte ${bytes[0]}`
  return (
    `the ${part} names no schema: it would begin with a zero byte and the id of one, but its bytes ${came}; ` +
    'if the topic has records of before, say how they are read: otherwise: json(…)'
  )
}

function notLoaded(id: number): SerdeError {
  const message = `schema ${id} is not loaded; await reading.missing(bytes)?.load() before decode`
  return new SerdeError('malformed', message, [], { retriable: true })
}

/** Registries count from 1; a registry that is asked for another may answer as if it were out of order. */
function noSuchId(id: number, part: RecordPart): string {
  const why = id === noId ? 'it was encoded before its id was known' : 'no registry gives that id out'
  return `the ${part} names schema ${id}: ${why}`
}

function cannotWrite(): SerdeError {
  return new SerdeError(
    'refused',
    'this avro() only reads, since it has no schema; give it one: avro({ schema, registry })',
  )
}

function noTopic(): SerdeError {
  return new SerdeError(
    'refused',
    'this avro() belongs to no topic, so the subject of its schema is not known; give it to defineTopic, or take ofTopic(name) of it',
  )
}

function noKey(): SerdeError {
  return new SerdeError('refused', 'there is no key: null; look whether there is one before it is read or written')
}

function needsNullable(what: string): SerdeError {
  return new SerdeError('refused', `avro() takes ${what}, but got null; for tombstones wrap it: nullable(avro(…))`)
}
