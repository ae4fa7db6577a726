import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request, type ClientRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { bytes, createMessaging, defineTopic, type Message, type Messaging } from 'tidemark'
import { degradation } from 'tidemark/degrade'
import { createMemoryCluster, memory, type MemoryCluster } from 'tidemark/memory'
import { deliver } from '../../../examples/alarm/access/access.js'
import { readCsv } from '../../../examples/alarm/access/csv.js'
import { httpAccess } from '../../../examples/alarm/access/http.js'
import { Intake } from '../../../examples/alarm/access/intake.js'
import { groupBy } from '../../../examples/alarm/group-by.js'
import { openStore } from '../../../examples/alarm/store/store.js'
import { jsonTopics, rawEvents, rawEventsDeadLetters, type RawEvent } from '../../../examples/alarm/topics.js'
import { until } from '../../support/waiting.js'
import { freshFolder } from './pipeline.js'

let cluster: MemoryCluster
let messaging: Messaging
let server: Server | null = null

beforeEach(async () => {
  cluster = createMemoryCluster()
  messaging = createMessaging({ driver: memory({ cluster }), clientId: 'access', profile: 'cp', logger: 'silent' })
  await messaging.ensureTopics(Object.values(jsonTopics))
})
afterEach(async () => {
  server?.closeAllConnections()
  server?.close()
  server = null
  await messaging.close()
})

const event = (n: number, change: Partial<RawEvent> = {}): RawEvent => ({
  event_id: `e${n}`,
  event_type: 'metric',
  raw_data: { metric: 'load', value: n, dimensions: { host: `h${n}` } },
  timestamp: 1_700_000_000 + n,
  bk_biz_id: 7,
  event_source: 'test',
  priority: 3,
  ...change,
})

async function stored(
  topic: string,
): Promise<{ key: string; partition: number; text: string; reason: string | undefined }[]> {
  const found: { key: string; partition: number; text: string; reason: string | undefined }[] = []
  const consumer = messaging.consumer({
    group: null,
    topics: [defineTopic({ name: topic, value: bytes() })],
    handle: ({ key, partition, value, headers }) => {
      const text = value.toString()
      if (text.includes('access.heartbeat')) return
      found.push({ key: String(key), partition, text, reason: headers.get('td-reason') ?? undefined })
    },
  })
  await consumer.start()
  await consumer.caughtUp()
  await consumer.stop()
  return found
}

