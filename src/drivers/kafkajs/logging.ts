import type { KafkaConfig, LogEntry, Logger as KafkajsLogger } from 'kafkajs'
import type { Logger } from '../../telemetry/logger.js'
import type { KafkajsInternals } from './internals.js'

/** kafkajs's numbers: the package may not be there when this is loaded. */
const levels = { ERROR: 1, WARN: 2, INFO: 4 } as const

/** kafkajs's own logger: its lines go to `config.logCreator` where there is one, else to `logger`, without secrets. */
export function kafkajsLogger(
  config: Pick<KafkaConfig, 'logLevel' | 'logCreator'>,
  logger: Logger,
  internals: KafkajsInternals,
  mask: (text: string) => string,
): KafkajsLogger {
  const level = config.logLevel ?? levels.INFO
  const write = config.logCreator?.(level) ?? ((entry: LogEntry) => forward(entry, logger))
  return internals.createLogger({ level, logCreator: () => (entry) => write(masked(entry, mask)) })
}

/** Whatever kafkajs calls an error fails a request of ours, which tells it in its own way. */
export function onlyDebug({ debug }: Logger): Logger {
  return { debug, info: debug, warn: debug, error: debug }
}

function masked(entry: LogEntry, mask: (text: string) => string): LogEntry {
  const fields = Object.entries(entry.log).map(([name, value]) => [
    name,
    typeof value === 'string' ? mask(value) : value,
  ])
  return { ...entry, log: Object.fromEntries(fields) as LogEntry['log'] }
}

function forward({ level, namespace, log }: LogEntry, logger: Logger): void {
  const { message, ...fields } = log
  const text = namespace ? `[${namespace}] ${message}` : message
  const number: number = level
  if (number === levels.ERROR) logger.error(fields, text)
  else if (number === levels.WARN) logger.warn(fields, text)
  else if (number === levels.INFO) logger.info(fields, text)
  else logger.debug(fields, text)
}
