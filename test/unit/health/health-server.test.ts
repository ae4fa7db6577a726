import { request } from 'node:http'
import { createMessaging, defineTopic, string, ConfigError } from 'tidemark'
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

it('is ready when consumers have started, and says by codes alone why it is not', async () => {
  const { cluster, messaging, ask } = await served()
  cluster.createTopic('t')
  const consumer = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
  expect(await ask('/ready')).toEqual({ status: 503, text: '{"status":"not-ready","reasons":["consumer-idle"]}' })
  expect((await ask('/live')).status).toBe(200)
  await consumer.start()
  expect(await ask('/ready?from=kubelet')).toEqual({ status: 200, text: '{"status":"healthy","reasons":[]}' })
  await messaging.close()
  expect((await ask('/ready')).status).toBe(503)
  expect((await ask('/live')).status).toBe(200)
})

it('gives facts to who knows the token, and to nobody else', async () => {
  const { ask } = await served()
  for (const authorization of ['', `Bearer ${token}x`, 'Bearer ', `Basic ${token}`]) {
    expect((await ask('/facts', { headers: { authorization } })).status).toBe(401)
  }
  const told = await ask('/facts', { headers: { authorization: `Bearer ${token}` } })
  expect(told.status).toBe(200)
  expect(JSON.parse(told.text)).toMatchObject({ health: { status: 'healthy' }, facts: { client: 'tidemark' } })
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

it('refuses other methods, bodies and long headers', async () => {
  const { ask } = await served()
  expect((await ask('/live', { method: 'POST' })).status).toBe(405)
  expect((await ask('/live', { headers: { 'content-length': '3' }, body: 'abc' })).status).toBe(413)
  expect((await ask('/live', { headers: { long: 'x'.repeat(9_000) } })).status).toBe(431)
  expect(await ask('/live', { method: 'HEAD' })).toEqual({ status: 200, text: '' })
  expect((await ask('/else')).status).toBe(404)
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
  for (const wrong of [{ port: -1 }, { token: 'short' }, { metrics: 1 }, { pot: 1 }, { port: undefined }]) {
    await expect(healthServer({ messaging, port: 0, ...wrong } as never)).rejects.toThrow(ConfigError)
  }
  await expect(healthServer({ port: 0 } as never)).rejects.toThrow(ConfigError)
  await expect(healthServer({ messaging, port: server.port })).rejects.toMatchObject({ code: 'cannot-listen' })
})