async function listening(bufferEvents?: number): Promise<(body: string) => Promise<Response>> {
  server = httpAccess({ messaging, ...(bufferEvents !== undefined && { bufferEvents }) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return (body) => fetch(`http://127.0.0.1:${port}/events`, { method: 'POST', body })
}

it('a batch is answered when all of it is stored: events, and what is none in the dead-letter topic', async () => {
  const post = await listening()
  const lines = [JSON.stringify(event(1)), '{"event_id":', JSON.stringify({ ...event(2), priority: 9 })]
  const answer = await post(`${lines.join('\n')}\n\0`)
  expect([answer.status, await answer.json()]).toEqual([200, { accepted: 1, shed: 0, deadLettered: 2 }])
  expect((await stored(rawEvents.name)).map(({ text }) => JSON.parse(text))).toEqual([event(1)])
  expect((await stored(rawEventsDeadLetters.name)).map(({ text, reason }) => [reason, text]).sort()).toEqual([
    ['invalid', '{"event_id":'],
    ['invalid', lines[2]],
  ])
  expect((await post('')).status).toBe(400)
})

it('a point of a time that has not come is put aside, and moves no clock', async () => {
  const now = Math.floor(Date.now() / 1_000)
  // A fast clock, and milliseconds.
  const times = [now, now + 60, now + 86_400, Date.now()]
  const taken = await new Intake({ messaging }).take(times.map((timestamp, n) => event(n, { timestamp })))
  expect(taken).toEqual({ accepted: 2, shed: 0, deadLettered: 2 })
  expect((await stored(rawEventsDeadLetters.name)).map(({ reason }) => reason)).toEqual(['future', 'future'])

  const path = join(freshFolder(), 'some.csv')
  writeFileSync(path, `timestamp,metric,value,bk_biz_id\n100,load,1,7\n${now + 86_400},load,1,7\n200,load,1,7\n`)
  expect((await readCsv(path)).arrivals.map(({ at }) => at)).toEqual([100, 100, 200])
})

it('a body that is compressed is refused, and one with a byte order mark or empty lines is read', async () => {
  const post = await listening()
  const { port } = server?.address() as AddressInfo
  const zipped = await fetch(`http://127.0.0.1:${port}/events`, {
    method: 'POST',
    body: gzipSync(JSON.stringify([event(1)])),
    headers: { 'content-encoding': 'gzip' },
  })
  expect(zipped.status).toBe(415)
  for (const body of [
    `\ufeff${JSON.stringify([event(1)])}`,
    `${JSON.stringify(event(2))}\r\n\n${JSON.stringify(event(3))}\0\n`,
  ]) {
    const answer = await post(body)
    expect(await answer.json()).toMatchObject({ deadLettered: 0 })
  }
  expect(await stored(rawEvents.name)).toHaveLength(3)
})

it('time goes on in every partition while nobody posts, so that what is missing is missed', async () => {
  const times = new Map<number, number>()
  const handle = ({ partition, value }: Message<RawEvent>) => void times.set(partition, value.timestamp)
  await messaging.consumer({ group: null, topics: [rawEvents], handle }).start()
  server = httpAccess({ messaging, tellTimeMs: 20 }).listen(0, '127.0.0.1')
  await until('all were told', () => times.size === rawEvents.partitions)
  expect([...times.values()].every((time) => Math.abs(time - Date.now() / 1_000) < 60)).toBe(true)
})

it('while the buffer is full nothing is taken, and the answer is 429', async () => {
  const post = await listening(2)
  const held = cluster.faults.holdRequest({ api: 'produce' })
  const first = post(JSON.stringify([event(1), event(2)]))
  await until('the batch is on its way', () => held.state === 'held')
  const second = await post(JSON.stringify([event(3)]))
  expect([second.status, second.headers.get('retry-after')]).toEqual([429, '1'])
  held.release()
  expect((await first).status).toBe(200)
  expect((await post(JSON.stringify([event(3)]))).status).toBe(200)
  expect(await stored(rawEvents.name)).toHaveLength(3)
})

it('requests that do not say how long they are cannot fill the memory', async () => {
  await listening()
  const { port } = server?.address() as AddressInfo
  const open: ClientRequest[] = []
  // Their bodies never end.
  for (const _ of [1, 2, 3, 4]) {
    const slow = request({ host: '127.0.0.1', port, method: 'POST', path: '/events' }).on('error', () => undefined)
    slow.write('[')
    open.push(slow)
  }
  const answer = async () =>
    (await fetch(`http://127.0.0.1:${port}/events`, { method: 'POST', body: JSON.stringify([event(1)]) })).status
  await until('they are counted', async () => (await answer()) === 429)
  for (const slow of open) slow.destroy()
  await until('they are gone', async () => (await answer()) === 200)
})

it('an event that no broker takes leaves its begin and its size in the dead-letter topic', async () => {
  const taken = await new Intake({ messaging }).take([event(1), event(2, { event_source: 'x'.repeat(2_097_152) })])
  expect(taken).toEqual({ accepted: 1, shed: 0, deadLettered: 1 })
  const [letter] = await stored(rawEventsDeadLetters.name)
  expect([letter?.reason, letter?.text.length]).toEqual(['oversize', 65_536])
})

it('a hot tenant goes over several keys, and each of its series over one', async () => {
  const intake = new Intake({ messaging, spread: new Map([[7, 4]]) })
  await intake.take([...Array.from({ length: 40 }, (_, n) => event(n % 20)), event(99, { bk_biz_id: 8 })])
  const found = await stored(rawEvents.name)
  const keys = new Map<string, Set<string>>()
  for (const { key, text } of found) {
    const { dimensions } = (JSON.parse(text) as RawEvent).raw_data
    keys.set(dimensions['host'] ?? '', (keys.get(dimensions['host'] ?? '') ?? new Set()).add(key))
  }
  expect([...keys.values()].every((of) => of.size === 1)).toBe(true)
  expect(new Set(found.map(({ key }) => key))).toEqual(new Set(['7#0', '7#1', '7#2', '7#3', '8']))
})

it('at level 2 half of the series of priority 3 are put aside whole, and nothing of what matters', async () => {
  const less = degradation<RawEvent>(messaging, {
    keep: ({ value }) => value.event_type !== 'metric' || value.priority === 1,
    priorityOf: ({ value }) => value.priority,
    shedTo: 'shed',
  })
  less.take({ level: 2, epoch: Date.now(), lastsMs: 60_000 })
  const events = [1, 2, 3].flatMap((priority) =>
    Array.from({ length: 40 }, (_, n) => event(n % 20, { priority: priority as 1 | 2 | 3 })),
  )
  const taken = await new Intake({ messaging, less }).take(events)
  expect(taken.accepted + taken.shed).toBe(120)
  const aside = (await stored('shed')).map(({ text }) => JSON.parse(text) as RawEvent)
  expect(aside).toHaveLength(taken.shed)
  expect(new Set(aside.map(({ priority }) => priority))).toEqual(new Set([3]))
  const hosts = groupBy(aside, ({ raw_data }) => raw_data.dimensions['host'])
  for (const [, of] of hosts) expect(of).toHaveLength(2)
})

it('a file is delivered once: the next run goes on behind what was acknowledged', async () => {
  const folder = freshFolder()
  const path = join(folder, 'some.csv')
  writeFileSync(path, 'timestamp,metric,value,bk_biz_id,host\n100,load,1.5,7,a\n160,load,broken,7,a\n220,load,2,7,a\n')
  const input = await readCsv(path)
  const store = await openStore(join(folder, 'access.db'))
  expect(await deliver(input, { messaging, store, rowsPerSend: 2 })).toBe(3)
  expect(await deliver(input, { messaging, store, rowsPerSend: 2 })).toBe(0)
  await store.close()
  expect((await stored(rawEvents.name)).map(({ text }) => (JSON.parse(text) as RawEvent).raw_data)).toEqual([
    { metric: 'load', value: 1.5, dimensions: { host: 'a' } },
    { metric: 'load', value: 2, dimensions: { host: 'a' } },
  ])
  expect(await stored(rawEventsDeadLetters.name)).toHaveLength(1)
})

it('a database that goes away is waited for, and what was acknowledged before is sent once', async () => {
  const folder = freshFolder()
  const path = join(folder, 'some.csv')
  writeFileSync(path, 'timestamp,metric,value,bk_biz_id,host\n100,load,1.5,7,a\n220,load,2,7,a\n')
  const input = await readCsv(path)
  const store = await openStore(join(folder, 'access.db'))
  const transaction = vi.spyOn(store.db, 'transaction')
  for (const _ of [1, 2]) {
    transaction.mockImplementationOnce(() => {
      throw new Error("Can't add new command when connection is in closed state")
    })
  }
  const troubles: unknown[] = []
  const onTrouble = (error: unknown) => void troubles.push(error)
  expect(await deliver(input, { messaging, store, rowsPerSend: 1, onTrouble })).toBe(2)
  expect(troubles).toHaveLength(2)
  expect(await deliver(input, { messaging, store, rowsPerSend: 1 })).toBe(0)

  // Who is told to stop meanwhile does, and has not moved its checkpoint.
  transaction.mockImplementation(() => {
    throw new Error('gone')
  })
  const stop = new AbortController()
  const stopping = { messaging, store, signal: stop.signal, onTrouble: () => stop.abort() }
  expect(await deliver({ ...input, name: 'another' }, stopping)).toBe(0)
  transaction.mockRestore()
  await store.close()
  expect(await stored(rawEvents.name)).toHaveLength(2 + input.arrivals.length)
})
