/** Subpath `tidemark/json-schema`: values as JSON whose schema stands in a registry. */
export { jsonSchema, type JsonSchemaOptions } from './json-schema/json-schema.js'
