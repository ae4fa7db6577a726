import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { inspect } from 'node:util'
import { logLevel, type KafkaConfig } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { oauth, tlsFiles } from '../../src/auth.js'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { noMetrics } from '../../src/telemetry/metrics.js'
import { expectNoSecret, failuresOf, openSockets, probedDriver, type ProbedDriver } from '../support/client-probe.js'
import {
  password,
  reauthenticationMs,
  startSecuredCluster,
  unsignedToken,
  user,
  type SecuredCluster,
} from '../support/secured-cluster.js'
import { tidemarkMember } from '../support/tidemark-member.js'
import { connectedProducer, store } from '../support/test-records.js'
import { certificateAuthority, type CertificateAuthority, type IssuedCertificate } from '../support/tls.js'
import { delay, until } from '../support/waiting.js'
import { systemClock } from '../../src/runtime/clock.js'

const passphrase = 'the-passphrase-of-the-client-key'
const wrongPassword = 'a-password-that-is-wrong'

let secured: SecuredCluster
let stranger: CertificateAuthority
let client: IssuedCertificate
let encrypted: IssuedCertificate
let strangersClient: IssuedCertificate
let topics = 0

beforeAll(async () => {
  stranger = await certificateAuthority('another-authority')
  secured = await startSecuredCluster()
  client = await secured.authority.issue('client')
  encrypted = await secured.authority.issue('encrypted', { passphrase })
  strangersClient = await stranger.issue('client')
})
afterAll(async () => {
  await secured?.stop()
  await stranger?.remove()
})

type Listener = 'CLIENT' | 'TLS' | 'OTHERNAME' | 'MTLS' | 'SASL' | 'SASLTLS' | 'OAUTH'
type Mechanism = 'plain' | 'scram-sha-512'

const brokersOf = (listener: Listener): string[] => [
  ...(listener === 'CLIENT' ? secured.cluster.brokers : secured.cluster.brokersOf(listener)),
]
const trusting = () => ({ ca: [secured.authority.certificate] })
const sasl = (mechanism: Mechanism, { username = user, secret = password } = {}) =>
  ({ mechanism, username, password: secret }) as NonNullable<KafkaConfig['sasl']>
/** @param livesForMs of each token that is given */
const tokens = (livesForMs: () => number) =>
  ({
    mechanism: 'oauthbearer',
    oauthBearerProvider: () => Promise.resolve({ value: unsignedToken(livesForMs()) }),
  }) as const
const secrets = () => [password, wrongPassword, passphrase, ...[client, encrypted, strangersClient].map(bodyOf)]
/** One line of a key is enough to find it. */
const bodyOf = ({ key }: IssuedCertificate) => key.split('\n')[1]!

/** Creates a topic, stores records, reads them as a group, describes them; then looks for alarms, secrets and sockets. */
async function expectAllWorks(config: KafkaConfig): Promise<void> {
  const socketsBefore = openSockets()
  const probe = await probedDriver(config)
  const topic = `secured-${(topics += 1)}`
  const settings = { clientId: 'tidemark', logger: probe.logger, metrics: noMetrics }
  const admin = probe.driver.createAdmin(settings)
  const spec = { name: topic, partitions: 2, replicationFactor: 1, configs: {} } as const
  expect(await admin.createTopics([spec], systemClock.now() + 10_000)).toEqual([topic])

  const producer = await connectedProducer(probe.driver, [topic], settings)
  const values = Array.from({ length: 50 }, (_, at) => `value ${at}`)
  await store(producer, { topic, partition: 1 }, values)

  const member = tidemarkMember(probe.driver, { ...settings, groupId: topic, topics: [topic] })
  await member.start()
  await until('every record is read', () => member.records.length >= values.length)
  expect(member.records.map(({ value }) => value)).toEqual(values)
  await member.stop()
  expect(await admin.committedOffsets(topic, [{ topic, partition: 1 }], systemClock.now() + 10_000)).toMatchObject([
    { topic, partition: 1, offset: values.length },
  ])

  await producer.close()
  await admin.close()
  expect([...member.problems, ...member.commitFailures, ...probe.alarms()]).toEqual([])
  expectNoSecret([probe.lines], secrets())
  await expectNoSocketLeft(probe, socketsBefore)
}

