/**
 * How records say by which schema they are written: a zero byte, the id in four bytes (big-endian), the value.
 * Source: Confluent's wire format, which Apicurio and others write too.
 */
export const prefixBytes = 5

/** The id of the schema that these bytes name; `null` when they name none. */
export function schemaIdOf(bytes: Buffer): number | null {
  return bytes.length >= prefixBytes && bytes[0] === 0 ? bytes.readInt32BE(1) : null
}

/** The id that stands in bytes before it is known. No registry gives it out. */
export const noId = -1

/** Bytes that were made before their id was known. */
export function isUnfinished(bytes: Buffer): boolean {
  return schemaIdOf(bytes) === noId
}

export function putSchemaId(bytes: Buffer, id: number): void {
  bytes[0] = 0
  bytes.writeInt32BE(id, 1)
}
