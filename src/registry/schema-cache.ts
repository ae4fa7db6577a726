import type { Runtime } from '../runtime/runtime.js'
import { SerdeError } from '../serde/serde-error.js'
import { RegistryError } from './registry-error.js'
import type { RegisteredSchema, SchemaRegistry } from './schema.js'

/** What a schema id stands for. */
export type Known<Reader> =
  | { readonly kind: 'reader'; readonly reader: Reader }
  /** Bytes of this id cannot be read, and that does not get better by waiting. */
  | { readonly kind: 'refused'; readonly error: SerdeError }

interface Entry<Reader> {
  readonly known: Known<Reader>
  /** Asked for since it was last spared. */
  isUsed: boolean
  /** By `clock.now()`; what was refused may be there later. */
  readonly until: number
}

export interface SchemaCacheParts<Reader> {
  readonly registry: SchemaRegistry
  /** Throws on a schema that it cannot read by. */
  readonly compile: (schema: RegisteredSchema) => Reader | Promise<Reader>
  readonly runtime: Runtime
  readonly mostSchemas: number
}

/** A registry that has just been written to may not tell it everywhere yet. */
const settlesMs = 3_000
/** Bytes of a refused id are refused without a question for so long. */
const refusedMs = 60_000

/**
 * Readers by schema id. At most `mostSchemas` of them: of those that were not asked for lately the oldest goes first.
 *
 * | an id is | news                                           | becomes |
 * |----------|------------------------------------------------|---------|
 * | unknown  | it is asked for                                 | loading: however many ask, the registry is asked once |
 * | loading  | its schema is there                             | known, as a reader |
 * | loading  | its schema cannot be read by                     | known, as refused |
 * | loading  | the registry has no such schema                  | unknown, and missing since the first such answer |
 * | loading  | ... and had none 3 s ago                         | known, as refused |
 * | loading  | the registry cannot tell                         | unknown |
 * | refused  | 60 s went by                                     | unknown |
 */
export class SchemaCache<Reader> {
  readonly #parts: SchemaCacheParts<Reader>
  readonly #entries = new Map<number, Entry<Reader>>()
  readonly #loading = new Map<number, Promise<void>>()
  /** When the registry first had no such schema. */
  readonly #missingSince = new Map<number, number>()

  constructor(parts: SchemaCacheParts<Reader>) {
    this.#parts = parts
  }

  get size(): number {
    return this.#entries.size
  }

  /** Asked for each record. */
  get(id: number): Known<Reader> | null {
    const entry = this.#entries.get(id)
    if (entry === undefined) return null
    if (entry.until !== Infinity && entry.until <= this.#parts.runtime.clock.now()) {
      this.#entries.delete(id)
      return null
    }
    entry.isUsed = true
    return entry.known
  }

  /** Resolves when `get` has an answer. Rejects with `RegistryError` when the registry cannot tell now. */
  load(id: number): Promise<void> {
    let loading = this.#loading.get(id)
    if (loading === undefined) {
      loading = this.#load(id).finally(() => this.#loading.delete(id))
      this.#loading.set(id, loading)
    }
    return loading
  }

  async #load(id: number): Promise<void> {
    const { registry, compile } = this.#parts
    let schema: RegisteredSchema
    try {
      schema = await registry.schemaById(id)
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'schema-not-found') throw error
      this.#missing(id, error)
      return
    }
    this.#missingSince.delete(id)
    try {
      this.#put(id, { kind: 'reader', reader: await compile(schema) }, Infinity)
    } catch (error) {
      // What it refers to may come later; what it says itself does not change.
      if (error instanceof RegistryError) throw error
      this.#refuse(id, error instanceof SerdeError ? error.message : `schema ${id} cannot be read (see cause)`, error)
    }
  }

  #missing(id: number, error: RegistryError): void {
    const { runtime, mostSchemas } = this.#parts
    const now = runtime.clock.now()
    const since = this.#missingSince.get(id)
    if (since === undefined) {
      if (this.#missingSince.size >= mostSchemas) this.#missingSince.clear()
      this.#missingSince.set(id, now)
      throw error
    }
    if (now - since < settlesMs) throw error
    this.#missingSince.delete(id)
    this.#refuse(id, `the schema registry has no schema ${id}; was the record written by another registry?`, error)
  }

  #refuse(id: number, message: string, cause: unknown): void {
    const error = new SerdeError('malformed', message)
    error.cause = cause
    this.#put(id, { kind: 'refused', error }, this.#parts.runtime.clock.now() + refusedMs)
  }

  #put(id: number, known: Known<Reader>, until: number): void {
    while (this.#entries.size >= this.#parts.mostSchemas) this.#letOneGo()
    this.#entries.set(id, { known, isUsed: false, until })
  }

  /** Those that were used since go to the end, with one more chance. */
  #letOneGo(): void {
    for (const [id, entry] of this.#entries) {
      this.#entries.delete(id)
      if (!entry.isUsed) return
      entry.isUsed = false
      this.#entries.set(id, entry)
    }
  }
}