async function expectNoSocketLeft({ sockets }: ProbedDriver, before: number): Promise<void> {
  expect(sockets.filter(({ destroyed }) => !destroyed)).toHaveLength(0)
  await until('every socket is closed', () => openSockets() <= before, { everyMs: 10 })
}

describe('a listener lets in', () => {
  it('a client that trusts its authority', () => expectAllWorks({ brokers: brokersOf('TLS'), ssl: trusting() }))

  it('a client with a certificate it trusts', async () => {
    const ssl = { ...trusting(), key: client.key, cert: client.certificate }
    await expectAllWorks({ brokers: brokersOf('MTLS'), ssl })
  })

  it('a client whose key has a passphrase', async () => {
    const ssl = { ...trusting(), key: encrypted.key, cert: encrypted.certificate, passphrase }
    await expectAllWorks({ brokers: brokersOf('MTLS'), ssl })
  })

  it.each(['plain', 'scram-sha-512'] as const)('a user by %s, in plain text', (mechanism) =>
    expectAllWorks({ brokers: brokersOf('SASL'), sasl: sasl(mechanism) }),
  )

  it.each(['plain', 'scram-sha-512'] as const)('a user by %s, over TLS', (mechanism) =>
    expectAllWorks({ brokers: brokersOf('SASLTLS'), ssl: trusting(), sasl: sasl(mechanism) }),
  )

  it('a token', () => expectAllWorks({ brokers: brokersOf('OAUTH'), sasl: tokens(() => 60_000) }))

  it('a token of a token server, which is asked once for all connections', async () => {
    let asked = 0
    const server = createServer((_request, response) => {
      asked += 1
      const body = { access_token: unsignedToken(60_000), token_type: 'Bearer', expires_in: 60 }
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
    const { mechanism, oauthBearerProvider } = oauth({ tokenUrl, clientId: 'me', clientSecret: password })
    await oauthBearerProvider()
    await expectAllWorks({ brokers: brokersOf('OAUTH'), sasl: { mechanism, oauthBearerProvider } })
    expect(asked).toBe(1)
    await new Promise((resolve) => server.close(resolve))
  })
})

/** What no second attempt could better: told at once, by every kind of client. */
async function expectRefused(listener: Listener, config: Partial<KafkaConfig>, ...said: readonly (string | RegExp)[]) {
  const brokers = brokersOf(listener)
  // A second attempt would be one of many, until the time is up.
  const failures = await failuresOf({ ...config, brokers }, { withinMs: 60_000, secrets: secrets() })
  for (const { role, error, elapsedMs } of failures) {
    expect(error, role).toMatchObject({ name: 'RequestError', code: 'refused', retriable: false })
    for (const text of [brokers[0]!, ...said]) expect(error.message, role).toMatch(text)
    expect(elapsedMs, role).toBeLessThan(30_000)
  }
}

/** What may be the network or a broker that starts: tried until the caller's time is up. */
async function expectUnreachable(listener: Listener, config: Partial<KafkaConfig>, said: RegExp): Promise<void> {
  const brokers = brokersOf(listener)
  const failures = await failuresOf({ ...config, brokers }, { withinMs: 4_000, secrets: secrets() })
  for (const { role, error } of failures) {
    expect(error, role).toMatchObject({ name: 'DriverError', code: 'cluster-unreachable', retriable: true })
    expect(error.message, role).toContain(brokers[0]!)
    expect(error.message, role).toMatch(said)
  }
}

const notAccepted =
  /did not accept the certificate of this client \(ERR_SSL_.+\); set config\.ssl\.cert and config\.ssl\.key/

describe('a client is told what to change when a listener refuses', () => {
  it.each(['plain', 'scram-sha-512'] as const)('a wrong password by %s', (mechanism) =>
    expectRefused(
      'SASLTLS',
      { ssl: trusting(), sasl: sasl(mechanism, { secret: wrongPassword }) },
      /refused the authentication: .*; check config\.sasl \(mechanism, user name, password\)/,
      `has this user for ${mechanism.toUpperCase()}`,
    ),
  )

  it.each(['plain', 'scram-sha-512'] as const)('a wrong password by %s in plain text', (mechanism) =>
    expectRefused('SASL', { sasl: sasl(mechanism, { secret: wrongPassword }) }, /refused the authentication: /),
  )

  it.each(['plain', 'scram-sha-512'] as const)('a user by %s that it does not know', (mechanism) =>
    expectRefused('SASL', { sasl: sasl(mechanism, { username: 'mallory' }) }, /check config\.sasl/),
  )

  it('a mechanism that it does not offer', () =>
    expectRefused(
      'SASL',
      { sasl: { mechanism: 'scram-sha-256', username: user, password } },
      /refused the authentication: .*SCRAM-SHA-256/,
    ))

  it('an authority that did not sign its certificate', () =>
    expectRefused(
      'TLS',
      { ssl: { ca: [stranger.certificate] } },
      /certificate is not trusted \(.+\); set config\.ssl\.ca/,
    ))

  it('an authority that nobody named', () =>
    expectRefused('TLS', { ssl: true }, /certificate is not trusted \(.+\); set config\.ssl\.ca/))

  it('an address that its certificate is not made out to', () =>
    expectRefused('OTHERNAME', { ssl: trusting() }, /ERR_TLS_CERT_ALTNAME_INVALID/))

  it('a password over TLS whose authority is wrong, before the password is sent', () =>
    expectRefused(
      'SASLTLS',
      { ssl: { ca: [stranger.certificate] }, sasl: sasl('plain') },
      /certificate is not trusted/,
    ))

  it('a client without the certificate it wants', () => expectRefused('MTLS', { ssl: trusting() }, notAccepted))

  it('a client with a certificate of an authority it does not trust', () =>
    expectRefused(
      'MTLS',
      { ssl: { ...trusting(), key: strangersClient.key, cert: strangersClient.certificate } },
      notAccepted,
    ))

  it('a key whose passphrase is wrong', () =>
    expectRefused(
      'MTLS',
      { ssl: { ...trusting(), key: encrypted.key, cert: encrypted.certificate, passphrase: wrongPassword } },
      /config\.ssl cannot be used \(ERR_OSSL_BAD_DECRYPT\); .*passphrase/,
    ))

  it('plain text where it speaks TLS', () => expectUnreachable('TLS', {}, /config\.ssl/))
  it('TLS where it speaks plain text', () =>
    expectUnreachable('CLIENT', { ssl: trusting() }, /does this listener speak TLS\?/))
  it('no user where it wants one', () => expectUnreachable('SASL', {}, /does this listener need config\.sasl\?/))
  it('a user where it wants none', () => expectRefused('CLIENT', { sasl: sasl('plain') }, /config\.sasl/))
})

describe('a session that ends every five seconds', () => {
  it('is renewed under producers and consumers: nothing fails or is doubled, or connects again but for tokens that are of somebody else each time', async () => {
    const socketsBefore = openSockets()
    const passwords = (['plain', 'scram-sha-512'] as const).map((mechanism) =>
      streamForAWhile(mechanism, { brokers: brokersOf('SASLTLS'), ssl: trusting(), sasl: sasl(mechanism) }),
    )
    // Each token ends sooner than its session may last.
    const ofTokens = streamForAWhile('oauthbearer', { brokers: brokersOf('OAUTH'), sasl: tokens(() => 4_000) })
    // A broker takes nobody else on a connection than who opened it.
    let given = 0
    const oauthBearerProvider = () => Promise.resolve({ value: unsignedToken(4_000, `session-${(given += 1)}`) })
    const exchanged = { mechanism: 'oauthbearer', oauthBearerProvider } as const
    const ofMany = streamForAWhile(
      'oauthbearer-of-many',
      { brokers: brokersOf('OAUTH'), sasl: exchanged },
      'over another socket',
    )
    await Promise.all([...passwords, ofTokens, ofMany])
    await until('every socket is closed', () => openSockets() <= socketsBefore, { everyMs: 10 })
  })
})

describe('a password that is changed at the broker while its user is connected', () => {
  it('ends producer and consumer with the reason when their session is renewed', async () => {
    const socketsBefore = openSockets()
    const topic = 'password-changed'
    await secured.setPassword('bob', password)
    await secured.cluster.createTopic(topic)
    const bob = sasl('scram-sha-512', { username: 'bob' })
    const probe = await probedDriver({ brokers: brokersOf('SASLTLS'), ssl: trusting(), sasl: bob })
    const producer = await connectedProducer(probe.driver, [topic], { logger: probe.logger })
    const member = tidemarkMember(probe.driver, { logger: probe.logger, groupId: topic, topics: [topic] })
    await member.start()
    await store(producer, { topic, partition: 0 }, ['before'])
    await until('it is read', () => member.records.length === 1)

    await secured.setPassword('bob', wrongPassword)
    const failing = async () => {
      for (;;) {
        await store(producer, { topic, partition: 0 }, ['after'])
        await delay(50)
      }
    }
    // By itself nothing else would end the session.
    const bound = { timeoutMs: reauthenticationMs + 30_000 }
    const errors: unknown[] = []
    failing().catch((error: unknown) => errors.push(error))
    await until('the producer is refused', () => errors.length > 0, bound)
    await until('the consumer is refused', () => member.problems.length > 0, bound)
    for (const error of [...errors, ...member.problems]) {
      expect(error).toMatchObject({ name: 'RequestError', code: 'refused', retriable: false })
      expect((error as Error).message).toMatch(/127\.0\.0\.1:\d+ refused the authentication: .*; check config\.sasl/)
    }
    expect(member.assigned, 'what others may own by now').toEqual([])
    await member.stop()
    await producer.close()
    expectNoSecret([errors, member.problems, probe.lines], secrets())
    await expectNoSocketLeft(probe, socketsBefore)
  })
})

describe('certificates in files', () => {
  it('are exchanged while producer and consumer run; one that is refused is tried again with the next', async () => {
    const socketsBefore = openSockets()
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-files-'))
    const path = (name: string) => join(folder, name)
    const put = async ({ key, certificate }: IssuedCertificate) => {
      await writeFile(path('key.pem'), key)
      await writeFile(path('cert.pem'), certificate)
    }
    await writeFile(path('ca.pem'), secured.authority.certificate)
    await put(client)
    const warnings: object[] = []
    const logger = { debug() {}, info() {}, warn: (fields: object) => void warnings.push(fields), error() {} }
    const ssl = tlsFiles({ ca: path('ca.pem'), cert: path('cert.pem'), key: path('key.pem'), logger })
    const probe = await probedDriver({ brokers: brokersOf('MTLS'), ssl })
    /** Names of the certificates that were shown on sockets that stand. */
    const shown = () => {
      const standing = (probe.sockets as readonly TLSSocket[]).filter((each) => !each.destroyed && !each.connecting)
      return new Set(standing.map((each) => (each.getCertificate() as PeerCertificate | null)?.subject.CN))
    }
    const cut = () => {
      for (const socket of probe.sockets) socket.destroy()
    }

    const topic = 'certificates-in-files'
    await secured.cluster.createTopic(topic)
    const producer = await connectedProducer(probe.driver, [topic], { logger: probe.logger })
    const member = tidemarkMember(probe.driver, { logger: probe.logger, groupId: topic, topics: [topic] })
    await member.start()
    await store(producer, { topic, partition: 0 }, ['by the first'])
    await until('it is read', () => member.records.length === 1)
    expect(shown()).toEqual(new Set(['client']))

    await put(strangersClient)
    cut()
    const refused = store(producer, { topic, partition: 0 }, ['by the next'])
    const isRefused = () => /did not accept the certificate/.test(inspect(probe.lines.slice(-50), { depth: 6 }))
    await until('the certificate of a stranger is refused', isRefused, { seen: () => Promise.resolve(messages(probe)) })
    const next = await secured.authority.issue('next-client')
    await put(next)
    await refused
    await until('it is read', () => member.records.length === 2, { seen: () => Promise.resolve(messages(probe)) })
    expect(member.records.map(({ value }) => value)).toEqual(['by the first', 'by the next'])
    expect(shown()).toEqual(new Set(['next-client']))

    // The key alone is exchanged: what was good is shown on.
    warnings.length = 0
    await writeFile(path('key.pem'), client.key)
    cut()
    await store(producer, { topic, partition: 0 }, ['with torn files'])
    expect(shown()).toEqual(new Set(['next-client']))
    expect(warnings).not.toEqual([])
    expect([...member.problems, ...member.commitFailures]).toEqual([])
    await member.stop()
    await producer.close()
    await rm(folder, { recursive: true })
    expectNoSecret([probe.lines, warnings], [...secrets(), bodyOf(next)])
    await expectNoSocketLeft(probe, socketsBefore)
  })
})

const messages = ({ lines }: ProbedDriver) =>
  lines
    .map(({ message }) => message)
    .slice(-20)
    .join('\n')

describe('a token that has expired', () => {
  it('is named, what was sent with it is not stored, and the next one that is valid lets the same producer go on', async () => {
    const socketsBefore = openSockets()
    const topic = defineTopic({ name: 'expired-token', value: string() })
    await secured.cluster.createTopic(topic.name)
    let livesForMs = -1_000
    const given: string[] = []
    const oauthBearerProvider = () => {
      given.push(unsignedToken(livesForMs))
      return Promise.resolve({ value: given.at(-1)! })
    }
    const config = { brokers: brokersOf('OAUTH'), sasl: { mechanism: 'oauthbearer', oauthBearerProvider } as const }
    const messaging = createMessaging({
      driver: kafkajs({ ...config, logLevel: logLevel.NOTHING }),
      durability: 'off',
      logger: 'silent',
    })
    const producer = messaging.producer({ maxBlockMs: 4_000 })
    const errors = await Promise.all(
      ['one', 'two'].map((value) => producer.send(topic, value).catch((error: unknown) => error as Error)),
    )
    for (const error of errors) {
      expect(error).toMatchObject({ outcome: 'not-stored' })
      expect((error as Error).message).toMatch(/refused the token of config\.sasl \(invalid_token\)/)
    }
    expect(given.length, 'a fresh one is asked for').toBeGreaterThan(1)
    livesForMs = 60_000
    expect(await producer.send(topic, 'three')).toMatchObject({ offset: 0 })
    await messaging.close()
    expectNoSecret(errors, given)
    await until('every socket is closed', () => openSockets() <= socketsBefore, { everyMs: 10 })
  })
})

/** Longer than three sessions. */
const STREAM_MS = 3 * reauthenticationMs + 2_000

async function streamForAWhile(
  mechanism: string,
  config: KafkaConfig,
  renewed: 'in place' | 'over another socket' = 'in place',
): Promise<void> {
  const probe = await probedDriver(config)
  const topic = `renewed-${mechanism}`
  await secured.cluster.createTopic(topic, { partitions: 2 })
  const producer = await connectedProducer(probe.driver, [topic], { logger: probe.logger })
  const member = tidemarkMember(probe.driver, { logger: probe.logger, groupId: topic, topics: [topic] })
  await member.start()

  const stored: string[] = []
  const endAt = Date.now() + STREAM_MS
  const stream = async (partition: number) => {
    for (let at = 0; Date.now() < endAt; at++) {
      const value = `${partition}/${at}`
      await store(producer, { topic, partition }, [value])
      stored.push(value)
      await delay(5)
    }
  }
  const hasBegun = () => ['0/5', '1/5'].every((value) => member.records.some((record) => record.value === value))
  const settled = until('records of both partitions are read', hasBegun).then(() => probe.sockets.length)
  await Promise.all([stream(0), stream(1)])
  await until('every record is read', () => member.records.length >= stored.length)
  // What comes twice comes at once.
  await delay(500)

  expect(stored.length).toBeGreaterThan(100)
  const read = member.records.map(({ value }) => value)
  for (const partition of ['0/', '1/']) {
    const own = (values: readonly string[]) => values.filter((value) => value.startsWith(partition))
    expect(own(read), 'once, in order').toEqual(own(stored))
  }
  const opened = await settled
  if (renewed === 'over another socket') expect(probe.sockets.length).toBeGreaterThan(opened)
  else expect(probe.sockets.length, 'sockets opened, and all of them by the first records').toBe(opened)
  // kafkajs tells what the broker refuses; nothing comes of it.
  const isRefusal = ({ message }: { readonly message: string }) =>
    renewed === 'over another socket' && message.includes('Cannot change principals during re-authentication')
  const alarms = probe.alarms().filter((alarm) => !isRefusal(alarm))
  expect([...member.problems, ...member.commitFailures, ...alarms]).toEqual([])
  await member.stop()
  await producer.close()
  expect(probe.sockets.filter(({ destroyed }) => !destroyed)).toHaveLength(0)
  expectNoSecret([probe.lines], secrets())
}
