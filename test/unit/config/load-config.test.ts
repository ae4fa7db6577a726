import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { KafkaConfig } from 'kafkajs'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { ConfigError } from '../../../src/errors.js'
import { loadConfig, type LoadedConfig } from '../../../src/config/load-config.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const brokers = { KAFKA_BROKERS: 'a:9092' }
const pem = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----'
const sasl = { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'user', KAFKA_SASL_PASSWORD: ' hunter2 ' }
const issuesOf = (environment: Record<string, string | undefined>) => {
  try {
    loadConfig(environment)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).issues
  }
  throw new Error('expected a ConfigError')
}

describe('loadConfig', () => {
  it('gives what kafkajs takes', () => {
    expectTypeOf<LoadedConfig['kafka']>().toExtend<KafkaConfig>()
  })

  it('needs no more than brokers', () => {
    expect(loadConfig({ KAFKA_BROKERS: ' a:9092, b.example.com:1 ,[::1]:9093,' })).toEqual({
      kafka: { brokers: ['a:9092', 'b.example.com:1', '[::1]:9093'] },
      messaging: {},
      warnings: [],
    })
  })

  it('reads all of it', () => {
    const config = loadConfig({
      ...brokers,
      ...sasl,
      KAFKA_CLIENT_ID: 'detect',
      KAFKA_SSL_CA: pem,
      KAFKA_SSL_CERT: pem.replaceAll('\n', '\\n'),
      KAFKA_SSL_KEY: pem,
      KAFKA_SSL_KEY_PASSPHRASE: 'open',
      TIDEMARK_PROFILE: 'CP',
      TIDEMARK_DURABILITY: 'warn',
      TIDEMARK_GROUP_PROTOCOL: 'auto',
    })
    expect(config.messaging).toEqual({ clientId: 'detect', profile: 'cp', durability: 'warn', groupProtocol: 'auto' })
    expect(config.kafka.clientId).toBe('detect')
    expect({ ...(config.kafka.ssl as object) }).toEqual({ ca: [pem], cert: pem, key: pem, passphrase: 'open' })
    expect({ ...config.kafka.sasl }).toEqual({ mechanism: 'scram-sha-512', username: 'user', password: ' hunter2 ' })
    expect(config.warnings).toEqual([])
  })

  it('reads certificates from files', () => {
    const file = join(temporaryFolder('tls'), 'ca.pem')
    writeFileSync(file, pem)
    const config = loadConfig({ ...brokers, KAFKA_SSL_CA: file })
    expect({ ...(config.kafka.ssl as object) }).toEqual({ ca: [pem] })
  })

  it.each([
    ['yes', true],
    ['1', true],
    ['TRUE', true],
    ['off', false],
    ['0', false],
  ])('reads KAFKA_SSL=%s', (text, expected) => {
    expect(loadConfig({ ...brokers, KAFKA_SSL: text }).kafka.ssl).toBe(expected)
  })

  it('takes an empty variable for none', () => {
    const empty = {
      KAFKA_SSL: '',
      KAFKA_SSL_CA: '',
      KAFKA_SASL_PASSWORD: '',
      TIDEMARK_PROFILE: '',
      KAFKA_CLIENT_ID: ' ',
    }
    expect(loadConfig({ ...brokers, ...empty })).toEqual(loadConfig(brokers))
  })

  it('reports all problems at once', () => {
    const issues = issuesOf({
      KAFKA_BROKERS: 'a, b:0',
      KAFKA_SSL: 'maybe',
      KAFKA_SSL_CERT: pem,
      KAFKA_SASL_USERNAME: 'user',
      TIDEMARK_PROFILE: 'pc',
      TIDEMARK_PROFIL: 'cp',
    })
    expect(issues.map((issue) => issue.path)).toEqual([
      'KAFKA_BROKERS',
      'KAFKA_BROKERS',
      'KAFKA_SSL',
      'KAFKA_SSL_KEY',
      'KAFKA_SASL_MECHANISM',
      'KAFKA_SASL_PASSWORD',
      'TIDEMARK_PROFILE',
      'TIDEMARK_PROFIL',
    ])
    expect(issues.at(-1)?.fix).toBe('did you mean TIDEMARK_PROFILE?')
  })

  it.each<[string, Record<string, string>, string]>([
    ['no brokers', { KAFKA_BROKERS: ' , ' }, 'KAFKA_BROKERS'],
    ['a port that is none', { KAFKA_BROKERS: 'a:70000' }, 'KAFKA_BROKERS'],
    ['a URL', { KAFKA_BROKERS: 'kafka://user:hunter2@a:9092' }, 'KAFKA_BROKERS'],
    ['an address that is none', { KAFKA_BROKERS: 'admin:hunter2' }, 'KAFKA_BROKERS'],
    ['certificates with TLS off', { KAFKA_SSL: 'no', KAFKA_SSL_CA: pem }, 'KAFKA_SSL'],
    ['a key without a certificate', { KAFKA_SSL_KEY: pem }, 'KAFKA_SSL_CERT'],
    ['a passphrase without a key', { KAFKA_SSL_KEY_PASSPHRASE: 'hunter2' }, 'KAFKA_SSL_KEY_PASSPHRASE'],
    ['a file that is not there', { KAFKA_SSL_CA: '/nowhere/hunter2' }, 'KAFKA_SSL_CA'],
    ['an unknown mechanism', { ...sasl, KAFKA_SASL_MECHANISM: 'hunter2' }, 'KAFKA_SASL_MECHANISM'],
  ])('refuses %s without showing content', (_, change, path) => {
    const issues = issuesOf({ ...brokers, ...change })
    expect(issues.map((issue) => issue.path)).toEqual([path])
    expect(JSON.stringify(issues)).not.toContain('hunter2')
  })

  it('refuses a file that is no PEM', () => {
    expect(() => loadConfig({ ...brokers, KAFKA_SSL_CA: 'ca.der' }, { readFile: () => 'binary' })).toThrow(/not PEM/)
  })

  it('hides secrets when the result is printed or turned into JSON', () => {
    const tls = { KAFKA_SSL_CERT: pem, KAFKA_SSL_KEY: `${pem}hunter2`, KAFKA_SSL_KEY_PASSPHRASE: 'hunter2' }
    const config = loadConfig({ ...brokers, ...sasl, ...tls })
    expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toContain('hunter2')
    expect(inspect(config, { depth: 9 })).toContain('***')
    expect(config.kafka.sasl?.password).toBe(' hunter2 ')
  })

  it('warns of a password in clear text and of names that nothing reads', () => {
    const config = loadConfig({
      ...brokers,
      ...sasl,
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_BROKER: 'b:1',
      KAFKA_HEAP_OPTS: '',
    })
    expect(config.warnings).toEqual([
      expect.stringMatching(/readable over the network/),
      'KAFKA_BROKER is not read; did you mean KAFKA_BROKERS?',
    ])
  })
})
