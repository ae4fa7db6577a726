import { isError, thrownText } from '../runtime/thrown.js'
import type { Logger } from './logger.js'

type Line = (first: unknown, second: unknown) => unknown
type Lines = Readonly<Record<keyof Logger, Line>>

/**
 * What the user gave as logger, called in its own way: pino and those shaped like it take fields first and know how to
 * print what stands under `err`; console and winston take the message first, and winston prints of an error what JSON
 * does, so it gets plain data.
 */
export function asLogger(given: Logger): Logger {
  const style = styleOf(given)
  const line = (level: keyof Logger) => (fields: object, message: string) => {
    const told = withErr(fields, style === 'winston')
    if (style === 'pino') return given[level](told, message)
    return (given as unknown as Lines)[level](message, told) as void
  }
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

function styleOf(given: object): 'pino' | 'console' | 'winston' {
  if ('transports' in given && 'log' in given) return 'winston'
  return 'table' in given && 'log' in given ? 'console' : 'pino'
}

/** The name under which loggers look for an error. */
function withErr(fields: object, asData: boolean): object {
  if (!('error' in fields)) return fields
  const { error, ...rest } = fields
  return { ...rest, err: asData && isError(error) ? errorData(error, 0) : error }
}

function errorData(error: Error, depth: number): object {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown }
  return {
    ...thrownText(error),
    ...(code === undefined ? {} : { code }),
    ...(isError(cause) && depth < 5 ? { cause: errorData(cause, depth + 1) } : {}),
  }
}
