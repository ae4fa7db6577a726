import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ConfigError } from 'tidemark'
import { oauth, type OauthOptions } from 'tidemark/auth'
import { TokenSource, type Token } from '../../../src/auth/token-source.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

const closes: (() => void)[] = []
afterEach(() => {
  for (const close of closes.splice(0)) close()
})

type Reply = { readonly status: number; readonly body: unknown } | 'silence'

async function tokenServer(reply: (times: number) => Reply) {
  const asked: { readonly authorization: string | undefined; readonly body: string }[] = []
  const bodyOf = async (request: IncomingMessage) => Buffer.concat(await request.toArray()).toString()
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      asked.push({ authorization: request.headers.authorization, body })
      const told = reply(asked.length)
      if (told === 'silence') return
      response.writeHead(told.status, { 'content-type': 'application/json' }).end(JSON.stringify(told.body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closes.push(() => void (server.closeAllConnections(), server.close()))
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  const options: OauthOptions = { tokenUrl, clientId: 'me:1', clientSecret: 's3cret' }
  return { asked, options }
}

describe('oauth', () => {
  it('asks once for all connections, with the credentials as the standard wants them', async () => {
    const { asked, options } = await tokenServer(() => ({ status: 200, body: { access_token: 't', expires_in: 60 } }))
    const { mechanism, oauthBearerProvider } = oauth({ ...options, scope: 'a b', extensions: { logicalCluster: 'l' } })
    expect(mechanism).toBe('oauthbearer')
    const tokens = await Promise.all([oauthBearerProvider(), oauthBearerProvider()])
    tokens.push(await oauthBearerProvider())
    for (const token of tokens) expect(token).toEqual({ value: 't', extensions: { logicalCluster: 'l' } })
    const authorization = `Basic ${Buffer.from('me%3A1:s3cret').toString('base64')}`
    expect(asked).toEqual([{ authorization, body: 'grant_type=client_credentials&scope=a+b' }])
  })

  it('leaves credentials as they are for servers that do not decode them', async () => {
    const { asked, options } = await tokenServer(() => ({ status: 200, body: { access_token: 't', expires_in: 60 } }))
    const exotic = { ...options, clientId: 'me+1', clientSecret: 'a:b/c%2' }
    await oauth({ ...exotic, headerUrlencode: false }).oauthBearerProvider()
    await oauth({ ...exotic, headerUrlencode: undefined }).oauthBearerProvider()
    const sent = asked.map(({ authorization = '' }) => Buffer.from(authorization.slice(6), 'base64').toString())
    expect(sent).toEqual(['me+1:a:b/c%2', 'me%2B1:a%3Ab%2Fc%252'])
    expect(() => oauth({ ...options, headerUrlencode: false })).toThrow(/headerUrlencode: clientId has a colon/)
    expect(() => oauth({ ...options, headerUrlencode: 'no' as never })).toThrow(
      /headerUrlencode: is a string; write false/,
    )
  })

  it('says why there is no token, and never the secret, the token or what else the server wrote', async () => {
    const replies: readonly [Reply, RegExp][] = [
      [
        { status: 401, body: { error: 'invalid_client', error_description: 's3cret is wrong' } },
        /status 401: invalid_client/,
      ],
      [{ status: 200, body: { token: 's3cret' } }, /gave no token \(status 200\); check tokenUrl$/],
      [{ status: 404, body: 's3cret' }, /status 404\); check tokenUrl$/],
      [{ status: 500, body: 's3cret' }, /status 500\); check clientId, /],
      ['silence', /did not answer within 200 ms/],
    ]
    for (const [reply, expected] of replies) {
      const { options } = await tokenServer(() => reply)
      const failure = await oauth(reply === 'silence' ? { ...options, timeoutMs: 200 } : options)
        .oauthBearerProvider()
        .catch((error: unknown) => error as Error)
      expect(failure).toMatchObject({ code: 'no-token', retriable: true })
      expect(String((failure as Error).message)).toMatch(expected)
      expect(JSON.stringify(failure) + String(failure)).not.toContain('s3cret')
    }
  })

  it('says what was in the way when nobody listens there', async () => {
    const { options } = await tokenServer(() => 'silence')
    for (const close of closes.splice(0)) close()
    const failure = oauth(options).oauthBearerProvider()
    await expect(failure).rejects.toThrow(/could not be asked \(ECONNREFUSED\); check tokenUrl/)
  })

  it('asks for the secret each time when it is a function', async () => {
    const { asked, options } = await tokenServer(() => ({ status: 200, body: { access_token: 't' } }))
    let secret = 0
    const { oauthBearerProvider } = oauth({ ...options, clientId: 'me', clientSecret: () => `s${(secret += 1)}` })
    await oauthBearerProvider()
    await oauthBearerProvider()
    const told = asked.map(({ authorization = '' }) => Buffer.from(authorization.slice(6), 'base64').toString())
    expect(told).toEqual(['me:s1', 'me:s2'])
  })

  it('refuses what cannot be, at once and together', () => {
    const refused = () => oauth({ tokenUrl: 'ftp://x', clientId: '', clientSecret: 7 as never, timeoutMs: 0 })
    expect(refused).toThrow(ConfigError)
    expect(refused).toThrow(/tokenUrl.*clientId.*clientSecret.*timeoutMs/s)
  })
})

