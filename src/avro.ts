/** Subpath `tidemark/avro`: values as Avro, with a schema registry. Needs the package `avsc`. */
export { avro, type AvroOptions } from './avro/avro.js'
export { canRead } from './avro/can-read.js'
export type { AvroChoices, AvroObject, AvroSchema, AvroValue } from './avro/avro-value.js'
export type { LogicalTypeClass } from './avro/logical-types.js'
