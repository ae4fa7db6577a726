import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { createMessaging, type Messaging } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { Elastic } from '../../examples/alarm/search/elastic.js'
import { search } from '../../examples/alarm/search/search.js'
import { alertStatus, jsonTopics, type AlertStatus } from '../../examples/alarm/topics.js'
import { alertStatusOf } from '../examples/alarm/alert-status.js'
import { startElasticsearch, type Elasticsearch } from '../support/elasticsearch.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { until } from '../support/waiting.js'

let cluster: KafkaCluster
let elasticsearch: Elasticsearch
let elastic: Elastic
let messaging: Messaging
let service: ReturnType<typeof search>
let troubles: string[]

beforeAll(async () => {
  ;[cluster, elasticsearch] = await Promise.all([startCluster(), startElasticsearch()])
  elastic = new Elastic(elasticsearch.url)
})
afterAll(async () => {
  await elasticsearch?.kill()
  await cluster?.stop()
})

beforeEach(async () => {
  messaging = createMessaging({ driver: kafkajs({ brokers: [...cluster.brokers] }), logger: 'silent' })
  await messaging.ensureTopics(Object.values(jsonTopics))
  troubles = []
  service = search({ messaging, elastic, onTrouble: (error) => troubles.push(String(error)) })
  await service.start()
})
afterEach(() => messaging.close())

const send = (changes: readonly Partial<AlertStatus>[]): Promise<unknown> =>
  messaging.producer().sendMany(alertStatus, changes.map(alertStatusOf))
const headers = { 'content-type': 'application/json' }
/** Alert and version, as a search finds them. */
const found = async (query: string): Promise<string[]> => {
  const alerts = await elastic.find(query, 1_000)
  return alerts.map(({ alert_id, version }) => `${alert_id} v${version}`).sort()
}
/** What was indexed can be searched a second later. */
const finds = (query: string, expected: readonly string[]): Promise<void> =>
  expect.poll(() => found(query), { timeout: 60_000 }).toEqual([...expected])

it('what stands in a real Elasticsearch is the last version of each alert, whatever comes twice, late or while it is down', async () => {
  // Replayed and late versions change nothing.
  await send([1, 2, 3].map((version) => ({ alert_id: 'a.1', version, severity: 1 })))
  await send([
    { alert_id: 'b.1', severity: 2 },
    { alert_id: 'c.1', severity: 1 },
  ])
  await send([
    { alert_id: 'd.1', severity: 1 },
    { alert_id: 'd.1', version: 2, severity: 1, status: 'RECOVERED' },
  ])
  await send([3, 2, 1].map((version) => ({ alert_id: 'a.1', version, severity: 1, status: 'RECOVERED' as const })))
  await send([{ alert_id: 'd.1', severity: 1 }])
  await until('all came', () => service.counts().received === 11)
  expect(service.counts()).toMatchObject({ indexed: 7, older: 4 })
  await finds('status:ABNORMAL AND severity:1', ['a.1 v3', 'c.1 v1'])
  await finds('status:RECOVERED', ['d.1 v2'])

  // Down: what comes meanwhile waits, no attempt is spent, and nothing is dead.
  await elasticsearch.kill()
  await send([{ alert_id: 'c.1', version: 2, severity: 1, status: 'RECOVERED' }])
  await send(Array.from({ length: 300 }, (_, n) => ({ alert_id: `e-${n}.1`, severity: 3 as const })))
  await expect(elastic.find('status:ABNORMAL')).rejects.toThrow('does not answer')
  expect(service.counts().received).toBe(11)
  await elasticsearch.start()
  await until('the rest came', () => service.counts().received === 312)
  await finds('status:ABNORMAL AND severity:1', ['a.1 v3'])
  await finds('severity:3', Array.from({ length: 300 }, (_, n) => `e-${n}.1 v1`).sort())
  await finds('status:RECOVERED', ['c.1 v2', 'd.1 v2'])
})

it('an index that may not be written for a while is waited for, and nothing becomes a dead letter', async () => {
  const block = async (write: boolean): Promise<void> => {
    const body = JSON.stringify({ 'index.blocks.write': write })
    const answer = await fetch(`${elasticsearch.url}/alerts/_settings`, { method: 'PUT', headers, body })
    expect(answer.ok).toBe(true)
  }
  await send([{ alert_id: 'w.1' }])
  await finds('status:ABNORMAL AND alert_id:"w.1"', ['w.1 v1'])
  await block(true)
  await send([{ alert_id: 'w.1', version: 2 }])
  await until('it is waited for', () => troubles.some((trouble) => trouble.includes('403')))
  await block(false)
  await finds('status:ABNORMAL AND alert_id:"w.1"', ['w.1 v2'])
})

it('a tag that looks like a date makes no dates of the tags of all others', async () => {
  expect((await fetch(`${elasticsearch.url}/alerts`, { method: 'DELETE' })).ok).toBe(true)
  const fresh = new Elastic(elasticsearch.url)
  const { signal } = new AbortController()
  const tagged = (alert_id: string, value: string) => alertStatusOf({ alert_id, tags: [{ key: 'build', value }] })
  expect(await fresh.index([tagged('t.1', '2024-01-15')], signal)).toEqual(['indexed'])
  expect(await fresh.index([tagged('u.1', 'nightly'), tagged('v.1', 'x'.repeat(8_000))], signal)).toEqual([
    'indexed',
    'indexed',
  ])
  // Whoever comes later finds the index made.
  expect(await new Elastic(elasticsearch.url).index([tagged('t.1', 'late')], signal)).toEqual(['older'])
})

it('what a real Elasticsearch refuses for good becomes a dead letter alone, and its neighbours are found', async () => {
  const mappings = { properties: { event_count: { type: 'byte' } } }
  expect((await fetch(`${elasticsearch.url}/alerts`, { method: 'DELETE' })).ok).toBe(true)
  const made = await fetch(`${elasticsearch.url}/alerts`, {
    method: 'PUT',
    headers,
    body: JSON.stringify({ mappings }),
  })
  expect(made.ok).toBe(true)
  const letters: unknown[] = []
  const reader = messaging.consumer({
    group: null,
    topics: [jsonTopics.searchDeadLetters],
    // Of all tests.
    from: 'earliest',
    handle: ({ key, headers: told }) => void letters.push([String(key).slice(0, 4), told.get('td-error-message')]),
  })
  await reader.start()

  // A field that is too large for its index is refused alone; an id that is too long, with all of its request.
  await send([{ alert_id: 'f.1' }, { alert_id: 'g.1', event_count: 1_000 }, { alert_id: 'h.1' }])
  await finds('status:ABNORMAL', ['f.1 v1', 'h.1 v1'])
  await send([{ alert_id: 'i.1' }, { alert_id: `long${'x'.repeat(600)}` }, { alert_id: 'j.1' }])
  await finds('status:ABNORMAL', ['f.1 v1', 'h.1 v1', 'i.1 v1', 'j.1 v1'])
  await until('both letters are there', () => letters.length === 2)
  expect(letters).toEqual([
    ['g.1', 'refused: mapper_parsing_exception'],
    ['long', 'refused: status 400'],
  ])
})
