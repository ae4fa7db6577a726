import { ConfigError } from '../errors.js'
import { systemClock } from '../runtime/clock.js'
import { consoleLogger, fromLevel, silentLogger, type Logger, type LogLevel } from './logger.js'
import { plainFields } from './plain-fields.js'
import { Repeats } from './repeats.js'

const choices: readonly unknown[] = ['silent', 'error', 'warn', 'info', 'json']

/** What is said again within this is not written again. */
const repeatMs = 60_000
/**
 * Where lines go when the user gave no logger: warnings and errors to standard error, one line each, at most one a minute
 * for each cause. `TIDEMARK_LOG` says otherwise: silent, error, warn, info, or json for JSON lines from info on.
 *
 * @throws ConfigError when it says something else
 */
export function standardLogger(choice: string | undefined): Logger {
  if (choice === 'silent') return silentLogger
  if (choice === 'json') return oncePerCause(consoleLogger(), 'info')
  if (choice !== undefined && choice !== '' && !choices.includes(choice)) {
    const fix = `write one of ${choices.join(', ')}, or take it out`
    throw new ConfigError('environment', [{ path: 'TIDEMARK_LOG', message: 'is none of its values', fix }])
  }
  return oncePerCause(textLogger, choice === 'error' || choice === 'info' ? choice : 'warn')
}

const textLogger = fromLevel('debug', (level, fields, message) => {
  const time = new Date(systemClock.wallTime()).toISOString()
  process.stderr.write(`${time} ${level} tidemark: ${message} ${JSON.stringify(plainFields(fields))}\n`)
})

function oncePerCause(logger: Logger, least: LogLevel): Logger {
  const repeats = new Repeats(systemClock, repeatMs)
  return fromLevel(least, (level, fields, message) => {
    const kept = repeats.met(`${level} ${message} ${codeOf(fields)} ${whose(level, fields)}`)
    if (kept !== 'too-soon') logger[level](kept === 0 ? fields : { ...fields, repeated: kept }, message)
  })
}

/** What befalls another group or topic is another cause; an error of another partition too, as each of them stands still. */
function whose(level: LogLevel, fields: object): string {
  const { group = '', topic = '', partition = '' } = fields as Readonly<Record<string, unknown>>
  return `${told(group)} ${told(topic)} ${level === 'error' ? told(partition) : ''}`
}

function told(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

function codeOf(fields: object): string {
  const { err } = fields as { readonly err?: { readonly code?: unknown } | null }
  return typeof err?.code === 'string' ? err.code : ''
}
