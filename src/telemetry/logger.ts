import type { ConfigError } from '../errors.js'
import { optionProblem, type Rules } from '../input/option-rules.js'
import { systemClock } from '../runtime/clock.js'
import { plainFields } from './plain-fields.js'

/** A pino-shaped logger: fields first, then the message. Keys and values of records are never logged. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** How grave a line is, least first. More may come. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

const consoleRules: Rules<{ readonly level?: LogLevel | undefined }> = {
  level: { expected: "'debug', 'info', 'warn' or 'error'", accepts: (value) => levels.includes(value as LogLevel) },
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * One JSON line per entry of `level` (default `info`) and graver ones on standard error, with the time. Of errors that are not tidemark's only class, code and
 * place in the source are told. Never throws, whatever it is given to print.
 */
export function consoleLogger(options: { readonly level?: LogLevel | undefined } = {}): Logger {
  const problem: ConfigError | null = optionProblem('consoleLogger', options, consoleRules)
  if (problem !== null) throw problem
  return fromLevel(options.level ?? 'info', (level, fields, message) => {
    const time = new Date(systemClock.wallTime()).toISOString()
    process.stderr.write(`${JSON.stringify({ time, level, message, ...plainFields(fields) })}\n`)
  })
}

/** A logger that writes lines of `least` and graver ones. */
export function fromLevel(least: LogLevel, write: (level: LogLevel, fields: object, message: string) => void): Logger {
  const line = (level: LogLevel) =>
    levels.indexOf(level) < levels.indexOf(least)
      ? () => undefined
      : (fields: object, message: string) => write(level, fields, message)
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

/** The same logger, with fields that every line has. */
export function withFields(logger: Logger, fixed: object): Logger {
  if (logger === silentLogger) return logger
  return fromLevel('debug', (level, fields, message) => logger[level]({ ...fixed, ...fields }, message))
}
