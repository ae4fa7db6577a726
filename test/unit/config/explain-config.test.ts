import { describe, expect, it } from 'vitest'
import { explainConfig, formatExplanation } from '../../../src/config/explain-config.js'

const resolved = {
  clientId: 'detect',
  commit: { everyMs: 5_000, everyMessages: 1_000 },
  producer: { acks: -1, lingerMs: 5 },
  kafka: { brokers: ['a:1', 'b:2'], sasl: { username: 'u', password: 'hunter2' }, ssl: { key: 'hunter2', ca: null } },
  logger: { info: () => undefined, warn: () => undefined },
  retry: { attempts: 4, backoff: () => 1 },
  handle: () => undefined,
  labels: {},
}
const layers = [
  { from: 'user', values: { commit: { everyMs: 5_000 }, producer: { lingerMs: undefined } } },
  { from: 'environment', values: { clientId: 'detect', kafka: resolved.kafka } },
  { from: 'profile', values: { producer: { acks: -1 }, commit: 'each' } },
] as const

describe('explainConfig', () => {
  it.each(['password', 'db.passphrase', 'apiToken', 'sasl.anything', 'ssl.key', 'clientSecret'])('hides %s', (path) => {
    const value = path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), 'hunter2')
    expect(explainConfig(value as object, [])).toEqual([{ path, value: '***', from: 'default' }])
  })

  const rows = explainConfig(resolved, layers)
  const row = (path: string) => rows.find((one) => one.path === path)

  it('names the strongest source of each value', () => {
    expect(row('commit.everyMs')).toEqual({ path: 'commit.everyMs', value: '5000', from: 'user' })
    expect(row('clientId')?.from).toBe('environment')
    expect(row('producer.acks')?.from).toBe('profile')
    expect(row('producer.lingerMs')?.from).toBe('default')
  })

  it('takes a value above as the source of what is below it', () => {
    expect(row('commit.everyMessages')?.from).toBe('profile')
  })

  it('masks secrets and shows what is no secret', () => {
    expect(JSON.stringify(rows)).not.toContain('hunter2')
    expect(row('kafka.ssl.key')?.value).toBe('***')
    expect(row('kafka.brokers')?.value).toBe('a:1, b:2')
  })

  it('shows functions and instances as one value', () => {
    expect(row('handle')?.value).toBe('a function')
    expect(row('logger')?.value).toBe('an object')
    expect(row('labels')?.value).toBe('{}')
    expect([row('retry.attempts')?.value, row('retry.backoff')?.value]).toEqual(['4', 'a function'])
  })

  it('prints a table, one line a value', () => {
    const lines = formatExplanation(rows).split('\n')
    expect(lines).toHaveLength(rows.length)
    expect(new Set(lines.map((line) => line.search(/(user|environment|profile|default)$/))).size).toBe(1)
  })
})
