import { registryProblem } from './registry-format.js'
import { SerdeError } from './serde-error.js'

const replacementCharacter = '\uFFFD'

/**
 * Text of UTF-8 bytes; throws `malformed` on bytes that are not UTF-8 instead of changing them.
 * Bad bytes decode to U+FFFD, so text without one needs no second look, and that search ends at once in Latin text.
 */
export function decodeUtf8(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  if (text.includes(replacementCharacter) && !Buffer.from(text, 'utf8').equals(bytes)) {
    throw (
      registryProblem(bytes) ??
      new SerdeError('malformed', 'the bytes are not UTF-8; write UTF-8, or read them with bytes()')
    )
  }
  return text
}
