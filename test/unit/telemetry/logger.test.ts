import { afterEach, describe, expect, it, vi } from 'vitest'
import { DriverError } from '../../../src/errors.js'
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

  it("tells class, code and place of other people's errors, and not their text, which may quote a record", () => {
    const foreign = Object.assign(new RangeError('hunter2\n    at hunter2'), { code: 'E_RANGE', value: 'hunter2' })
    const entry = logged({ error: new DriverError('handler', 'a handler failed', { cause: foreign }), foreign })
    expect(entry['foreign']).toMatchObject({ name: 'RangeError', code: 'E_RANGE' })
    expect(JSON.stringify(entry['foreign'])).toContain('logger.test.ts')
    expect(JSON.stringify(entry)).not.toContain('hunter2')
  })

  it('prints large integers instead of throwing at the caller', () => {
    expect(logged({ offset: 2n ** 60n })).toMatchObject({ offset: '1152921504606846976' })
  })
})
