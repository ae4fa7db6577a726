import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../../src/errors.js'
import { setUp } from '../consumer-setup.js'

/** Types may have been cast away. */
const wrong = (value: unknown) => value as never

async function refusal(call: () => unknown): Promise<ConfigError> {
  const failure: unknown = await Promise.resolve()
    .then(call)
    .catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(ConfigError)
  return failure as ConfigError
}

async function running() {
  const all = setUp()
  await all.consumer.start()
  await all.driver.assign('t', 0)
  return all
}

describe('seek', () => {
  it.each([
    [new Date(0), 'target: is a Date'],
    ['begin', 'target: is a string'],
    [Number.NaN, 'target: is NaN'],
    [-1, 'target: is -1'],
    [1.5, 'target: is 1.5'],
    [null, 'target: is null'],
    [undefined, 'target: is missing'],
    [{ timestamp: 'noon' }, 'target.timestamp: is a string'],
    [{ timestamp: Number.NaN }, 'target.timestamp: is NaN'],
    [{ time: 5 }, 'target: is an object'],
  ])('says what came and what to write instead of %s, and goes nowhere', async (target, what) => {
    const { driver, consumer } = await running()
    const { message } = await refusal(() => consumer.seek('t', 0, wrong(target)))
    expect(message).toContain(`${what}; write an offset as a whole number from 0, or { timestamp }`)
    expect(driver.calls.filter((call) => call.startsWith('seek'))).toEqual([])
  })

  it('by time goes nowhere when the driver finds no offset', async () => {
    const { consumer, driver } = setUp({}, { offsetAt: () => Promise.resolve(-1) })
    await consumer.start()
    await driver.assign('t', 0)
    await expect(consumer.seek('t', 0, { timestamp: 5 })).rejects.toMatchObject({ code: 'no-offset', topic: 't' })
  })
})

describe('what names a partition', () => {
  it.each([
    [[{ name: 't' }, 0], 'topic: is an object'],
    [['t'], 'partition: is missing'],
    [['t', '0'], 'partition: is a string'],
  ])('is looked at by restart, seek and position: %j', async (place, what) => {
    const { consumer } = await running()
    const [topic, partition] = place.map(wrong) as [never, never]
    expect((await refusal(() => consumer.restart(topic, partition))).message).toContain(`restart: 1 invalid`)
    expect((await refusal(() => consumer.restart(topic, partition))).message).toContain(what)
    expect((await refusal(() => consumer.seek(topic, partition, 0))).message).toContain(what)
    expect((await refusal(() => consumer.position(topic, partition))).message).toContain(what)
  })
})

describe.each(['pause', 'resume'] as const)('%s', (call) => {
  it.each([
    ['t', 'places: is a string'],
    [null, 'places: is null'],
    [{ topic: 't', partition: 0 }, 'places: is an object'],
    [['t'], 'places.0: is a string'],
    [[{ topic: 't', partition: 0 }, null], 'places.1: is null'],
    [[{ topic: 't', partition: -1 }], 'places.0: is an object'],
    [[{ topic: 'else' }], 'places.0.topic: else is not read by this consumer; write one of its topics: t, u'],
  ])('takes a list of partitions and says so when given %j', async (partitions, what) => {
    const { consumer } = await running()
    const { message } = await refusal(() => {
      consumer[call](wrong(partitions))
    })
    expect(message).toMatch(new RegExp(`^${call}: `))
    expect(message).toContain(what)
  })
})

describe('the options of start and stop', () => {
  const refused: [options: unknown, what: string][] = [
    [{ timeoutMs: Number.NaN }, 'timeoutMs: is NaN; write milliseconds'],
    [{ timeoutMs: -1 }, 'timeoutMs: is -1; write milliseconds'],
    [{ timeoutMs: '5000' }, 'timeoutMs: is a string; write milliseconds'],
    [{ timeout: 5_000 }, 'timeout: is not an option; did you mean timeoutMs?'],
    [null, 'options: is null; write an object'],
    [5_000, 'options: is 5000; write an object'],
  ]

  it.each(refused)('start says what is wrong with %j and can be called again', async (options, what) => {
    const { consumer } = setUp()
    expect((await refusal(() => consumer.start(wrong(options)))).message).toContain(what)
    await consumer.start({ timeoutMs: 5_000 })
    expect(consumer.state).toBe('running')
  })

  it.each([...refused, [{ force: 'yes' }, 'force: is a string; write true or false'] as const])(
    'stop says what is wrong with %j and the consumer goes on',
    async (options, what) => {
      const { consumer } = await running()
      expect((await refusal(() => consumer.stop(wrong(options)))).message).toContain(what)
      expect(consumer.state).toBe('running')
    },
  )
})
