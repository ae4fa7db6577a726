import { afterEach, describe, expect, it, vi } from 'vitest'
import { DecodeError, DriverError, HandlerError, StateError } from '../../../src/errors.js'
import { consoleLogger } from '../../../src/telemetry/logger.js'

function logged(fields: object): Record<string, unknown> {
  const lines: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => {
    lines.push(String(line))
    return true
  })
  consoleLogger().error(fields, 'the consumer failed')
  expect(lines).toEqual([expect.stringMatching(/\n$/)])
  return JSON.parse(lines[0] as string) as Record<string, unknown>
}

describe('the console logger', () => {
  afterEach(() => vi.restoreAllMocks())

  it('tells the text of our own errors, where they happened, and what caused them', () => {
    const cause = new DriverError('cannot-connect', 'cannot connect to broker a:1')
    const error = new DriverError('start-failed', 'the consumer could not start', { topic: 't', partition: 3, cause })
    expect(logged({ error })).toMatchObject({
      level: 'error',
      message: 'the consumer failed',
      error: {
        name: 'DriverError',
        code: 'start-failed',
        message: 'the consumer could not start',
        topic: 't',
        partition: 3,
        cause: { message: 'cannot connect to broker a:1' },
      },
    })
  })

  it("tells class, code, place and the first line of other people's errors, and nothing else that stands in them", () => {
    const foreign = Object.assign(new RangeError('card declined\nhunter2\n    at hunter2'), {
      code: 'E_RANGE',
      value: 'hunter2',
    })
    const entry = logged({ error: new HandlerError('handler-failed', 'a handler failed', { cause: foreign }), foreign })
    expect(entry['foreign']).toMatchObject({ name: 'RangeError', code: 'E_RANGE', message: 'card declined' })
    expect(entry['error']).toMatchObject({ cause: { name: 'RangeError', message: 'card declined' } })
    expect(JSON.stringify(entry['foreign'])).toContain('logger.test.ts')
    expect(JSON.stringify(entry)).not.toContain('hunter2')
    const long = logged({ error: new Error('x'.repeat(10_000)) })
    expect(JSON.stringify(long['error']).length).toBeLessThan(2_000)
  })

  it('tells no text of a parser, and of what a record could not be read for, since they quote it', () => {
    const parser = new SyntaxError('Unexpected token "hunter2" is not valid JSON')
    const cause = new Error('no field hunter2')
    const entry = logged({ error: new HandlerError('handler-failed', 'failed', { cause: parser }), parser })
    const undecoded = logged({ error: new DecodeError('invalid', 'a value is no order', { cause }) })
    expect(entry).toMatchObject({ parser: { name: 'SyntaxError' }, error: { cause: { name: 'SyntaxError' } } })
    expect(undecoded).toMatchObject({ error: { message: 'a value is no order', cause: { name: 'Error' } } })
    expect(JSON.stringify([entry, undecoded])).not.toContain('hunter2')
  })

  it('prints large integers instead of throwing at the caller', () => {
    expect(logged({ offset: 2n ** 60n })).toMatchObject({ offset: '1152921504606846976' })
  })

  it('has the time, and the level from which it prints', () => {
    const lines: string[] = []
    vi.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0)
    const logger = consoleLogger({ level: 'warn' })
    logger.info({}, 'not told')
    logger.warn({ client: 'c' }, 'told')
    const [entry] = lines.map((line) => JSON.parse(line) as { readonly time: string })
    expect(lines).toHaveLength(1)
    expect(entry).toMatchObject({ level: 'warn', message: 'told', client: 'c' })
    expect(Date.parse(entry?.time ?? '')).toBeGreaterThan(Date.UTC(2026, 0))
  })

  const circle: Record<string, unknown> = { topic: 't' }
  circle['self'] = circle
  const throwing = () => {
    throw new Error('odd')
  }
  const oddities: readonly (readonly [string, unknown])[] = [
    ['a circle', circle],
    ['an error whose cause is itself', Object.assign(new StateError('closed', 'closed'), { cause: circle })],
    ['a getter that throws', Object.defineProperty({}, 'x', { get: throwing, enumerable: true })],
    [
      'a proxy that throws at everything',
      new Proxy({}, { get: throwing, ownKeys: throwing, getPrototypeOf: throwing }),
    ],
    ['a message that throws', Object.defineProperty(new Error('x'), 'message', { get: throwing })],
    ['a toJSON that throws', { toJSON: throwing }],
    ['an object without a prototype', Object.create(null)],
    ['a symbol', Symbol('x')],
    ['a function', throwing],
    ['an invalid date', new Date(Number.NaN)],
  ]
  it.each(oddities)('prints its line without throwing, whatever stands in it: %s', (_, odd) => {
    expect(logged({ odd, topic: 't' })).toMatchObject({ message: 'the consumer failed', topic: 't' })
  })
})