describe('a token', () => {
  const lifetimeMs = 100_000
  /** `null`: never answers. */
  type Reply = Token | Error | null

  function source(reply: () => Reply) {
    const clock = virtualClock()
    let asked = 0
    const ask = async () => {
      asked += 1
      const told = reply()
      if (told === null) return new Promise<never>(() => undefined)
      if (told instanceof Error) throw told
      return { ...told, value: `t${asked}` }
    }
    const tokens = new TokenSource({ ask, timeoutMs: 1_000, whom: 'nobody' }, clock)
    return { clock, tokens, asked: () => asked }
  }

  it('is given until 80 % of its life, then another is asked for; while that fails, as long as it lives', async () => {
    let reply: Reply = { value: '', lifetimeMs }
    const { clock, tokens, asked } = source(() => reply)
    expect(await tokens.get()).toBe('t1')
    await clock.advance(79_999)
    expect(await tokens.get()).toBe('t1')
    expect(asked()).toBe(1)
    reply = new Error('down')
    await clock.advance(1)
    expect(await tokens.get()).toBe('t1')
    expect(asked()).toBe(2)
    await clock.advance(9_999)
    expect(await tokens.get()).toBe('t1')
    expect(asked(), 'nobody waits each time for a server that fails').toBe(2)
    await clock.advance(10_000)
    expect(await tokens.get()).toBe('t1')
    expect(asked()).toBe(3)
    await clock.advance(1)
    await expect(tokens.get()).rejects.toThrow('down')
    reply = { value: '', lifetimeMs }
    expect(await tokens.get()).toBe('t5')
    await clock.advance(80_000)
    expect(await Promise.all([tokens.get(), tokens.get()])).toEqual(['t6', 't6'])
  })

  it('that is never answered ends the question in time, and the next one is asked', async () => {
    let reply: Reply = null
    const { clock, tokens } = source(() => reply)
    const failed = expect(Promise.all([tokens.get(), tokens.get()])).rejects.toMatchObject({
      code: 'no-token',
      message: 'nobody did not answer within 1000 ms',
    })
    await clock.advance(1_000)
    await failed
    reply = { value: '', lifetimeMs }
    expect(await tokens.get()).toBe('t2')
  })

  it('has lived while the machine slept', async () => {
    const { clock, tokens } = source(() => ({ value: '', lifetimeMs }))
    expect(await tokens.get()).toBe('t1')
    clock.shiftWallTime(80_000)
    expect(await tokens.get()).toBe('t2')
    clock.shiftWallTime(-80_000)
    await clock.advance(80_000)
    expect(await tokens.get(), 'whose clock was set back').toBe('t3')
  })
})
