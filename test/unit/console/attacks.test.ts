import { createServer, request, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { createMessaging, type Messaging } from 'tidemark'
import { createMemoryCluster, memory, type MemoryCluster } from 'tidemark/memory'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startConsole, type Console, type ConsoleOptions } from '../../../src/console/console.js'
import { systemRandom } from '../../../src/runtime/random.js'
import { until } from '../../support/waiting.js'
import { dlq, failedAt, put, stored } from '../redrive/dead-letters.js'

const letters = 100
let cluster: MemoryCluster
let messaging: Messaging
let consoles: Console[]

beforeEach(() => {
  cluster = createMemoryCluster()
  messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  consoles = []
  cluster.createTopic('orders', { partitions: 2 })
  cluster.createTopic(dlq, { partitions: 2 })
  put(
    cluster,
    Array.from({ length: letters }, (_, at) => ({ key: `${at}`, value: `letter ${at}`, headers: failedAt(at) })),
  )
})
afterEach(async () => {
  await Promise.all(consoles.map((one) => one.close()))
  await messaging.close()
  await cluster.close()
})

async function served(more: Partial<ConsoleOptions> = {}): Promise<Console> {
  const one = await startConsole({
    ...{ messaging, random: systemRandom, port: 0, host: '127.0.0.1', hosts: [], assets: new Map() },
    ...{ everyMs: 500, timeoutMs: 5_000, members: [], factsToken: undefined },
    ...{ redriveTo: ['orders'], allowPayloads: false },
    diagnose: () => Promise.reject(new Error('not asked here')),
    audit: () => undefined,
    ...more,
  })
  consoles.push(one)
  return one
}

interface View {
  readonly id: string
  readonly state: string
  readonly code?: string
  readonly plan: { readonly redriven: number; readonly passedBefore: number }
}

async function write(
  { url, token }: Console,
  path: string,
  body: unknown,
): Promise<View & { readonly status: number }> {
  const answer = await fetch(new URL(path, url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { ...((await answer.json()) as View), status: answer.status }
}

/** A page that is open, as the browser asks for it. */
function stream({ url }: Console): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL('/api/live?view=overview', url), { agent: false }, resolve)
    asked.on('error', reject)
    asked.end()
  })
}

const plan = (perSecond?: number) => ({ topic: dlq, to: ['orders'], filter: {}, ...(perSecond && { perSecond }) })

it('serves a hundred pages, half of which read nothing, and is done with all when they are closed', async () => {
  const console = await served()
  const pages = await Promise.all(Array.from({ length: 100 }, () => stream(console)))
  expect(pages.map(({ statusCode }) => statusCode)).toEqual(Array(100).fill(200))
  const texts = pages.slice(50).map((page) => {
    let text = ''
    page.on('data', (part: Buffer) => (text += part.toString()))
    return () => text
  })
  await until('all that read are told of the cluster', () => texts.every((text) => text().includes('"groups":')))
  for (const page of pages) page.destroy()
  await expect(Promise.race([console.close().then(() => 'closed'), late()])).resolves.toBe('closed')
})

it('asks nothing any more when the last page is gone, also one that never read, and none was', async () => {
  let looks = 0
  const member = createServer((_, answer) => {
    looks += 1
    answer.end('{}')
  })
  await new Promise<void>((resolve) => member.listen(0, '127.0.0.1', resolve))
  const { port } = member.address() as AddressInfo
  const console = await served({ everyMs: 20, members: [new URL(`http://127.0.0.1:${port}`)] })
  expect((await fetch(new URL('/api/live?view=overview', console.url), { method: 'HEAD' })).status).toBe(405)
  const pages = await Promise.all([stream(console), stream(console)])
  pages[0]?.resume()
  await until('it looks', () => looks > 3)
  for (const page of pages) page.destroy()
  let before = -1
  await until('it has ended to look', async () => {
    const isQuiet = looks === before
    before = looks
    await new Promise((resolve) => setTimeout(resolve, 200))
    return isQuiet
  })
  await new Promise((resolve) => member.close(resolve))
})

it('begins a redrive once where two pages plan it and four clicks start it', async () => {
  const console = await served()
  const [one, other] = await Promise.all([
    write(console, '/api/redrives', plan()),
    write(console, '/api/redrives', plan()),
  ])
  const starts = [one, one, other, other].map(({ id }) => write(console, `/api/redrives/${id}/run`, { confirm: dlq }))
  expect((await Promise.all(starts)).map(({ status }) => status).sort()).toEqual([200, 403, 403, 403])
  await until('all are sent', () => stored(cluster).length >= letters)
  const again = await write(console, '/api/redrives', plan())
  expect(again.plan).toMatchObject({ redriven: 0, passedBefore: expect.any(Number) })
  expect(stored(cluster)).toHaveLength(letters)
})

