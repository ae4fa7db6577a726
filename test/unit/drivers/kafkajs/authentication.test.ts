import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { KafkaConfig } from 'kafkajs'
import { afterEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../../../src/connection/connection.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { Request } from '../../../../src/connection/requests/apis.js'
import { kafkajsConnections } from '../../../../src/drivers/kafkajs/connections.js'
import { checkInternals } from '../../../../src/drivers/kafkajs/internals.js'
import type { ConnectionConfig, TlsProvider } from '../../../../src/drivers/kafkajs/tls-options.js'
import { TidemarkError } from '../../../../src/errors.js'
import { systemClock } from '../../../../src/runtime/clock.js'
import { systemRandom } from '../../../../src/runtime/random.js'
import type { Logger } from '../../../../src/telemetry/logger.js'
import { Reader } from '../../../../src/wire/reader.js'
import { eventually, ScriptedBroker, type Seen } from './scripted-broker.js'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

type Script = (request: Seen, broker: ScriptedBroker) => void
const PASSWORD = 'correct horse battery'
const sasl = { mechanism: 'plain', username: 'alice', password: PASSWORD } as const
const heartbeat: Request = { api: 'heartbeat', groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }
const within = (ms: number) => systemClock.now() + ms

async function start(script: Script): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start((request, self) => {
    script(request, self)
    if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, { throttleTimeMs: 0, errorCode: 0 })
  })
  cleanups.push(() => broker.stop())
  return broker
}

/** Lines of every level, and a clock that can be put forward. */
function open(broker: ScriptedBroker, config: Partial<ConnectionConfig>) {
  const lines: string[] = []
  const write = (fields: object, message: string) => lines.push(`${message} ${JSON.stringify(fields)}`)
  const logger: Logger = { debug: write, info: write, warn: write, error: write }
  const skew = { ms: 0 }
  const runtime = { random: systemRandom, clock: { ...systemClock, now: () => systemClock.now() + skew.ms } }
  const factory = kafkajsConnections({ brokers: [broker.address], logLevel: 5, ...config }, { logger }, runtime)
  const connection = factory.open('test')
  cleanups.push(() => connection.close())
  return { connection, lines, skew }
}

const ask = (connection: Connection, deadline = within(3_000)) =>
  connection.request('bootstrap', 'main', heartbeat, deadline)
const failure = async (promise: Promise<unknown>): Promise<RequestError> => {
  const error: unknown = await promise.then(
    () => new Error('expected it to fail'),
    (caught: unknown) => caught,
  )
  expect(error).toBeInstanceOf(RequestError)
  return error as RequestError
}
const authBytes = ({ body }: Seen) => new Reader(body).nullableBytes()!

const plain =
  (lifetimeMs = 0): Script =>
  (request, broker) => {
    if (request.api === 'saslHandshake') broker.answerSaslHandshake(request, ['PLAIN'])
    if (request.api !== 'saslAuthenticate') return
    const right = authBytes(request).toString() === `\0alice\0${PASSWORD}`
    broker.answerSaslAuthenticate(request, right ? 0 : 58, Buffer.alloc(0), lifetimeMs)
  }

