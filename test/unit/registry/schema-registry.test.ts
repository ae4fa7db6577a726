import { describe, expect, test } from 'vitest'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { ConfigError } from '../../../src/errors.js'
import type { RegistryError } from '../../../src/registry/registry-error.js'
import type { RegisteredSchema } from '../../../src/registry/schema.js'
import { schemaRegistry, type SchemaRegistryOptions } from '../../../src/registry/schema-registry.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

const text: RegisteredSchema = { schema: '"string"', schemaType: 'AVRO', references: [] }

function inMemory(options: SchemaRegistryOptions = {}) {
  const clock = virtualClock()
  const server = memoryRegistry({ clock })
  const registry = schemaRegistry({ transport: server, runtime: { clock, random: seededRandom(1) }, ...options })
  return { clock, server, registry }
}

function failureOf(promise: Promise<unknown>): Promise<RegistryError> {
  return promise.then(
    () => Promise.reject(new Error('should have failed')),
    (error: unknown) => error as RegistryError,
  )
}

async function served(answer: (request: IncomingMessage) => { status: number; body: string } | null) {
  const seen: IncomingMessage[] = []
  const server: Server = createServer((request, response) => {
    seen.push(request)
    const told = answer(request)
    if (told === null) return void request.socket.destroy()
    response.writeHead(told.status, { 'content-type': 'application/json' }).end(told.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  return { url, seen, close }
}

describe('a client of a schema registry', () => {
  test('registers a schema once, however often it is asked to, and finds it again', async () => {
    const { registry, server } = inMemory()
    const id = await registry.register('orders-value', text)
    expect(await registry.register('orders-value', text)).toBe(id)
    expect(await registry.idOf('orders-value', text)).toBe(id)
    expect(await registry.schemaById(id)).toEqual(text)
    expect(await registry.latest('orders-value')).toEqual({ ...text, subject: 'orders-value', version: 1, id })
    expect(server.requests[0]).toBe('POST /subjects/orders-value/versions')
  })

  test('asks once for what a thousand ask for at the same time', async () => {
    const { registry, server } = inMemory()
    const id = await registry.register('s', text)
    const before = server.requests.length
    await Promise.all(Array.from({ length: 1_000 }, () => registry.schemaById(id)))
    expect(server.requests.length - before).toBe(1)
  })

  test.each([
    ['an id that is unknown', 404, '{"error_code":40403,"message":"Schema 7 not found"}', 'schema-not-found', false],
    ['a subject that is unknown', 404, '{"error_code":40401,"message":"no"}', 'subject-not-found', false],
    ['a conflict', 409, '{"error_code":409,"message":"incompatible"}', 'schema-incompatible', false],
    ['a schema that does not parse', 422, '{"error_code":42201,"message":"Invalid"}', 'schema-invalid', false],
    ['no such user', 401, '{"error_code":401,"message":"Unauthorized"}', 'registry-denied', false],
    ['an error of its own', 500, '{"error_code":50001,"message":"store"}', 'registry-failed', true],
    ['too many requests', 429, '', 'registry-failed', true],
    ['a web page', 200, '<html><body>Welcome</body></html>', 'registry-failed', true],
    ['a web page that says not found', 404, '<!DOCTYPE html><p>404', 'registry-failed', true],
    ['nothing', 200, '', 'registry-failed', true],
    ['JSON that is no object', 200, '[1]', 'registry-failed', true],
  ])('says of %s what it is, where it came from and what to do', async (_, status, body, code, retriable) => {
    const { registry, server } = inMemory({ retries: 0 })
    server.answerNext({ status, body })
    const error = await failureOf(registry.schemaById(7))
    expect(error).toMatchObject({ name: 'RegistryError', code, status, retriable })
    expect(error.message).toContain('the schema registry at memory')
    expect(error.message).toContain('/schemas/ids/7')
    expect(error.message).not.toContain('<')
  })

  test('tries again what may end well, and nothing else', async () => {
    const { registry, server, clock } = inMemory({ retries: 3 })
    await registry.register('s', text)
    server.answerNext({ status: 500, body: '' })
    server.loseNextAnswer()
    const asked = registry.register('s', text)
    await clock.advance(10_000)
    expect(await asked).toBe(1)
    server.answerNext({ status: 409, body: '{"error_code":409,"message":"no"}' })
    const before = server.requests.length
    await failureOf(registry.register('s', { ...text, schema: '"int"' }))
    expect(server.requests.length - before).toBe(1)
  })

  test('gives up an address that does not answer in time', async () => {
    const { registry, server, clock } = inMemory({ retries: 0, timeoutMs: 1_000 })
    server.state = 'silent'
    const failed = failureOf(registry.schemaById(1))
    await clock.advance(1_000)
    expect(await failed).toMatchObject({ code: 'registry-unreachable', retriable: true })
    expect((await failed).message).toContain('did not answer within 1000 ms')
  })

  test('asks the next address when one fails, and stays with the one that answers', async () => {
    const down = await served(() => null)
    const up = await served(() => ({ status: 200, body: '{"schema":"\\"string\\""}' }))
    try {
      const registry = schemaRegistry({ urls: [down.url, `${up.url}/apis/ccompat/v7/`] })
      expect(await registry.schemaById(1)).toEqual(text)
      expect(await registry.schemaById(2)).toEqual(text)
      expect(down.seen).toHaveLength(1)
      expect(up.seen.map(({ url }) => url)).toEqual([
        '/apis/ccompat/v7/schemas/ids/1',
        '/apis/ccompat/v7/schemas/ids/2',
      ])
    } finally {
      await Promise.all([down.close(), up.close()])
    }
  })

  test('says who it is, and never shows it', async () => {
    const { url, seen, close } = await served(() => ({ status: 403, body: '{"error_code":403,"message":"no"}' }))
    try {
      const credentials = [
        { username: 'me', password: 'hunter2' },
        { token: 'hunter2' },
        { token: () => Promise.resolve('hunter2') },
      ]
      const withUser = new URL(url)
      withUser.username = 'you'
      withUser.password = 'hunter2'
      const registries = [
        ...credentials.map((one) => schemaRegistry({ urls: url, credentials: one })),
        schemaRegistry({ urls: withUser.href }),
      ]
      for (const registry of registries) {
        const error = await failureOf(registry.schemaById(1))
        expect(error.code).toBe('registry-denied')
        expect(inspect([registry, error], { depth: 20, showHidden: true })).not.toContain('hunter2')
        expect(JSON.stringify([registry, error])).not.toContain('hunter2')
      }
      const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`
      expect(seen.map(({ headers }) => headers.authorization)).toEqual([
        basic('me:hunter2'),
        'Bearer hunter2',
        'Bearer hunter2',
        basic('you:hunter2'),
      ])
    } finally {
      await close()
    }
  })

  test('takes a subject that is not there yet for compatible', async () => {
    const { registry } = inMemory()
    expect(await registry.isCompatible('new', text)).toBe(true)
  })

  test.each<[string, unknown, string]>([
    ['nothing', {}, 'urls'],
    ['no address', { urls: 'registry:8081' }, 'urls'],
    ['an empty list', { urls: [] }, 'urls'],
    ['an address with a query', { urls: 'http://r:1/?a=b' }, 'urls'],
    ['an address whose password is not encoded', { urls: 'http://me:100%@r:1' }, 'urls'],
    ['both', { urls: 'http://r:1', transport: memoryRegistry() }, 'transport'],
    ['half of the credentials', { urls: 'http://r:1', credentials: { username: 'me' } }, 'credentials'],
    ['TLS for an address without', { urls: 'http://r:1', tls: { ca: '' } }, 'tls'],
    ['a time limit of nothing', { urls: 'http://r:1', timeoutMs: 0 }, 'timeoutMs'],
    ['an option that is none', { url: 'http://r:1' }, 'url'],
  ])('refuses %s with the path and what to write', (_, options, path) => {
    let error: unknown
    try {
      schemaRegistry(options as SchemaRegistryOptions)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).issues.map((issue) => issue.path)).toContain(path)
  })
})
