import { z } from 'zod'
import type { Driver } from '../driver/driver.js'
import { systemClock } from '../runtime/clock.js'
import type { ClientEvent } from '../telemetry/events.js'
import { guarded } from '../telemetry/guard.js'
import { consoleLogger, silentLogger, type Logger } from '../telemetry/logger.js'
import { standardLogger } from '../telemetry/standard-logger.js'
import type { MetricScope } from '../telemetry/metric-names.js'
import { guardedTracing } from '../telemetry/guarded-tracing.js'
import { noMetrics, type MetricsAdapter } from '../telemetry/metrics.js'
import type { TracingAdapter } from '../telemetry/tracing.js'
import { profileOf } from './define-profile.js'
import { profiles, type Profile, type ProfileName } from './profiles.js'
import { resolveOptions } from './resolve-options.js'

/** Options of `createMessaging`. */
export interface MessagingOptions {
  /** The way to Kafka: `kafkajs({ brokers })`, or `memory()`. */
  readonly driver: Driver
  /**
   * Goes to brokers exactly so: their logs, quotas and metrics go by it (a `clientId` of kafkajs's own config goes before it).
   * Default `tidemark`.
   */
  readonly clientId?: string | undefined
  /** What is promised: `ap`, `cp`, `transactional`, or a profile made by `defineProfile`. Default `cp`. */
  readonly profile?: ProfileName | Profile | undefined
  /**
   * What to do about a topic that is written and not kept as the promise needs it (replicas, `min.insync.replicas`, unclean
   * election): `refuse`, at `ensureTopics`, `start`, `connect` or its first send, and never later; `warn`; `off`, and nobody
   * looks. Default: as the profile says, `refuse` under `cp`; `ap` asks nothing of topics.
   */
  readonly durability?: Profile['durability'] | undefined
  /** The group protocol of consumers that do not say: see `groupProtocol` of a consumer. Default `classic`. */
  readonly groupProtocol?: 'classic' | 'consumer' | 'auto' | undefined
  /**
   * pino, winston, `console`, `consoleLogger()`, or what is shaped like one of them. Default: warnings and errors on standard
   * error, at most one a minute for each cause, or what `TIDEMARK_LOG` says; under a clock that is not the system's: silent.
   */
  readonly logger?: Logger | 'silent' | undefined
  /** Default: measurements go nowhere. */
  readonly metrics?: MetricsAdapter | undefined
  /** Spans for what is sent and handled: `openTelemetryTracing()` of `tidemark/opentelemetry`. Default: none are made. */
  readonly tracing?: TracingAdapter | undefined
  /**
   * Hears what happens to producers and consumers, each once and when it is complete: partitions taken, given up and stopped,
   * stalls, dead letters, retries and more. Plain data but for errors, without keys and values. What it throws changes nothing.
   */
  readonly onEvent?: ((event: ClientEvent & MetricScope) => void) | undefined
  /** How long `close` may drain, commit and flush before it ends what is left. Default 25,000: Kubernetes kills after 30 s. */
  readonly closeTimeoutMs?: number | undefined
}

/** The same with defaults filled in; `profile` already carries `durability`. */
export interface ResolvedMessagingOptions {
  /** As given: it holds for producers and consumers of other profiles too. */
  readonly durability?: Profile['durability'] | undefined
  readonly driver: Driver
  readonly clientId: string
  readonly profile: Profile
  readonly groupProtocol: 'classic' | 'consumer' | 'auto'
  readonly logger: Logger
  readonly metrics: MetricsAdapter
  readonly tracing?: TracingAdapter | undefined
  readonly onEvent?: ((event: ClientEvent & MetricScope) => void) | undefined
  readonly closeTimeoutMs: number
}

const profileNames = Object.keys(profiles) as [ProfileName, ...ProfileName[]]

/** Checks, defaults and descriptions of {@link MessagingOptions}. */
export const messagingOptionsSchema = z.strictObject({
  driver: service<Driver>(['createProducer', 'createConsumer', 'createAdmin'], 'a driver').describe(
    'the way to Kafka: kafkajs({ brokers }) or memory()',
  ),
  clientId: z.string().min(1).max(249).default('tidemark').describe('name of this client in broker logs and quotas'),
  profile: z
    .union([z.enum(profileNames), z.custom<Profile>(isProfile, 'a profile made by defineProfile')])
    .default('cp')
    .describe('what is promised'),
  durability: z.enum(['refuse', 'warn', 'off']).optional().describe('when the cluster cannot keep the promise'),
  groupProtocol: z
    .enum(['classic', 'consumer', 'auto'])
    .default('classic')
    .describe('the group protocol of consumers that do not say'),
  logger: z
    .union([service<Logger>(['debug', 'info', 'warn', 'error'], 'a logger'), z.literal('silent')])
    .optional()
    .describe("where log lines go: pino, winston, console, consoleLogger() or 'silent'"),
  metrics: service<MetricsAdapter>(
    ['count', 'gauge', 'observe'],
    'a metrics adapter, as prometheusMetrics({ registry }), or one of yours',
  )
    .default(() => noMetrics)
    .describe('where measurements go'),
  tracing: service<TracingAdapter>(['of'], 'a tracing adapter, as openTelemetryTracing(), or one of yours')
    .optional()
    .describe('where spans go'),
  onEvent: z
    .custom<(event: ClientEvent & MetricScope) => void>((value) => typeof value === 'function', 'a function')
    .optional()
    .describe('hears what happens to producers and consumers'),
  closeTimeoutMs: z
    .int()
    .min(0)
    .max(2_147_483_647)
    .default(25_000)
    .describe('how long close may drain, commit and flush, in milliseconds'),
}) satisfies z.ZodType<unknown, MessagingOptions>

/** Throws `ConfigError` with every problem, and when the driver cannot do what the profile needs. */
export function resolveMessagingOptions(options: MessagingOptions): ResolvedMessagingOptions {
  const resolved = resolveOptions('createMessaging', messagingOptionsSchema, options)
  const { durability, profile: chosen, ...rest } = resolved
  const base = profileOf(chosen)
  const profile = durability === undefined ? base : Object.freeze({ ...base, durability })
  const isSimulated = rest.driver.runtime.clock !== systemClock
  const logger = rest.logger === undefined ? defaultLogger(isSimulated) : rest.logger
  const given = logger === 'silent' ? silentLogger : logger
  const telemetry = guarded(given, rest.metrics, rest.clientId, isSimulated ? silentLogger : consoleLogger())
  const { tracing } = rest
  return {
    ...rest,
    durability,
    ...telemetry,
    tracing: tracing === undefined ? undefined : guardedTracing(tracing, rest.clientId, telemetry),
    profile,
  }
}

/** A simulation says nothing on its own: its time is not the reader's. */
function defaultLogger(isSimulated: boolean): Logger {
  return isSimulated ? silentLogger : standardLogger(process.env['TIDEMARK_LOG'])
}

/** Something that has these methods; the object itself is kept, never copied. */
function service<Service extends object>(methods: readonly string[], expected: string) {
  return z.custom<Service>(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function'),
    `${expected} with ${methods.join(', ')}`,
  )
}

function isProfile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { name, producer, consumer, durability } = value as Partial<Profile>
  return (
    typeof name === 'string' &&
    typeof producer === 'object' &&
    typeof consumer === 'object' &&
    typeof durability === 'string'
  )
}
