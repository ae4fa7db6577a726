import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { request, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { createMessaging, defineTopic, string, ConfigError, type Messaging } from 'tidemark'
import { healthServer, type HealthServerOptions } from 'tidemark/health'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { afterEach, expect, it } from 'vitest'

const t = defineTopic({ name: 't', value: string() })
const token = 'a-token-of-some-length'
const ends: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function served(options: Partial<HealthServerOptions> = {}) {
  const cluster = createMemoryCluster({ brokers: 1 })
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  ends.push(() => cluster.close())
  ends.push(() => messaging.close())
  const server = await healthServer({ messaging, port: 0, token, ...options })
  ends.push(() => server.close())
  return { cluster, messaging, server, ask: (path: string, more?: Asking) => ask(server.port, path, more) }
}

interface Asking {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

function ask(port: number, path: string, { method = 'GET', headers = {}, body }: Asking = {}) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

/** That the machine does much else may be said too. */
async function readiness(ask: (path: string) => Promise<{ status: number; text: string }>, query = '') {
  const { status, text } = await ask(`/ready${query}`)
  const { reasons } = JSON.parse(text) as { reasons: string[] }
  return { status, reasons: reasons.filter((code) => code !== 'event-loop-blocked') }
}

it('is ready when consumers have started, and says by codes alone why it is not', async () => {
  const { cluster, messaging, ask } = await served()
  cluster.createTopic('t')
  const consumer = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
  expect(await readiness(ask)).toEqual({ status: 503, reasons: ['consumer-idle'] })
  expect((await ask('/live')).status).toBe(200)
  await consumer.start()
  expect(await readiness(ask, '?from=kubelet')).toEqual({ status: 200, reasons: [] })
  await messaging.close()
  expect((await ask('/ready')).status).toBe(503)
  expect((await ask('/live')).status).toBe(200)
})

it('is ready with more members than partitions, also in who has none', async () => {
  const { cluster, messaging, ask } = await served()
  cluster.createTopic('t')
  const options = { group: 'g', topics: [t], handle: () => undefined }
  const members = [messaging.consumer(options), messaging.consumer(options)]
  for (const member of members) await member.start()
  await expect.poll(() => members.map((member) => member.assignment().length).sort()).toEqual([0, 1])
  expect(await readiness(ask)).toEqual({ status: 200, reasons: [] })
})

it('is live, and not ready, while a start waits for brokers that are not there', async () => {
  const { cluster, messaging, ask } = await served()
  cluster.createTopic('t')
  cluster.faults.stopBroker(0)
  const started = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined }).start()
  expect((await ask('/live')).status).toBe(200)
  expect((await readiness(ask)).status).toBe(503)
  cluster.faults.startBroker(0)
  await started
  expect(await readiness(ask)).toEqual({ status: 200, reasons: [] })
})

it('answers no probe while the event loop is blocked, and says so afterwards', async () => {
  const { ask } = await served()
  expect((await ask('/live')).status).toBe(200)
  const asked = performance.now()
  const told = ask('/live')
  while (performance.now() < asked + 1_700);
  await told
  expect(performance.now() - asked).toBeGreaterThan(1_500)
  await expect.poll(async () => (await ask('/ready')).text).toContain('event-loop-blocked')
  expect((await ask('/live')).status).toBe(200)
})

it('gives facts to who knows the token, and to nobody else', async () => {
  const { ask } = await served()
  for (const authorization of ['', `Bearer ${token}x`, 'Bearer ', `Basic ${token}`]) {
    expect((await ask('/facts', { headers: { authorization } })).status).toBe(401)
  }
  const told = await ask('/facts', { headers: { authorization: `Bearer ${token}` } })
  expect(told.status).toBe(200)
  expect(JSON.parse(told.text)).toMatchObject({
    health: { reasons: expect.any(Array) as unknown },
    facts: { client: 'tidemark' },
  })
  const without = await served({ token: undefined })
  expect((await without.ask('/facts', { headers: { authorization: 'Bearer ' } })).status).toBe(404)
})

