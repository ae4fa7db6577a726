/** Subpath `tidemark/registry`: a client of schema registries, for `tidemark/avro` and `tidemark/json-schema`. */
export { schemaRegistry, type SchemaRegistryOptions } from './registry/schema-registry.js'
export type { RegistryCredentials } from './registry/http-transport.js'
export { RegistryError, type RegistryErrorCode } from './registry/registry-error.js'
export type { RegisteredSchema, SchemaReference, SchemaRegistry, SubjectVersion } from './registry/schema.js'
export type { SubjectStrategy } from './registry/subject.js'
export type { RegistryAnswer, RegistryRequest, RegistryTransport } from './registry/transport.js'
