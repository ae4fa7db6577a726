import { ConfigError, TidemarkError } from '../errors.js'

/** A pino-shaped logger: fields first, then the message. Keys and values of records are never logged. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Enough to find the line. */
const framesTold = 5

/** The default: a library is silent unless told otherwise. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** One JSON line per entry on standard error. Of errors that are not tidemark's only class, code and place in the source are told. */
export function consoleLogger(): Logger
export function consoleLogger(...given: readonly unknown[]): Logger {
  if (given.length > 0) {
    const fix = 'take it out; for levels give a logger of your own, such as pino'
    throw new ConfigError('consoleLogger', [{ path: 'arguments', message: 'it takes none', fix }])
  }
  const write = (level: string) => (fields: object, message: string) => {
    process.stderr.write(`${JSON.stringify({ level, message, ...fields }, printable)}\n`)
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** JSON knows neither errors, whose text it leaves out, nor large integers, at which it throws. */
function printable(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (!(value instanceof Error)) return value
  const { message, cause } = value
  return value instanceof TidemarkError ? { ...value, message, cause } : foreign(value)
}

/** The text of other people's errors may show what is in a record. */
function foreign(error: Error): object {
  const { code } = error as { readonly code?: unknown }
  const { message, stack = '' } = error
  // A line of the text may look like a frame.
  const frames = stack
    .slice(stack.indexOf(message) + message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
  return {
    name: error.constructor.name,
    code: typeof code === 'string' ? code : undefined,
    at: frames.slice(0, framesTold).map((line) => line.trim()),
  }
}
