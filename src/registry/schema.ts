/** Another schema that a schema speaks of by name. */
export interface SchemaReference {
  /** As the schema names it. */
  readonly name: string
  readonly subject: string
  readonly version: number
}

/** A schema as a registry keeps it. */
export interface RegisteredSchema {
  /** Text, for Avro JSON. */
  readonly schema: string
  /** Registries leave it out for Avro. */
  readonly schemaType: 'AVRO' | 'JSON' | 'PROTOBUF'
  readonly references: readonly SchemaReference[]
}

/** A schema under its subject. */
export interface SubjectVersion extends RegisteredSchema {
  readonly subject: string
  readonly version: number
  readonly id: number
}

/**
 * What serdes need of a schema registry. `schemaRegistry` makes one that speaks Confluent's API; `memoryRegistry` of
 * `tidemark/testing` is one without a network. All of them reject with `RegistryError`.
 */
export interface SchemaRegistry {
  /** The schema of an id. */
  schemaById(id: number): Promise<RegisteredSchema>
  /** Registers a schema under a subject, and gives its id: the one that it has, if it is registered already. */
  register(subject: string, schema: RegisteredSchema): Promise<number>
  /** The id of a schema that is registered under a subject. */
  idOf(subject: string, schema: RegisteredSchema): Promise<number>
  /** The newest version of a subject; a subject without one rejects. */
  latest(subject: string): Promise<SubjectVersion>
  /** One version of a subject, from 1 on. */
  version(subject: string, version: number): Promise<SubjectVersion>
  /** Whether the subject would take the schema as its next version; a subject that is not there takes any. */
  isCompatible(subject: string, schema: RegisteredSchema): Promise<boolean>
}
