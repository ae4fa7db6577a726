import type { KafkaConfig } from 'kafkajs'
import { ConfigError, type ConfigIssue } from '../../errors.js'
import { parseAddress } from './addresses.js'

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512', 'aws', 'oauthbearer']

/** @throws ConfigError with every problem that can be seen without a broker. */
export function checkConfig(config: KafkaConfig): void {
  const issues = [...brokerIssues(config.brokers), ...saslIssues(config.sasl), ...timeoutIssues(config)]
  if (issues.length > 0) throw new ConfigError('kafkajs(config)', issues)
}

function brokerIssues(brokers: KafkaConfig['brokers'] | undefined): ConfigIssue[] {
  if (typeof brokers === 'function') return []
  const fix = "give at least one 'host:port'"
  if (!Array.isArray(brokers) || brokers.length === 0) {
    return [{ path: 'brokers', message: 'expected a list of brokers or a function that gives one', fix }]
  }
  return brokers.flatMap((broker: unknown, index) =>
    parseAddress(broker) === undefined
      ? [{ path: `brokers.${index}`, message: `expected 'host:port', got ${JSON.stringify(broker)}`, fix }]
      : [],
  )
}

function saslIssues(sasl: KafkaConfig['sasl']): ConfigIssue[] {
  if (sasl === undefined || sasl === null) return []
  const mechanism: unknown = sasl.mechanism
  const known = typeof mechanism === 'string' && mechanisms.includes(mechanism.toLowerCase())
  if (known || ('authenticationProvider' in sasl && typeof mechanism === 'string')) return []
  const message = `expected a mechanism that kafkajs knows, got ${JSON.stringify(mechanism)}`
  return [
    { path: 'sasl.mechanism', message, fix: `take one of ${mechanisms.join(', ')}, or add an authenticationProvider` },
  ]
}

function timeoutIssues(config: KafkaConfig): ConfigIssue[] {
  const names = ['connectionTimeout', 'authenticationTimeout', 'reauthenticationThreshold'] as const
  return names.flatMap((name) => {
    const value: unknown = config[name]
    if (value === undefined || (typeof value === 'number' && value > 0 && Number.isFinite(value))) return []
    return [
      {
        path: name,
        message: `expected milliseconds above 0, got ${String(value)}`,
        fix: 'leave it out for the default',
      },
    ]
  })
}
