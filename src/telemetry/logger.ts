import { ConfigError } from '../errors.js'

/** A pino-shaped logger: fields first, then the message. Keys and values of records are never logged. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** The default: a library is silent unless told otherwise. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** One JSON line per entry on standard error. */
export function consoleLogger(): Logger
export function consoleLogger(...given: readonly unknown[]): Logger {
  if (given.length > 0) {
    const fix = 'take it out; for levels give a logger of your own, such as pino'
    throw new ConfigError('consoleLogger', [{ path: 'arguments', message: 'it takes none', fix }])
  }
  const write = (level: string) => (fields: object, message: string) => {
    process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`)
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}
