import { DecodeError, TidemarkError } from '../errors.js'
import { isError, thrownText } from '../runtime/thrown.js'

const mostCharacters = 200

/**
 * What an error says, for a line: of our own all of it, of other people's the first line. A parser quotes what it could not
 * read, which may be a record: of it only its class is told.
 */
export function errorText(error: unknown): string {
  const { name, message } = thrownText(error)
  if (!isError(error)) return typeof error === 'string' ? 'a text was thrown' : `${name} was thrown`
  if (error instanceof TidemarkError) return message
  const text = textOfForeign(error, message)
  return text === '' ? name : `${name}: ${text}`
}

/** Empty when nothing of it may be told. */
export function textOfForeign(error: Error, message: string): string {
  if (error instanceof SyntaxError) return ''
  const [line = ''] = message.split('\n', 1)
  return line.length > mostCharacters ? `${line.slice(0, mostCharacters)}…` : line
}

/** What caused it may quote the record that could not be read. */
export function hidesCause(error: Error): boolean {
  return error instanceof DecodeError
}
