/** Subpath `tidemark/registry`: a client of schema registries, for `tidemark/avro` and `tidemark/json-schema`. */
export { schemaRegistry, type SchemaRegistryOptions } from './registry/schema-registry.js'
export type { RegistryCredentials, RegistryTls } from './registry/http-transport.js'
export { RegistryError, type RegistryErrorCode } from './registry/registry-error.js'
export type { RegisteredSchema, SchemaReference, SchemaRegistry, SubjectVersion } from './registry/schema.js'
export type { SubjectStrategy } from './registry/subject.js'
export type { RegistryAnswer, RegistryRequest, RegistryTransport } from './registry/transport.js'
/** The ports that a serde fills which asks a registry, or another keeper. */
export type { Missing, Reading, Writing } from './serde/serde.js'