describe('SASL', () => {
  it('PLAIN lets requests through after it, once for each socket', async () => {
    const broker = await start(plain())
    const { connection } = open(broker, { sasl })
    await Promise.all([ask(connection), ask(connection)])
    expect(broker.seen.map(({ api }) => api)).toEqual([
      'apiVersions',
      'saslHandshake',
      'saslAuthenticate',
      'heartbeat',
      'heartbeat',
    ])
  })

  it('SCRAM-SHA-512 runs to its end, both sides proven', async () => {
    const salt = Buffer.from('salt')
    const salted = pbkdf2Sync(PASSWORD, salt, 4_096, 64, 'sha512')
    const hmac = (key: Buffer, text: string) => createHmac('sha512', key).update(text).digest()
    let first = ''
    let challenge = ''
    const broker = await start((request, self) => {
      if (request.api === 'saslHandshake') self.answerSaslHandshake(request, ['SCRAM-SHA-512'])
      if (request.api !== 'saslAuthenticate') return
      const text = authBytes(request).toString()
      if (text.startsWith('n,,')) {
        first = text.slice(3)
        challenge = `r=${/r=(.*)$/.exec(first)![1]}server,s=${salt.toString('base64')},i=4096`
        self.answerSaslAuthenticate(request, 0, Buffer.from(challenge))
        return
      }
      const withoutProof = text.slice(0, text.indexOf(',p='))
      const message = [first, challenge, withoutProof].join(',')
      const clientKey = hmac(salted, 'Client Key')
      const signature = hmac(createHash('sha512').update(clientKey).digest(), message)
      const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!)).toString('base64')
      const proven = text === `${withoutProof},p=${proof}`
      const server = `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`
      self.answerSaslAuthenticate(request, proven ? 0 : 58, Buffer.from(server))
    })
    const { connection } = open(broker, { sasl: { ...sasl, mechanism: 'scram-sha-512' } })
    await ask(connection)
    const wrong = open(broker, { sasl: { ...sasl, mechanism: 'scram-sha-512', password: 'another one' } })
    expect(await failure(ask(wrong.connection))).toMatchObject({ failure: 'turned-away', sent: 'never' })
  })

  it('with a wrong password is refused, names what to check, and tells the password nobody', async () => {
    const broker = await start(plain())
    const wrong = 'not the password'
    const { connection, lines } = open(broker, { sasl: { ...sasl, password: wrong } })
    const error = await failure(ask(connection))
    expect(error).toMatchObject({ failure: 'turned-away', sent: 'never', retriable: true })
    expect(error.message).toMatch(
      /refused the authentication: .*PLAIN.*Invalid username or password; check config.sasl/,
    )
    await eventually(() => broker.live === 0, 'the socket is gone')
    const said = JSON.stringify([error.message, error.stack, String(error.cause), lines])
    expect(said).not.toContain(wrong)
    expect(said).not.toContain(Buffer.from(wrong).toString('base64'))
    expect(lines.some((line) => line.includes('SASL PLAIN authentication failed'))).toBe(true)
  })

  it('hides the password even where a broker repeats it', async () => {
    const { connection, lines } = open(
      await start((request, broker) => {
        if (request.api === 'saslHandshake') broker.answerSaslHandshake(request, ['CUSTOM'])
      }),
      {
        sasl: {
          mechanism: 'custom',
          password: PASSWORD,
          authenticationProvider: ({ logger }: { logger: { error(message: string): void } }) => ({
            authenticate: async () => {
              logger.error(`no such password: ${PASSWORD}`)
              throw Object.assign(new Error(`wrong: ${PASSWORD}`), { name: 'KafkaJSSASLAuthenticationError' })
            },
          }),
        } as unknown as NonNullable<KafkaConfig['sasl']>,
      },
    )
    const error = await failure(ask(connection))
    expect(error.message).toMatch(/wrong: \*\*\*;/)
    expect(error.message).not.toContain(PASSWORD)
    expect(lines.join()).toMatch(/no such password: \*\*\*/)
    expect(lines.join()).not.toContain(PASSWORD)
  })

  it('with a mechanism the broker does not have is refused by name', async () => {
    const broker = await start((request, self) => {
      if (request.api === 'saslHandshake') self.answerSaslHandshake(request, ['GSSAPI'])
    })
    const { connection } = open(broker, { sasl })
    const error = await failure(ask(connection))
    expect(error.failure).toBe('turned-away')
    expect(error.message).toMatch(/PLAIN mechanism is not supported by the server/)
  })

  it('that a broker leaves unanswered ends after authenticationTimeout', async () => {
    const broker = await start(() => {})
    const { connection } = open(broker, { sasl, authenticationTimeout: 150 })
    const error = await failure(ask(connection))
    expect(error).toMatchObject({ failure: 'cannot-connect', sent: 'never' })
    expect(error.message).toMatch(/authentication by PLAIN did not end within 150 ms/)
    await eventually(() => broker.live === 0, 'the socket is gone')
  })

  it('during which the broker hangs up may be tried again', async () => {
    const broker = await start(({ api, socket }) => {
      if (api === 'saslHandshake') socket.destroy()
    })
    const error = await failure(ask(open(broker, { sasl }).connection))
    expect(error).toMatchObject({ failure: 'cannot-connect', sent: 'never', retriable: true })
  })

  it('whose token provider fails or hangs may be tried again, and the token is not told', async () => {
    const broker = await start((request, self) => {
      if (request.api === 'saslHandshake') self.answerSaslHandshake(request, ['OAUTHBEARER'])
    })
    const oauth = (oauthBearerProvider: () => Promise<{ value: string }>) =>
      open(broker, { sasl: { mechanism: 'oauthbearer', oauthBearerProvider }, authenticationTimeout: 150 })
    const failing = await failure(ask(oauth(() => Promise.reject(new TypeError('secret=xyz'))).connection))
    expect(failing).toMatchObject({ failure: 'cannot-connect', sent: 'never' })
    expect(failing.message).toMatch(/the provider of config.sasl for OAUTHBEARER failed \(TypeError\)/)
    expect(failing.message).not.toContain('xyz')
    const hanging = await failure(ask(oauth(() => new Promise(() => {})).connection))
    expect(hanging.message).toMatch(/did not end within 150 ms/)
  })

  it("leaves the user's configuration as it was", async () => {
    const broker = await start(plain())
    const own = { ...sasl }
    await ask(open(broker, { sasl: own }).connection)
    expect(own).toEqual(sasl)
  })

  it('is renewed on the same socket before the session ends, with nothing else on the wire', async () => {
    const broker = await start(plain(10_000))
    const { connection, skew } = open(broker, { sasl })
    await ask(connection)
    skew.ms = 5_000
    await ask(connection, within(9_000))
    expect(broker.seen.filter(({ api }) => api === 'saslHandshake')).toHaveLength(1)
    skew.ms = 6_100
    await Promise.all([1, 2, 3].map(() => ask(connection, within(9_000))))
    expect(broker.sockets).toHaveLength(1)
    expect(broker.seen.slice(5).map(({ api }) => api)).toEqual([
      'saslHandshake',
      'saslAuthenticate',
      'heartbeat',
      'heartbeat',
      'heartbeat',
    ])
  })

  it('is renewed only after the answers that are out', async () => {
    const held: Seen[] = []
    const broker = await ScriptedBroker.start((request, self) => {
      plain(10_000)(request, self)
      if (request.api === 'heartbeat') held.push(request)
    })
    cleanups.push(() => broker.stop())
    const { connection, skew } = open(broker, { sasl })
    const first = ask(connection, within(20_000))
    await eventually(() => held.length === 1, 'the first is out')
    skew.ms = 7_000
    const second = ask(connection, within(20_000))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(broker.seen).toHaveLength(4)
    expect(held).toHaveLength(1)
    broker.answer<'heartbeat'>(held[0]!, { throttleTimeMs: 0, errorCode: 0 })
    await first
    await eventually(() => held.length === 2, 'the second follows the renewal')
    broker.answer<'heartbeat'>(held[1]!, { throttleTimeMs: 0, errorCode: 1 })
    expect(await second).toMatchObject({ errorCode: 1 })
    expect(broker.seen.slice(4).map(({ api }) => api)).toEqual(['saslHandshake', 'saslAuthenticate', 'heartbeat'])
  })

  it('whose renewal is refused is done once more on a new socket, where it is somebody else; refused there, those who waited fail, unsent', async () => {
    const taken = new Map<Seen['socket'], number>()
    let allowed = 1
    const broker = await start((request, self) => {
      if (request.api === 'saslHandshake') self.answerSaslHandshake(request, ['PLAIN'])
      if (request.api !== 'saslAuthenticate') return
      const times = (taken.get(request.socket) ?? 0) + 1
      taken.set(request.socket, times)
      self.answerSaslAuthenticate(request, times <= allowed ? 0 : 58, Buffer.alloc(0), 10_000)
    })
    const { connection, skew } = open(broker, { sasl })
    await ask(connection)
    skew.ms = 7_000
    await Promise.all([1, 2, 3].map(() => ask(connection, within(20_000))))
    expect(broker.sockets).toHaveLength(2)
    await eventually(() => broker.live === 1, 'the old socket is gone')
    allowed = 0
    skew.ms = 14_000
    expect(await failure(ask(connection, within(30_000)))).toMatchObject({ failure: 'turned-away', sent: 'never' })
    expect(broker.sockets).toHaveLength(3)
    await eventually(() => broker.live === 0, 'the sockets are gone')
  })
})

