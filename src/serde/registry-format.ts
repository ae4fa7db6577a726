import { SerdeError } from './serde-error.js'

/** A zero byte and the id of a schema in four more; ids that people have leave the first of them zero too. */
const prefixBytes = 5

/**
 * Bytes that could not be read and begin as records of a schema registry do (Confluent's wire format), as the error to
 * throw; `null` when they do not.
 */
export function registryProblem(bytes: Buffer): SerdeError | null {
  if (bytes.length <= prefixBytes || bytes[0] !== 0 || bytes[1] !== 0) return null
  return new SerdeError(
    'malformed',
    `the value begins as those of a schema registry do (a zero byte and schema id ${bytes.readUInt32BE(1)}); read it with ` +
      'bytes() or a serde of your own that asks the registry, or have it written as plain text',
  )
}
