import { compile } from './compile.js'

/**
 * Whether values that were written by one Avro schema can be read into another: what a subject with `BACKWARD` asks of each
 * next version. For `memoryRegistry({ isCompatible: canRead })`, and for tests of a schema before it is registered.
 *
 * @throws SerdeError when one of them is no Avro schema
 */
export function canRead(reader: unknown, writer: unknown): boolean {
  const settings = { longs: 'number', logicalTypes: {} } as const
  const [into, written] = [compile(reader, settings), compile(writer, settings)]
  try {
    into.createResolver(written)
    return true
  } catch {
    return false
  }
}