describe('TLS', () => {
  const pem = (name: string) => readFileSync(new URL(`./tls/${name}`, import.meta.url), 'utf8')
  const tls = { key: pem('server.key'), cert: pem('server.pem') }
  const startTls = async () => {
    const broker = await ScriptedBroker.start((request, self) => {
      plain()(request, self)
      if (request.api === 'heartbeat') self.answer<'heartbeat'>(request, { throttleTimeMs: 0, errorCode: 0 })
    }, tls)
    cleanups.push(() => broker.stop())
    return broker
  }

  it('with the right authority carries requests, authentication included', async () => {
    const { connection } = open(await startTls(), { ssl: { ca: [pem('ca.pem')] }, sasl })
    await ask(connection)
  })

  it('with a wrong authority is refused, and config.ssl.ca is named', async () => {
    const broker = await startTls()
    for (const ssl of [true, { ca: [pem('other-ca.pem')] }]) {
      const error = await failure(ask(open(broker, { ssl }).connection))
      expect(error).toMatchObject({ failure: 'turned-away', sent: 'never' })
      expect(error.message).toMatch(/certificate is not trusted \(.*\); set config.ssl.ca/)
    }
    await eventually(() => broker.live === 0, 'no socket is left')
  })

  it('to a name the certificate is not made out to is refused', async () => {
    const broker = await startTls()
    const { connection } = open(broker, { ssl: { ca: [pem('ca.pem')], servername: 'elsewhere.test' } })
    expect((await failure(ask(connection))).message).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/)
  })

  it.each([
    ['that is no key', { key: 'rubbish', cert: pem('server.pem') }],
    ['that belongs to another certificate', { key: pem('server.key'), cert: pem('ca.pem') }],
    ['of a type that Node quotes', { key: pem('server.key'), cert: pem('server.pem'), passphrase: 271_828 as never }],
  ])('with a key %s is refused, and nothing of it is told', async (_what, ssl) => {
    const { connection } = open(await startTls(), { ssl })
    const error = await failure(ask(connection))
    expect(error).toMatchObject({ failure: 'turned-away', sent: 'never' })
    expect(error.cause).toBeUndefined()
    expect(error.message).toMatch(/config\.ssl cannot be used \(ERR_\w+\); check that ca, cert and key/)
    expect(error.message).not.toMatch(/rubbish|271828/)
  })

  it('asks a function for the certificates of each connection, and one that is refused is no end', async () => {
    const broker = await startTls()
    let ca = 'other-ca.pem'
    const { connection } = open(broker, { ssl: () => Promise.resolve({ ca: [pem(ca)] }), sasl })
    const error = await failure(ask(connection))
    expect(error).toMatchObject({ failure: 'cannot-connect', sent: 'never', retriable: true })
    expect(error.message).toMatch(/certificate is not trusted \(.*\); set config.ssl.ca/)
    ca = 'ca.pem'
    await ask(connection)
  })

  it('a function for certificates that throws, hangs or gives nonsense is a clear and bounded error', async () => {
    const broker = await startTls()
    const asked = async (ssl: TlsProvider) => failure(ask(open(broker, { ssl, connectionTimeout: 100 }).connection))
    const secret = new Error(PASSWORD)
    const threw = await asked(() => Promise.reject(secret))
    expect(threw).toMatchObject({ failure: 'cannot-connect', sent: 'never', cause: secret })
    expect(threw.message).toBe('the function of config.ssl threw Error; see its cause')
    const ours = await asked(() => Promise.reject(new TidemarkError('no-certificate', 'no file')))
    expect(ours.message).toBe('the function of config.ssl failed: no file')
    const hung = await asked(() => new Promise(() => {}))
    expect(hung).toMatchObject({
      failure: 'cannot-connect',
      message: expect.stringMatching(/no options within 100 ms/),
    })
    const nonsense = await asked(() => PASSWORD as never)
    expect(nonsense).toMatchObject({ failure: 'refused', message: expect.stringMatching(/what it gave is a string/) })
    expect(nonsense.message).not.toContain(PASSWORD)
    expect(broker.live).toBe(0)
  })

  it('without config.ssl against a TLS listener ends at once or at connectionTimeout, and config.ssl is named', async () => {
    const { connection } = open(await startTls(), { connectionTimeout: 300 })
    const error = await failure(ask(connection))
    expect(error).toMatchObject({ failure: 'cannot-connect', sent: 'never' })
    expect(error.message).toMatch(/config.ssl/)
  })
})

describe('the installed kafkajs', () => {
  it('of another layout is a clear error', () => {
    const factory = () => {}
    const authenticator = class {
      authenticate() {}
    }
    expect(() => checkInternals(undefined, authenticator, { createLogger: factory })).toThrow(/expected kafkajs ~2.2.4/)
    expect(() => checkInternals(factory, class {}, { createLogger: factory })).toThrow(/has no authenticate/)
    expect(() => checkInternals(factory, authenticator, {})).toThrow(/install kafkajs@2.2.4/)
  })
})
