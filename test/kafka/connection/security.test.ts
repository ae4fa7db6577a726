import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KafkaConfig } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RequestError } from '../../../src/connection/request-error.js'
import { kafkajsConnections } from '../../../src/drivers/kafkajs/connections.js'
import { startCluster, type KafkaCluster } from '../../support/kafka-cluster.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { configCommand, runJava } from '../wire/java-tools.js'
import { typedClient, type TypedClient } from './typed-client.js'
import { systemClock } from '../../../src/runtime/clock.js'

const pem = (name: string) => readFileSync(new URL(`../../unit/drivers/kafkajs/tls/${name}`, import.meta.url), 'utf8')
const PASSWORD = 'alice-secret-password'
const listener = 'listener.name.client'
const folder = temporaryFolder('tls')

let cluster: KafkaCluster
beforeAll(async () => {
  const keystore = join(folder, 'server.pem')
  writeFileSync(keystore, pem('server.key') + pem('server.pem'))
  cluster = await startCluster({
    listener: {
      protocol: 'SASL_SSL',
      properties: {
        [`${listener}.ssl.keystore.type`]: 'PEM',
        [`${listener}.ssl.keystore.location`]: keystore,
        [`${listener}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-512',
        [`${listener}.plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="${PASSWORD}";`,
        [`${listener}.scram-sha-512.sasl.jaas.config`]:
          'org.apache.kafka.common.security.scram.ScramLoginModule required;',
        'connections.max.reauth.ms': '5000',
      },
    },
  })
  const credentials = `SCRAM-SHA-512=[password=${PASSWORD}]`
  await runJava(cluster.installation, configCommand, [
    ...['--bootstrap-server', cluster.internalBrokers[0]!, '--alter', '--add-config', credentials],
    ...['--entity-type', 'users', '--entity-name', 'alice'],
  ])
})
afterAll(() => cluster?.stop())

const ssl = { ca: [pem('ca.pem')] }
type Sasl = NonNullable<KafkaConfig['sasl']>
const sasl = (mechanism: 'plain' | 'scram-sha-512', password = PASSWORD) =>
  ({ mechanism, username: 'alice', password }) as Sasl

async function refusal(config: Partial<KafkaConfig>): Promise<RequestError> {
  const startedAt = Date.now()
  const connection = kafkajsConnections({ brokers: [...cluster.brokers], ...config }).open('refused')
  const request = { api: 'metadata', topics: [] } as const
  const error = await connection.request('bootstrap', 'main', request, systemClock.now() + 60_000).then(
    () => new Error('expected it to be refused'),
    (caught: unknown) => caught,
  )
  await connection.close()
  // At once, and not when the time is up.
  expect(Date.now() - startedAt).toBeLessThan(30_000)
  expect(error).toBeInstanceOf(RequestError)
  const said = error as RequestError
  expect(`${said.message} ${said.stack} ${String(said.cause)}`).not.toContain(PASSWORD)
  return said
}

describe('a listener with TLS and SASL', () => {
  it.each(['plain', 'scram-sha-512'] as const)('lets %s in', async (mechanism) => {
    const client = await typedClient(cluster, { ssl, sasl: sasl(mechanism) })
    expect((await client.ask({ api: 'metadata', topics: [] })).brokers).toHaveLength(1)
    await client.connection.close()
  })

  it.each(['plain', 'scram-sha-512'] as const)('refuses %s with a wrong password, in words', async (mechanism) => {
    const wrong = 'a-wrong-password'
    const error = await refusal({ ssl, sasl: sasl(mechanism, wrong) })
    expect(error).toMatchObject({ failure: 'turned-away', sent: 'never', retriable: true })
    expect(error.message).toMatch(/refused the authentication: .*check config.sasl/)
    expect(error.message).not.toContain(wrong)
  })

  it('refuses a wrong authority, a missing config.ssl and a missing config.sasl, each in words', async () => {
    const authority = await refusal({ ssl: { ca: [pem('other-ca.pem')] }, sasl: sasl('plain') })
    expect(authority.message).toMatch(/certificate is not trusted \(.*\); set config.ssl.ca/)
    expect((await refusal({ sasl: sasl('plain') })).message).toMatch(/config.ssl/)
    expect((await refusal({ ssl })).message).toMatch(/does this listener need config.sasl/)
  })

  it('renews the authentication while requests flow, on the same sockets', async () => {
    let sockets = 0
    const { default: createSocketFactory } = (await import('kafkajs/src/network/socketFactory.js')) as {
      default: unknown
    }
    const factory = (createSocketFactory as () => NonNullable<KafkaConfig['socketFactory']>)()
    const client: TypedClient = await typedClient(cluster, {
      ssl,
      sasl: sasl('scram-sha-512'),
      socketFactory: (args) => (sockets++, factory(args)),
    })
    const opened = sockets
    let answered = 0
    const until = Date.now() + 12_000
    const flow = async () => {
      while (Date.now() < until || answered < 100) {
        await client.ask({ api: 'metadata', topics: [] })
        answered++
      }
    }
    await Promise.all([flow(), flow(), flow()])
    // One more than after the first request: node 1 by its own name.
    expect(sockets).toBe(opened + 1)
    await client.connection.close()
  })

  it('renews a session that was idle past its end', async () => {
    const client = await typedClient(cluster, { ssl, sasl: sasl('plain') })
    await client.ask({ api: 'metadata', topics: [] })
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    expect((await client.ask({ api: 'metadata', topics: [] })).brokers).toHaveLength(1)
    await client.connection.close()
  })
})