it('tells of letters whose headers are as long as a record, or called as what every object has, in a few bytes', async () => {
  const long = 'x'.repeat(60_000)
  put(cluster, [
    { key: 'k', headers: failedAt(0, { 'td-reason': '__proto__', 'td-error-class': long, 'td-group': long }) },
    { key: 'k', headers: failedAt(1, { 'td-reason': long, 'td-origin-topic': long }) },
  ])
  const console = await served()
  const text = await (await fetch(new URL(`/api/letters?topic=${dlq}`, console.url))).text()
  expect(text.length).toBeLessThan(40_000)
  expect(text).not.toContain('x'.repeat(1_000))
  const { counts } = JSON.parse(text) as { readonly counts: { readonly byReason: Readonly<Record<string, number>> } }
  expect(Object.entries(counts.byReason)).toEqual([
    ['exhausted', letters],
    ['__proto__', 1],
    ['other', 1],
  ])
})

it('goes on with a redrive whose page was closed, and one whose console ended in another, each letter once', async () => {
  const first = await served()
  const page = await stream(first)
  const { id } = await write(first, '/api/redrives', plan(60))
  expect(await write(first, `/api/redrives/${id}/run`, { confirm: dlq })).toMatchObject({ status: 200 })
  page.destroy()
  await until('some are sent', () => stored(cluster).length > 5)
  await first.close()
  const sent = stored(cluster).length
  expect(sent).toBeLessThan(letters)
  const second = await served()
  const rest = await write(second, '/api/redrives', plan())
  expect(rest.plan.redriven).toBe(letters - sent)
  await write(second, `/api/redrives/${rest.id}/run`, { confirm: dlq })
  await until('all are sent', () => stored(cluster).length >= letters)
  await second.close()
  expect(stored(cluster)).toHaveLength(letters)
})

it.each([
  ['nothing', () => '', ''],
  ['its headers byte by byte', (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nX: `, 'x'],
  [
    'its body byte by byte',
    (host: string, token: string) =>
      `POST /api/redrives HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n`,
    ' ',
  ],
] as const)(
  'breaks two hundred connections of which each sends %s, and serves others meanwhile',
  async (_, begin, drip) => {
    const console = await served({ requestMs: 1_000 })
    const { port, host } = new URL(console.url)
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(begin(host, console.token)))
      socket.resume()
      socket.on('error', () => undefined)
      return socket
    })
    const dripping = setInterval(() => {
      for (const socket of sockets) if (drip !== '' && socket.writable) socket.write(drip)
    }, 50)
    await until('they are there', () => sockets.every(({ connecting }) => !connecting))
    expect((await fetch(new URL('/api/about', console.url))).status).toBe(200)
    await until('they are gone', () => sockets.every(({ closed }) => closed), { timeoutMs: 20_000 })
    clearInterval(dripping)
  },
)

it('holds no more than 512 connections, and those that were there go on', async () => {
  const console = await served()
  const page = await stream(console)
  page.resume()
  const { port } = new URL(console.url)
  const sockets = Array.from({ length: 600 }, () => connect(Number(port), '127.0.0.1').on('error', () => undefined))
  for (const socket of sockets) socket.resume()
  const gone = () => sockets.filter(({ closed }) => closed).length
  await until('the rest is refused', () => gone() >= 600 - 511, { timeoutMs: 8_000 })
  expect(gone()).toBe(600 - 511)
  expect(page.closed).toBe(false)
  for (const socket of sockets) socket.destroy()
})

it.each([
  [
    'headers without end',
    (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
    /^HTTP\/1\.1 431 /,
  ],
  [
    'two lengths',
    (host: string) => `POST /api/redrives HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    /^HTTP\/1\.1 400 /,
  ],
  [
    'a name twice',
    (host: string) => `GET /api/about HTTP/1.1\r\nHost: evil.example\r\nHost: ${host}\r\n\r\n`,
    /^HTTP\/1\.1 4/,
  ],
  [
    'an address that is none',
    () => `GET http://evil.example/api/about HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
    /^HTTP\/1\.1 4/,
  ],
  ['no name at all', () => `GET /api/about HTTP/1.1\r\n\r\n`, /^HTTP\/1\.1 4/],
  ['another protocol', () => `\u0016\u0003\u0001\u0000`, /^HTTP\/1\.1 400 /],
] as const)('refuses %s, and goes on', async (_, text, answer) => {
  const console = await served()
  const { port, host } = new URL(console.url)
  const told = await new Promise<string>((resolve) => {
    let said = ''
    const socket = connect(Number(port), '127.0.0.1', () => socket.end(text(host)))
    socket.on('data', (part) => (said += part.toString('latin1')))
    socket.on('error', () => resolve(said))
    socket.on('close', () => resolve(said))
  })
  expect(told).toMatch(answer)
  expect((await fetch(new URL('/api/about', console.url))).status).toBe(200)
})

/** Longer than anything that ends. */
function late(): Promise<string> {
  return new Promise((resolve) => setTimeout(() => resolve('hangs'), 30_000).unref())
}
