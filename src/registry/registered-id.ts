import type { Writing } from '../serde/serde.js'
import type { RegisteredSchema, SchemaRegistry } from './schema.js'
import { noId, putSchemaId } from './wire-format.js'

/** How a schema that is written with comes by its id. */
export interface Registration {
  readonly registry: SchemaRegistry
  readonly subject: string
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

  complete(bytes: Buffer): void {
    putSchemaId(bytes, this.#id)
  }

  async #ask(): Promise<void> {
    const { registry, subject, schema, register } = this.#registration
    this.#id = await (register ? registry.register(subject, schema) : registry.idOf(subject, schema))
  }
}
