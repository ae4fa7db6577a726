import { describe, expect, it } from 'vitest'
import { oauth } from '../../../../src/auth/oauth.js'
import { ConfigError } from '../../../../src/errors.js'
import { kafkajs } from '../../../../src/drivers/kafkajs/driver.js'

/** Types may have been cast away. */
const open = kafkajs as (config?: unknown, options?: unknown) => unknown

function refusal(config: unknown, options?: unknown): string {
  try {
    open(config, options)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).message
  }
  return 'accepted'
}

const brokers = ['localhost:9092']
const password = 'hunter2'

const tokens = oauth({ tokenUrl: 'https://login.test/token', clientId: 'a', clientSecret: password })

describe('kafkajs(config)', () => {
  it.each([undefined, null, 'localhost:9092', brokers])('says what it takes when given %j', (config) => {
    expect(refusal(config)).toMatch(/^kafkajs\(config\): .*\n {2}options: is .*; write an object with any of brokers/)
  })

  it.each([
    [{ brokers: 'localhost:9092' }, "brokers: .* and it is a string; give at least one 'host:port'"],
    [{}, "brokers: .* and it is missing; give at least one 'host:port'"],
    [{ brokers, clientId: 7 }, 'clientId: is 7; write text'],
    [{ brokers, clientId: '' }, 'clientId: .*; write text'],
    [{ brokers, requestTimeout: '30s' }, 'requestTimeout: is a string; write milliseconds'],
    [{ brokers, requestTimeout: Number.NaN }, 'requestTimeout: is NaN; write milliseconds'],
    [{ brokers, ssl: 'yes' }, 'ssl: is a string; write true, false'],
    [{ brokers, sasl: 'plain' }, 'sasl: is a string; write { mechanism'],
    [{ brokers, clientid: 'x' }, 'clientid: is not an option; did you mean clientId'],
    [{ brokers, sasl: { mechanism: 'plain', username: 'a' } }, 'sasl.password: is missing; write it as text'],
    [{ brokers, sasl: { mechanism: 'plain', username: '', password } }, 'sasl.username: is empty'],
    [{ brokers, sasl: () => undefined }, 'sasl: is a function; write .* or what oauth'],
    [
      { brokers, sasl: { mechanism: 'OAUTHBEARER' } },
      'sasl.oauthBearerProvider: is missing; write a function .* oauth',
    ],
    [{ brokers, sasl: { mechanism: 'oauthbearer', oauthBearerProvider: tokens } }, 'oauthBearerProvider: is an object'],
    [{ brokers, sasl: { mechanism: 'aws', accessKeyId: 'a' } }, 'sasl.authorizationIdentity: is missing'],
    [{ brokers, ssl: Promise.resolve({}) }, 'ssl: is a promise; write .* or a function that gives them'],
  ])('tells what is wrong with %j', (config, what) => {
    expect(refusal(config)).toMatch(new RegExp(what))
  })

  it('never shows a password', () => {
    const told = [
      { brokers, sasl: password },
      { brokers, sasl: { mechanism: 'plain', username: 'a', password: 123456 } },
      { brokers, sasl: { mechanism: 'PLAIN', username: 5, password } },
    ].map((config) => refusal(config))
    expect(told.join()).toContain('sasl.password: is a number')
    expect(told.join()).not.toMatch(/hunter2|123456/)
  })

  it('shows nothing of an address or a mechanism that is none, for it may be a secret in the wrong place', () => {
    const misplaced = ['kafka://user:hunter2@a:9092', 'user:hunter2', 'hunter2@a:9092', 'hunter2', 'a:9092?p=hunter2']
    const told = [
      ...misplaced.map((broker) => refusal({ brokers: [broker] })),
      refusal({ brokers, sasl: { mechanism: password, username: 'a', password } }),
      refusal({ brokers, sasl: { mechanism: { value: password } } }),
    ]
    expect(told).not.toContain('accepted')
    expect(told.join()).not.toMatch(/hunter|unter2/i)
    expect(told[0]).toContain('brokers.0')
  })

  it('takes what kafkajs takes', () => {
    const sasl = { mechanism: 'SCRAM-SHA-512', username: 'a', password }
    expect(refusal({ brokers, sasl, ssl: { ca: ['x'] }, clientId: 'c', retry: { retries: 3 }, logLevel: 0 })).toBe(
      'accepted',
    )
    expect(refusal({ brokers: () => brokers, sasl: null, ssl: undefined })).toBe('accepted')
    expect(refusal({ brokers, ssl: () => ({ ca: 'x' }) })).toBe('accepted')
    expect(refusal({ brokers, sasl: tokens })).toBe('accepted')
    const aws = { mechanism: 'aws', authorizationIdentity: 'a', accessKeyId: 'b', secretAccessKey: 'c' }
    expect(refusal({ brokers, sasl: aws })).toBe('accepted')
    expect(refusal({ brokers, sasl: { mechanism: 'own', authenticationProvider: () => undefined } })).toBe('accepted')
  })

  it.each([
    [null, 'options: is null'],
    [{ loger: console }, 'loger: is not an option; did you mean logger'],
    [{ logger: 'loud' }, 'logger: is a string; write a logger with debug'],
  ])('refuses the further options %j', (options, what) => {
    expect(refusal({ brokers }, options)).toContain(what)
  })
})