it.each([
  ['evil.example', 421],
  ['127.0.0.1.evil.example', 421],
  ['localhost.evil.example:80', 421],
  ['localhost', 200],
  ['LOCALHOST:1', 200],
  ['10.1.2.3:8081', 200],
  ['[::1]:8081', 200],
  ['billing.internal', 200],
])('asked as %s it answers %i, so no name that a page makes point here is served', async (host, status) => {
  const { ask } = await served({ hosts: ['billing.internal'] })
  expect((await ask('/live', { headers: { host } })).status).toBe(status)
})

it.each([
  ['GET http://localhost/live HTTP/1.1', 'localhost', 200],
  ['GET HTTP://127.0.0.1:8081/live?from=probe HTTP/1.1', '127.0.0.1:8081', 200],
  // The name in the address counts, and no other.
  ['GET https://localhost/live HTTP/1.1', 'evil.example', 200],
  ['GET http://localhost/facts HTTP/1.1', 'localhost', 401],
])('answers a request for a whole address as one for its path: %s', async (line, host, status) => {
  const { server } = await served()
  const answer = await told(server.port, `${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  expect(answer.split('\r\n')[0]).toMatch(`HTTP/1.1 ${status}`)
})

it('refuses other methods, bodies and long headers', async () => {
  const { ask } = await served()
  expect((await ask('/live', { method: 'POST' })).status).toBe(405)
  expect((await ask('/live', { headers: { 'content-length': '3' }, body: 'abc' })).status).toBe(413)
  expect((await ask('/live', { headers: { long: 'x'.repeat(9_000) } })).status).toBe(431)
  expect(await ask('/live', { method: 'HEAD' })).toEqual({ status: 200, text: '' })
  expect((await ask('/else')).status).toBe(404)
})

/** What comes back when these bytes are all that is sent. */
function told(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
  })
}

it.each([
  ['a path that leads out', 'GET /../../etc/passwd HTTP/1.1\r\nHost: localhost', 404],
  ['a path that hides', 'GET /live/..%2ffacts HTTP/1.1\r\nHost: localhost', 404],
  ['an address for a proxy', 'GET http://evil.example/facts HTTP/1.1\r\nHost: localhost', 421],
  ['a user in an address', 'GET http://localhost@evil.example/live HTTP/1.1\r\nHost: localhost', 421],
  ['an address without a name', 'GET http:///live HTTP/1.1\r\nHost: localhost', 421],
  ['an address without a path', 'GET http://localhost?/live HTTP/1.1\r\nHost: localhost', 404],
  ['an address of another kind', 'GET ftp://localhost/live HTTP/1.1\r\nHost: localhost', 404],
  ['a path without end', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost`, 431],
  ['no name', 'GET /live HTTP/1.1', 400],
  ['no name, in an old way', 'GET /live HTTP/1.0', 421],
  ['a name with a user', 'GET /live HTTP/1.1\r\nHost: localhost@evil.example', 421],
  ['two lengths', 'GET /live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked', 400],
  ['a line in a line', 'GET /live HTTP/1.1\r\nHost: localhost\r\nX: a\n\rb', 400],
  ['another protocol', 'PRI * HTTP/2.0', 400],
  ['nothing of HTTP', '\u0016\u0003\u0001', 400],
])('answers %s with a refusal, and goes on', async (_, asked, status) => {
  const { server, ask } = await served({ metrics: () => 'up 1\n' })
  const answer = await told(server.port, `${asked}\r\nConnection: close\r\n\r\n`)
  expect(
    answer
      .split('\r\n')
      .map((line) => /^HTTP\/1.1 (\d+)/.exec(line)?.[1])
      .filter((one) => one !== '100')[0],
  ).toBe(String(status))
  expect(answer).not.toMatch(/facts":|evil|passwd/)
  expect((await ask('/live')).status).toBe(200)
})

it('answers although others hold more connections than it has and ask nothing', async () => {
  const { server, ask } = await served()
  const idle: Socket[] = []
  ends.push(() => Promise.resolve(idle.forEach((socket) => socket.destroy())))
  for (let nth = 0; nth < 70; nth += 1) {
    const socket = connect(server.port, '127.0.0.1')
    idle.push(socket.on('error', () => undefined))
    await new Promise((resolve) => socket.once('connect', resolve))
    if (nth % 2 === 0) socket.write('GET /live HTTP/1.1\r\n')
  }
  expect((await ask('/live')).status).toBe(200)
})

it('breaks with who does not read what it asked for', async () => {
  const { messaging } = await served()
  const { clock } = messaging
  const fast = {
    ...clock,
    now: () => clock.now(),
    setTimer: (ms: number, call: () => void) => clock.setTimer(ms / 50, call),
  }
  const hurried = Object.create(messaging, { clock: { value: fast } }) as Messaging
  const server = await healthServer({ messaging: hurried, port: 0, metrics: () => 'x'.repeat(16_000_000) })
  ends.push(() => server.close())
  const socket = connect(server.port, '127.0.0.1')
  const closed = new Promise<string>((resolve) =>
    socket.on('error', () => undefined).once('close', () => resolve('broken')),
  )
  socket.pause()
  socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await new Promise((resolve) => setTimeout(resolve, 200))
  // What stands in the buffers of the system is all there is.
  let bytes = 0
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length)).resume()
  expect(await closed).toBe('broken')
  expect(bytes).toBeLessThan(16_000_000)
})

