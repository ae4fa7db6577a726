import type { Clock } from '../runtime/clock.js'
import { silentLogger, type Logger } from './logger.js'
import { Repeats } from './repeats.js'

/** A fault that lasts is met many times a second. */
const repeatMs = 1_000

/**
 * The same logger, whose debug lines repeat at most once a second for each cause: what a line says, and its reason. Whose
 * partition it is makes no other cause of it.
 */
export function calm(logger: Logger, clock: Clock): Logger {
  if (logger === silentLogger) return logger
  const repeats = new Repeats(clock, repeatMs)
  return {
    debug(fields, message) {
      const { reason = '', code = '', error = '' } = fields as { reason?: unknown; code?: unknown; error?: unknown }
      const kept = repeats.met(`${message} ${told(reason)} ${told(code)} ${told(error)}`)
      if (kept !== 'too-soon') logger.debug(kept === 0 ? fields : { ...fields, repeated: kept }, message)
    },
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  }
}

function told(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
