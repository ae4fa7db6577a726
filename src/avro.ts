/** Subpath `tidemark/avro`: values as Avro, with a schema registry. Needs the package `avsc`. */
export { avro, type AvroOptions } from './avro/avro.js'
export { canRead } from './avro/can-read.js'
export type {
  AreSimpleAvro,
  AvroChoices,
  AvroComplex,
  AvroNamed,
  AvroObject,
  AvroPrimitives,
  AvroRecord,
  AvroSchema,
  AvroUnion,
  AvroValue,
} from './avro/avro-value.js'
export type { LogicalTypeClass } from './avro/logical-types.js'