it('goes on when a connection cannot be taken', async () => {
  const { server, ask } = await served()
  const servers = new Set<Server>()
  const seen = (message: unknown) => void servers.add((message as { server: Server }).server)
  subscribe('http.server.request.start', seen)
  await ask('/live')
  unsubscribe('http.server.request.start', seen)
  const [listening] = [...servers].filter((one) => (one.address() as AddressInfo).port === server.port)
  // Without anybody who listens to it, this would throw.
  listening?.emit('error', new Error('accept EMFILE'))
  expect(listening).toBeDefined()
  expect((await ask('/live')).status).toBe(200)
})

it('gives the metrics that a function tells, and nothing of what it throws', async () => {
  const { ask } = await served({ metrics: () => Promise.resolve('up 1\n') })
  expect(await ask('/metrics')).toEqual({ status: 200, text: 'up 1\n' })
  const broken = await served({ metrics: () => Promise.reject(new Error('secret')) })
  const told = await broken.ask('/metrics')
  expect([told.status, told.text.includes('secret')]).toEqual([500, false])
  const without = await served()
  expect((await without.ask('/metrics')).status).toBe(404)
})

it('closes by its deadline although a request is under way, and again', async () => {
  const { server, ask } = await served({ metrics: () => new Promise<string>(() => undefined) })
  const broken = ask('/metrics').catch((error: unknown) => error)
  await new Promise((resolve) => setTimeout(resolve, 30))
  const begun = performance.now()
  await Promise.all([server.close({ timeoutMs: 50 }), server.close()])
  // By itself the request would never end.
  expect(performance.now() - begun).toBeLessThan(10_000)
  expect(await broken).toBeInstanceOf(Error)
})

it('says what is wrong with its options, and that it cannot listen', async () => {
  const { messaging, server } = await served()
  const unheard = [
    { hosts: ['billing:80'] },
    { token: ' a-space-before-it' },
    { token: 'ümlaut-of-some-length' },
    { metricsType: 'ü' },
  ]
  for (const wrong of [{ port: -1 }, { token: 'short' }, { metrics: 1 }, { pot: 1 }, { port: undefined }, ...unheard]) {
    await expect(healthServer({ messaging, port: 0, ...wrong } as never)).rejects.toThrow(ConfigError)
  }
  await expect(healthServer({ port: 0 } as never)).rejects.toThrow(ConfigError)
  await expect(healthServer({ messaging, port: server.port })).rejects.toMatchObject({
    code: 'cannot-listen',
    message: expect.stringContaining('(EADDRINUSE); choose another port') as unknown,
  })
})
