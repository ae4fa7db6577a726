import { inspect } from 'node:util'
import { logLevel, type ISocketFactory, type KafkaConfig } from 'kafkajs'
import { expect } from 'vitest'
import type { Socket } from 'node:net'
import type { Driver } from '../../src/driver/driver.js'
import { kafkajs, type KafkajsConfig } from '../../src/drivers/kafkajs/driver.js'
import type { Logger } from '../../src/telemetry/logger.js'
import { noMetrics } from '../../src/telemetry/metrics.js'
import { producerSettings } from './test-records.js'
import { tidemarkMember } from './tidemark-member.js'
import { until } from './waiting.js'
import { systemClock } from '../../src/runtime/clock.js'

interface LogLine {
  readonly level: keyof Logger
  readonly fields: object
  readonly message: string
}

/** A driver whose sockets and log lines a test can look at. */
export interface ProbedDriver {
  readonly driver: Driver
  readonly logger: Logger
  readonly sockets: readonly Socket[]
  readonly lines: readonly LogLine[]
  /** Lines a person would be alarmed by. */
  alarms(): readonly LogLine[]
}

export async function probedDriver(config: KafkajsConfig): Promise<ProbedDriver> {
  const { default: factory } = (await import('kafkajs/src/network/socketFactory.js')) as { default: unknown }
  const openSocket = (factory as () => ISocketFactory)()
  const sockets: Socket[] = []
  const lines: LogLine[] = []
  const note = (level: keyof Logger) => (fields: object, message: string) => void lines.push({ level, fields, message })
  const logger: Logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const socketFactory: ISocketFactory = (options) => {
    const socket = openSocket(options)
    sockets.push(socket)
    return socket
  }
  return {
    driver: kafkajs({ ...config, logLevel: logLevel.DEBUG, socketFactory }, { logger }),
    logger,
    sockets,
    lines,
    alarms: () => lines.filter(({ level }) => level === 'warn' || level === 'error'),
  }
}

const roles = ['producer', 'consumer', 'admin'] as const
export type Role = (typeof roles)[number]

export interface Failure {
  readonly role: Role
  readonly error: Error & { readonly code?: string; readonly retriable?: boolean }
  readonly elapsedMs: number
}

export interface FailureOptions {
  /** What each client may take. */
  readonly withinMs: number
  /** Texts that must not be found in anything a person may come to see. */
  readonly secrets: readonly string[]
}

/** What a machine that does much else may add; who does not heed the time goes on for ever. */
const slackMs = 10_000

/** Sockets of this process, whoever made them. */
export const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => /^(TCPSocketWrap|TLSWrap|TCPWRAP|TLSWRAP)$/i.test(name)).length

/**
 * Lets a producer, a consumer and an admin client meet the same trouble. Checks what holds for any trouble: each fails
 * within its time, nothing tells a secret, no socket is left. Gives their errors.
 */
export async function failuresOf(
  config: KafkaConfig,
  { withinMs, secrets }: FailureOptions,
): Promise<readonly Failure[]> {
  const socketsBefore = openSockets()
  const meet = async (role: Role): Promise<Failure> => {
    const probe = await probedDriver(config)
    const startedAt = systemClock.now()
    const error = await attempts[role](probe, startedAt + withinMs)
    const elapsedMs = systemClock.now() - startedAt
    expect(error, `the ${role} should have failed`).toBeInstanceOf(Error)
    expect(elapsedMs, `the ${role} took ${elapsedMs} ms: ${error?.message}`).toBeLessThan(withinMs + slackMs)
    const left = probe.sockets.filter(({ destroyed }) => !destroyed).length
    expect(left, `sockets of the ${role} that are not destroyed`).toBe(0)
    expectNoSecret([error, probe.lines], secrets)
    return { role, error: error!, elapsedMs }
  }
  const failures = await Promise.all(roles.map(meet))
  await until('every socket is closed', () => openSockets() <= socketsBefore, { everyMs: 10 })
  return failures
}

type Attempt = (probe: ProbedDriver, deadline: number) => Promise<Error | null>

const failureOf = (promise: Promise<unknown>): Promise<Error | null> =>
  promise.then(
    () => null,
    (error: unknown) => error as Error,
  )

const attempts: Record<Role, Attempt> = {
  async producer({ driver, logger }, deadline) {
    const producer = driver.createProducer({ ...producerSettings, logger })
    const error = await failureOf(producer.connect(deadline))
    await producer.close()
    return error
  },
  // A consumer that could not start has ended by itself.
  consumer: ({ driver, logger }, deadline) =>
    failureOf(
      tidemarkMember(driver, { logger, groupId: 'failing', topics: ['t'] }).start(deadline - systemClock.now()),
    ),
  async admin({ driver, logger }, deadline) {
    const admin = driver.createAdmin({ clientId: 'tidemark', logger, metrics: noMetrics })
    const error = await failureOf(admin.describeTopics(null, deadline))
    await admin.close()
    return error
  },
}

/** Looks through messages, stacks, causes and every property, however deep. */
export function expectNoSecret(things: readonly unknown[], secrets: readonly string[]): void {
  const shown = inspect(things, { depth: 12, showHidden: true, maxArrayLength: null, maxStringLength: null })
  const said = things.flatMap(causesOf).map((error) => `${error.name}\n${error.message}\n${error.stack}`)
  for (const secret of secrets) {
    for (const text of [secret, Buffer.from(secret).toString('base64')]) {
      // The comparison must not print the secret's surroundings by the megabyte.
      expect(
        [shown, ...said].some((place) => place.includes(text)),
        'a secret is told',
      ).toBe(false)
    }
  }
}

function causesOf(thing: unknown): Error[] {
  if (!(thing instanceof Error)) return []
  const inner = thing instanceof AggregateError ? (thing.errors as unknown[]) : []
  return [thing, ...causesOf(thing.cause), ...inner.flatMap(causesOf)]
}
