import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConfigError, createMessaging, DriverError } from 'tidemark'
import { memory } from 'tidemark/memory'
import { virtualClock, seededRandom } from 'tidemark/testing'
import { resolveMessagingOptions } from '../../../src/config/messaging-options.js'
import { asLogger } from '../../../src/telemetry/foreign-logger.js'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { standardLogger } from '../../../src/telemetry/standard-logger.js'

function standardError(): string[] {
  const lines: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0)
  return lines
}

describe('without a logger', () => {
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
  })

  it('warnings and errors are one line each on standard error, each cause once a minute', () => {
    const lines = standardError()
    const logger = standardLogger(undefined)
    logger.debug({}, 'a detail')
    logger.info({}, 'a matter of course')
    for (let times = 0; times < 5; times += 1) logger.warn({ client: 'c' }, 'a broker is silent')
    logger.error({ err: new DriverError('one', 'cannot\nconnect') }, 'it failed')
    logger.error({ err: new DriverError('two', 'cannot connect') }, 'it failed')
    expect(lines).toHaveLength(3)
    for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z (warn|error) tidemark: [^\n]+\n$/)
  })

  it('a partition that stops is one line, whichever others stopped before; what is a warning is one for each topic', () => {
    const lines = standardError()
    const logger = standardLogger(undefined)
    const err = new DriverError('handler-failed', 'no')
    for (const partition of [0, 1, 2, 1, 2])
      logger.error({ group: 'g', topic: 't', partition, err }, 'partition stopped')
    for (const partition of [0, 1, 2]) logger.warn({ group: 'g', topic: 't', partition }, 'no progress')
    logger.warn({ group: 'g', topic: 'u', partition: 0 }, 'no progress')
    expect(lines.map((line) => /"topic":"(\w)","partition":(\d)/.exec(line)?.slice(1).join(''))).toEqual([
      't0',
      't1',
      't2',
      't0',
      'u0',
    ])
  })

  it.each([
    ['silent', []],
    ['error', ['error']],
    ['warn', ['warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['json', ['info', 'warn', 'error']],
  ])('TIDEMARK_LOG=%s says which', (choice, levels) => {
    const lines = standardError()
    const logger = standardLogger(choice)
    for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level]({}, `at ${level}`)
    expect(lines.map((line) => /at (\w+)/.exec(line)?.[1])).toEqual(levels)
    if (choice === 'json') expect(JSON.parse(lines[0] as string)).toMatchObject({ level: 'info' })
  })

  it('a word in TIDEMARK_LOG that is none is refused', () => {
    vi.stubEnv('TIDEMARK_LOG', 'loud')
    expect(() => createMessaging({ driver: memory() })).toThrow(ConfigError)
  })

  it('a run under a virtual clock, and one that asked for it, say nothing', () => {
    vi.stubEnv('TIDEMARK_LOG', 'info')
    const runtime = { clock: virtualClock(), random: seededRandom(1) }
    expect(resolveMessagingOptions({ driver: memory({ runtime }) }).logger).toBe(silentLogger)
    expect(resolveMessagingOptions({ driver: memory(), logger: 'silent' }).logger).toBe(silentLogger)
    expect(resolveMessagingOptions({ driver: memory() }).logger).not.toBe(silentLogger)
  })
})

describe('a logger of the user', () => {
  it('that throws is told on standard error, but not in a run under a virtual clock', () => {
    const printed = standardError()
    const fail = () => {
      throw new Error('disk full')
    }
    const logger = { debug: fail, info: fail, warn: fail, error: fail }
    const runtime = { clock: virtualClock(), random: seededRandom(1) }
    resolveMessagingOptions({ driver: memory({ runtime }), logger }).logger.warn({}, 'one')
    expect(printed).toEqual([])
    resolveMessagingOptions({ driver: memory(), logger }).logger.warn({}, 'one')
    expect(printed).toEqual([expect.stringContaining('the logger threw')])
    vi.restoreAllMocks()
  })

  const error = new DriverError('handler-failed', 'a handler failed', { cause: new RangeError('too far') })
  const calls = () => {
    const all: unknown[][] = []
    const write = (...given: unknown[]) => void all.push(given)
    return { all, lines: { debug: write, info: write, warn: write, error: write } }
  }

  it('shaped like pino gets fields first, and the error itself under err', () => {
    const { all, lines } = calls()
    asLogger(lines).error({ topic: 't', error }, 'it failed')
    expect(all).toEqual([[{ topic: 't', err: error }, 'it failed']])
  })

  it('that is a console gets the message first', () => {
    const { all, lines } = calls()
    asLogger({ ...lines, log: () => undefined, table: () => undefined } as never).warn({ error }, 'it failed')
    expect(all).toEqual([['it failed', { err: error }]])
  })

  it('of winston gets the message first, and of an error all that JSON would leave out', () => {
    const { all, lines } = calls()
    asLogger({ ...lines, log: () => undefined, transports: [] } as never).error({ error }, 'it failed')
    expect(JSON.parse(JSON.stringify(all))).toMatchObject([
      [
        'it failed',
        {
          err: {
            message: 'a handler failed',
            code: 'handler-failed',
            stack: expect.stringContaining('standard-logger.test') as string,
            cause: { message: 'too far' },
          },
        },
      ],
    ])
  })
})
