import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { avro } from '../../../src/avro.js'
import { createMessaging, defineTopic, string } from '../../../src/index.js'
import { memory } from '../../../src/memory.js'
import { schemaRegistry } from '../../../src/registry.js'
import { memoryRegistry } from '../../../src/testing.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { put } from '../consumer/simulated.js'
import { billing, tidemark } from './command-line.js'

it('shows the last records of each partition, as lines or as data', async () => {
  const cluster = await billing()
  const { exit, out } = await tidemark(cluster, 'tail orders -n 3 --partition 0')
  expect([exit, out]).toEqual([
    0,
    ['1970-01-01T00:00:00Z 0@5 a-5 a-5', '1970-01-01T00:00:00Z 0@6 a-6 a-6\n'].join('\n'),
  ])
  const lines = (await tidemark(cluster, 'tail orders --json --headers')).out.trimEnd().split('\n')
  expect(lines).toHaveLength(10)
  expect(JSON.parse(lines.find((line) => line.includes('b-1')) as string)).toEqual({
    topic: 'orders',
    partition: 1,
    offset: 1,
    timestamp: 0,
    key: 'b-1',
    value: 'b-1',
    headers: [],
  })
  await cluster.close()
})

it('shows nothing that is older than was asked for, in whatever order it was written', async () => {
  const cluster = await billing()
  cluster.createTopic('times')
  const times = defineTopic({ name: 'times', value: string() })
  const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
  const producer = messaging.producer()
  const noon = Date.parse('2026-01-02T12:00:00Z')
  for (const minutes of [-20, 10, -10, 20])
    await producer.send(times, `${minutes}`, { timestamp: noon + minutes * 60_000 })
  await messaging.close()
  const { out } = await tidemark(cluster, 'tail times --since 2026-01-02T12:00:00Z')
  expect(out).toBe('2026-01-02T12:10:00Z 0@1 10\n2026-01-02T12:20:00Z 0@3 20\n')
  await cluster.close()
})

it('goes on with what comes until it is interrupted, which is its end in order', async () => {
  const cluster = await billing()
  const stop = new AbortController()
  const seen: string[] = []
  const onOut = (text: string) => {
    seen.push(text.trimEnd().split(' ').at(-1) as string)
    if (text.includes('a-6')) put(cluster, ['new\u001b[2J'], 'orders', 0)
    if (text.includes('new')) stop.abort()
  }
  const { exit, err } = await tidemark(cluster, 'tail orders -f -n 2 --partition 0', { onOut, signal: stop.signal })
  expect([exit, err]).toEqual([0, ''])
  expect(seen).toEqual(['a-6', 'new\\u001b[2J'])
  await cluster.close()
})

it('ends with 3 when no record comes, instead of waiting for ever', async () => {
  const cluster = await billing()
  const held = cluster.faults.holdRequest({ api: 'fetch' })
  const { exit, out } = await tidemark(cluster, 'tail orders --partition 0 --timeout 100ms')
  expect([exit, out]).toEqual([3, ''])
  held.release()
  await cluster.close()
})

it('decodes by the definition of the topic, and shows what cannot be decoded', async () => {
  const cluster = await billing()
  put(cluster, ['{"id":7}'], 'orders', 1)
  const directory = temporaryFolder('cli-tail')
  const value = '{ name: "json", encode: () => null, decode: (bytes) => JSON.parse(bytes.toString()) }'
  const file = join(directory, 'topics.mjs')
  writeFileSync(file, `export default { topics: [{ name: 'orders', value: ${value} }] }`)
  const { out } = await tidemark(cluster, 'tail orders -n 4 --partition 1 --json --config topics.mjs', { directory })
  const records = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
  expect(records.at(-1)).toMatchObject({ value: { id: 7 } })
  expect(records[0]).toMatchObject({ value: 'b-2', undecodable: expect.stringContaining('JSON') })
  await cluster.close()
})

it('decodes keys and values of Avro by the registry that the definition names', async () => {
  const cluster = await billing()
  const registered = memoryRegistry()
  const registry = schemaRegistry({ transport: registered, retries: 0 })
  const schemaOf = (name: string) => ({ type: 'record', name, fields: [{ name: 'id', type: 'int' }] }) as const
  for (const name of ['Key', 'Order'])
    await registry.register(name, { schema: JSON.stringify(schemaOf(name)), schemaType: 'AVRO', references: [] })
  const [key, value] = [Buffer.from([0, 0, 0, 0, 1, 14]), Buffer.from([0, 0, 0, 0, 2, 18])]
  const records = [key, Buffer.from('old')].map((one) => ({ key: one, value, headers: [], timestamp: 0 }))
  cluster.appendTransaction('orders', 1, records, 'commit')
  const directory = temporaryFolder('cli-tail')
  const file = join(directory, 'topics.mjs')
  Object.assign(globalThis, {
    tailTopics: [defineTopic({ name: 'orders', keySerde: avro({ registry }), value: avro({ registry }) })],
  })
  writeFileSync(file, `export default { topics: globalThis.tailTopics }`)
  const { out } = await tidemark(cluster, 'tail orders -n 3 --partition 1 --config topics.mjs', { directory })
  expect(out).toContain(' {"id":7} {"id":9}\n')
  expect(out).toContain(' old {"id":9}\n')
  const json = await tidemark(cluster, 'tail orders -n 3 --partition 1 --json --config topics.mjs', { directory })
  expect(JSON.parse(json.out.split('\n')[0] as string)).toMatchObject({ key: { id: 7 }, value: { id: 9 } })
  Reflect.deleteProperty(globalThis, 'tailTopics')
  await cluster.close()
})
