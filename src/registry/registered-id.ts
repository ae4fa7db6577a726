import type { Writing } from '../serde/serde.js'
import { RegistryError } from './registry-error.js'
import type { RegisteredSchema, SchemaRegistry } from './schema.js'
import type { RecordPart } from './subject.js'
import { isUnfinished, noId, putSchemaId } from './wire-format.js'

/** How a schema that is written with comes by its id. */
export interface Registration {
  readonly registry: SchemaRegistry
  readonly subject: string
  readonly part: RecordPart
  readonly schema: RegisteredSchema
  /** `true` registers it; `false` takes only one that is registered. */
  readonly register: boolean
}

/** The id of a schema under its subject: asked for once, and the same for good. */
export class RegisteredId implements Writing {
  readonly #registration: Registration
  #id: number = noId
  #asked: Promise<void> | null = null

  constructor(registration: Registration) {
    this.#registration = registration
  }

  /** -1 until it is known. */
  get id(): number {
    return this.#id
  }

  get isReady(): boolean {
    return this.#id !== noId
  }

  prepare(): Promise<void> {
    this.#asked ??= this.#ask().finally(() => (this.#asked = null))
    return this.#asked
  }

  /** Keys may be bytes that were read, whose id is another's. */
  complete(bytes: Buffer): void {
    if (isUnfinished(bytes)) putSchemaId(bytes, this.#id)
  }

  async #ask(): Promise<void> {
    const { registry, subject, part, schema, register } = this.#registration
    if (!register) this.#id = await registry.idOf(subject, schema).catch(notRegistered)
    else this.#id = await (part === 'key' ? this.#onlyId() : registry.register(subject, schema))
  }

  /**
   * Registers the schema where its subject has none. The id is part of each key, so a further schema would make other keys of
   * all: in other partitions, without order to those of before, and of another record in a compacted topic.
   */
  async #onlyId(): Promise<number> {
    const { registry, subject, schema } = this.#registration
    try {
      return await registry.idOf(subject, schema)
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error
      if (error.code === 'subject-not-found') return registry.register(subject, schema)
      throw error.code === 'schema-not-found' ? otherKeys(subject, error) : error
    }
  }
}

function notRegistered(error: unknown): never {
  const isMissing = error instanceof RegistryError && /^(?:subject|schema)-not-found$/.test(error.code)
  if (!isMissing) throw error
  const message = `${error.message}; with register: false it has to be there already: register it, or take register: false out`
  throw new RegistryError(error.code, message, error.status, { cause: error })
}

function otherKeys(subject: string, cause: RegistryError): RegistryError {
  const message =
    `subject ${subject} has another schema already, and keys by a second one would be other keys: no order with those of ` +
    'before, and no record of theirs replaced; write the schema that is registered, or register this one yourself if that is meant'
  return new RegistryError('schema-incompatible', message, cause.status, { cause })
}
