import { request } from 'node:http'
import { createMessaging } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startConsole, type Console } from '../../../src/console/console.js'
import { readAssets } from '../../../src/console/server/assets.js'
import { systemRandom } from '../../../src/runtime/random.js'
import { dlq, failedAt, put, stored } from '../redrive/dead-letters.js'

const cluster = createMemoryCluster()
const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
const audited: string[] = []
let served: Console

const secret = 'the secret of one customer'

beforeAll(async () => {
  cluster.createTopic('orders', { partitions: 2 })
  cluster.createTopic(dlq, { partitions: 2 })
  put(cluster, [{ key: secret, value: secret, headers: [...failedAt(0), ['customer', Buffer.from(secret)]] }])
  served = await startConsole({
    ...{ messaging, random: systemRandom, port: 0, host: '127.0.0.1', hosts: ['console.example'] },
    ...{
      everyMs: 1_000,
      timeoutMs: 5_000,
      members: [],
      factsToken: undefined,
      redriveTo: ['orders'],
      allowPayloads: false,
    },
    assets: new Map([['/', { type: 'text/html', text: '<p>page</p>' }]]),
    diagnose: () => Promise.reject(new Error('not asked here')),
    audit: (line) => void audited.push(line),
  })
})
afterAll(async () => {
  await served.close()
  await messaging.close()
  await cluster.close()
})

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

interface Answered {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** As it stands, with any `Host`. */
function ask(path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(served.url)
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        const text = Buffer.concat(parts).toString()
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers })
      })
    })
    asked.on('error', reject)
    asked.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
  })
}

const withToken = () => ({ authorization: `Bearer ${served.token}`, 'content-type': 'application/json' })
const plan = { topic: dlq, to: ['orders'], filter: {} }

it.each<readonly [what: string, path: string, asked: () => Asked, status: number]>([
  ['a name of somebody else that points here', '/', () => ({ headers: { host: 'evil.example' } }), 421],
  ['the same with our port', '/api/about', () => ({ headers: { host: 'evil.example:8090' } }), 421],
  ['a read by another site', '/api/about', () => ({ headers: { origin: 'http://evil.example' } }), 403],
  [
    'a read that the browser calls cross-site',
    '/api/about',
    () => ({ headers: { 'sec-fetch-site': 'cross-site' } }),
    403,
  ],
  [
    'the page in a frame of another site',
    '/',
    () => ({ headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } }),
    403,
  ],
  [
    'a write by another site that knows the token',
    '/api/redrives',
    () => ({ method: 'POST', headers: { ...withToken(), origin: 'null' }, body: plan }),
    403,
  ],
  [
    'a write without the token',
    '/api/redrives',
    () => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: plan }),
    401,
  ],
  [
    'a write with another token',
    '/api/redrives',
    () => ({ method: 'POST', headers: { ...withToken(), authorization: 'Bearer x' }, body: plan }),
    401,
  ],
  [
    'a form',
    '/api/redrives',
    () => ({ method: 'POST', headers: { ...withToken(), 'content-type': 'text/plain' }, body: plan }),
    415,
  ],
  ['another method', '/api/redrives', () => ({ method: 'DELETE', headers: withToken() }), 405],
  ['a body that is none', '/api/redrives', () => ({ method: 'POST', headers: withToken(), body: '{' }), 400],
  [
    'a body with more than is known',
    '/api/redrives',
    () => ({ method: 'POST', headers: withToken(), body: { ...plan, allow: ['orders'] } }),
    400,
  ],
  [
    'a body without end',
    '/api/redrives',
    () => ({ method: 'POST', headers: withToken(), body: 'x'.repeat(70_000) }),
    413,
  ],
  [
    'a redrive to what is not allowed',
    '/api/redrives',
    () => ({ method: 'POST', headers: withToken(), body: { ...plan, to: ['payments'] } }),
    403,
  ],
  [
    'a redrive that was not planned',
    '/api/redrives/7/run',
    () => ({ method: 'POST', headers: withToken(), body: { confirm: dlq } }),
    403,
  ],
  [
    'values, which are not to be shown',
    '/api/record',
    () => ({ method: 'POST', headers: withToken(), body: { topic: dlq, partition: 0, offset: 0 } }),
    403,
  ],
  ['a path out of the page', '/../../../../etc/passwd', () => ({}), 404],
  ['the same in escapes', '/%2e%2e/%2e%2e/etc/passwd', () => ({}), 404],
  ['a path with a line break', '/api/about%0d%0aset-cookie:x=1', () => ({}), 404],
  ['a topic that is not there', '/api/letters?topic=nobody', () => ({}), 404],
  ['a view that is not there', '/api/live?view=__proto__', () => ({}), 400],
])('refuses %s', async (_, path, asked, status) => {
  const answered = await ask(path, asked())
  expect([answered.status, answered.headers['set-cookie']]).toEqual([status, undefined])
  expect(answered.text).not.toContain('root:')
  expect(answered.headers['access-control-allow-origin']).toBeUndefined()
  expect(stored(cluster)).toEqual([])
})

it.each(['localhost', '127.0.0.1:1', '[::1]', 'console.example'])(
  'serves the page to who calls it %s',
  async (host) => {
    const { status, text, headers } = await ask('/', {
      headers: { host, 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'cross-site' },
    })
    expect([status, text]).toEqual([200, '<p>page</p>'])
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'")
    expect(headers).toMatchObject({
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
  },
)

it('shows of a record its place and its known headers, and nothing that somebody wrote', async () => {
  const one = await ask(`/api/record?topic=${dlq}&partition=0&offset=0`)
  expect(JSON.parse(one.text)).toMatchObject({ valueBytes: secret.length, revealed: null })
  const names = (JSON.parse(one.text) as { headers: { name: string; hidden: boolean }[] }).headers
  expect(names.filter(({ hidden }) => hidden).map(({ name }) => name)).toEqual([
    'td-error-message',
    'td-error-stack',
    'customer',
  ])
  const all = await ask(`/api/letters?topic=${dlq}`)
  expect(JSON.parse(all.text)).toMatchObject({
    counts: { letters: 1, byReason: { exhausted: 1 } },
    rows: [{ offset: 0, reason: 'exhausted' }],
  })
  expect(one.text + all.text).not.toContain(secret)
})

it('sends back what a dry run counted, once its topic was typed, and tells who asked for it', async () => {
  const write = async (path: string, body: unknown) => {
    const { status, text } = await ask(path, { method: 'POST', headers: withToken(), body })
    return {
      status,
      view: JSON.parse(text) as { id: string; state: string; code?: string; plan: { redriven: number } },
    }
  }
  const planned = await write('/api/redrives', plan)
  expect(planned).toMatchObject({ status: 200, view: { state: 'planned', plan: { dryRun: true, redriven: 1 } } })
  const run = `/api/redrives/${planned.view.id}/run`
  expect(await write(run, { confirm: 'orders' })).toMatchObject({ status: 403, view: { code: 'not-confirmed' } })
  expect(stored(cluster)).toEqual([])
  expect(await write(run, { confirm: dlq })).toMatchObject({ status: 200, view: { state: 'running' } })
  await expect.poll(() => stored(cluster).length).toBe(1)
  expect(await write(run, { confirm: dlq })).toMatchObject({ status: 403, view: { code: 'not-planned' } })
  expect(audited).toEqual([
    expect.stringMatching(/^redrive of orders\.dlq to orders begins, 1 letters, group redrive-orders\.dlq-/),
  ])
})

it('says what to run where the page was not built', () => {
  expect(() => readAssets('/nowhere')).toThrow('the page of the console is not in /nowhere: run npm run build')
})
