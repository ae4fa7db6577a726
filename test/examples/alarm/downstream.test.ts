import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  bytes,
  createMessaging,
  DeadLetter,
  defineTopic,
  json,
  type Message,
  type Messaging,
  type Topic,
} from 'tidemark'
import { memory } from 'tidemark/memory'
import { disorderSeconds } from '../../../examples/alarm/access/arrivals.js'
import { addressOf } from '../../../examples/alarm/address.js'
import { alert } from '../../../examples/alarm/alert/alert.js'
import { converge } from '../../../examples/alarm/converge/converge.js'
import { inputOf, repartition } from '../../../examples/alarm/converge/repartition.js'
import { consoleChannel, webhookChannel, type Channels } from '../../../examples/alarm/notice/channels.js'
import { notice } from '../../../examples/alarm/notice/notice.js'
import { Elastic } from '../../../examples/alarm/search/elastic.js'
import { search } from '../../../examples/alarm/search/search.js'
import { convergeBook } from '../../../examples/alarm/rules.js'
import { openStore, type Store } from '../../../examples/alarm/store/store.js'
import {
  alerts,
  alertStatus,
  jsonTopics,
  notices,
  type AlarmTopics,
  type AlertEvent,
  type AlertStatus,
  type Notice,
} from '../../../examples/alarm/topics.js'
import { delay, until } from '../../support/waiting.js'
import { alertEventOf } from './alert-event.js'
import { alertStatusOf } from './alert-status.js'
import { freshFolder } from './pipeline.js'

const clients: Messaging[] = []
const opened: { close(): Promise<unknown> }[] = []
// Who uses a store ends before it does.
afterEach(async () => {
  for (const one of clients.splice(0)) await one.close()
  for (const one of opened.splice(0)) await one.close()
})

const started = (driver: ReturnType<typeof memory>, profile: 'cp' | 'transactional' = 'cp'): Messaging => {
  const messaging = createMessaging({ driver, clientId: 'test', profile, logger: 'silent' })
  clients.push(messaging)
  return messaging
}
const storeAt = async (name: string): Promise<Store> => {
  const store = await openStore(join(freshFolder(), `${name}.db`))
  opened.push(store)
  return store
}

/** SQLite takes a name of any length, so a rule stands for what other databases refuse. */
async function refuseForGood({ db }: Store, table: string, column: string, value: string): Promise<void> {
  const why = sql.lit(`CHECK constraint failed: ${column}`)
  const rule = sql`create trigger refuse before insert on ${sql.ref(table)} when new.${sql.ref(column)} = ${sql.lit(value)}
    begin select raise(abort, ${why}); end`
  await rule.execute(db)
}

/** Why each dead letter there is one, as they come. */
async function reasonsIn(messaging: Messaging, topic: Topic): Promise<readonly string[]> {
  const reasons: string[] = []
  const handle = ({ headers }: { readonly headers: Message['headers'] }) =>
    void reasons.push(String(headers.get('td-error-message')))
  await messaging.consumer({ group: null, topics: [topic], handle }).start()
  return reasons
}

async function serve(
  answer: (request: IncomingMessage, body: string) => { status: number; json: unknown },
): Promise<string> {
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      const { status, json } = answer(request, body)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  opened.push({ close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))) })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

it('from alerts to notices: what is committed is told once, folded, and in the order of versions', async () => {
  const driver = memory()
  const messaging = started(driver)
  await messaging.ensureTopics(Object.values(jsonTopics))
  const [alertStore, convergeStore, noticeStore] = [
    await storeAt('alert'),
    await storeAt('converge'),
    await storeAt('notice'),
  ]
  const said: string[] = []
  const told = notice({
    messaging,
    store: noticeStore,
    channels: { pager: consoleChannel((line) => void said.push(line)) },
  })
  const services = [
    alert({ messaging, store: alertStore }),
    repartition({ messaging: started(driver, 'transactional'), rules: convergeBook.convergeRules }),
    converge({ messaging, store: convergeStore, ...convergeBook }),
    told,
  ]
  for (const service of services) await service.start()
  const statuses: AlertStatus[] = []
  const reader = messaging.consumer({
    group: null,
    topics: [alertStatus],
    handle: ({ value }) => void statuses.push(value),
  })
  await reader.start()

  const events = [1, 2, 3].map((n) =>
    alertEventOf({ alert_key: `${n}`.repeat(64), event_id: `e-${n}`, target: `host-${n}` }),
  )
  const ends = events.map((one) => ({
    ...one,
    event_id: `${one.event_id}-end`,
    status: 'RECOVERED' as const,
    time: 2_000,
  }))
  // All of them twice.
  for (const event of [...events, ...events, ...ends, ...ends]) await messaging.producer().send(alerts, event)

  // The first is told of, its end too, and of the others one summary when the window is over.
  await until('all is told', () => told.counts().sent >= 3)
  expect(said.map((line) => line.replace(/host-\d/g, 'host'))).toEqual([
    'to on-call [2] test at host: abnormal\n',
    'to on-call [2] test at host: recovered\n',
    'to on-call [2] 2 more abnormal with host, all from host\n',
  ])
  for (const key of new Set(statuses.map(({ alert_id }) => alert_id)))
    expect(statuses.filter(({ alert_id }) => alert_id === key).map(({ version }) => version)).toEqual([1, 2])
  const view = new Map(statuses.map((one) => [one.alert_id, [one.version, one.status]]))
  const rows = await alertStore.db.selectFrom('alert').select(['alert_id', 'version', 'status']).execute()
  expect(view).toEqual(new Map(rows.map((row) => [row.alert_id, [row.version, row.status]])))
})

it('a window is not closed by the clock on the wall while detect may wait for what belongs into it', async () => {
  const driver = memory()
  const messaging = started(driver)
  await messaging.ensureTopics(Object.values(jsonTopics))
  const store = await storeAt('converge')
  const convergeRules = convergeBook.convergeRules.map((rule) => ({ ...rule, windowSeconds: 60 }))
  const service = converge({ messaging, store, ...convergeBook, convergeRules })
  await service.start()
  const took = async (alert: AlertStatus): Promise<void> => {
    const before = service.counts().received
    const input = inputOf(convergeRules, alert)!
    await messaging.producer().send(jsonTopics.convergeInput, input)
    await until('it came', () => service.counts().received > before)
  }
  const open = () => store.db.selectFrom('converge_instance').select('starts').where('open_marker', '=', 1).execute()
  // As detect has it: ten minutes after it happened.
  const at = Math.floor(Date.now() / 1_000) - disorderSeconds
  await took(alertStatusOf({ at }))
  await delay(3_000)
  expect(await open()).toHaveLength(1)
  await store.db
    .updateTable('converge_instance')
    .set({ ends: at - 120 })
    .execute()
  await until('it is closed', async () => (await open()).length === 0)
})

it('are said on topics of other names where they are given those', async () => {
  const messaging = started(memory())
  const { alertStatus: status, alertsDeadLetters: letters } = jsonTopics
  const topics: AlarmTopics = {
    ...jsonTopics,
    alertStatus: { ...status, name: 'own_status' },
    alertsDeadLetters: { ...letters, name: 'own_letters' },
  }
  await messaging.ensureTopics(Object.values(topics))
  const store = await storeAt('alert')
  await refuseForGood(store, 'alert', 'alert_name', 'bad')
  await alert({ messaging, store, topics }).start()
  await messaging
    .producer()
    .sendMany(topics.alerts, [
      alertEventOf({ alert_key: '1'.repeat(64), event_id: 'good' }),
      alertEventOf({ alert_key: '2'.repeat(64), event_id: 'bad', alert_name: 'bad' }),
    ])
  const said: string[] = []
  const handle = ({ topic }: { readonly topic: string }): void => void said.push(topic)
  await messaging
    .consumer({ group: null, topics: [topics.alertStatus, topics.alertsDeadLetters], from: 'earliest', handle })
    .start()
  await until('both are there', () => said.length === 2)
  expect(said.sort()).toEqual(['own_letters', 'own_status'])
})

it('what cannot be read, and what is of a rule that is gone, becomes a dead letter alone, and its neighbours are folded', async () => {
  const driver = memory()
  const messaging = started(driver)
  await messaging.ensureTopics(Object.values(jsonTopics))
  const store = await storeAt('converge')
  const services = [
    repartition({ messaging: started(driver, 'transactional'), rules: convergeBook.convergeRules }),
    converge({ messaging, store, ...convergeBook }),
  ]
  for (const service of services) await service.start()
  const { alertStatus: status, convergeInput } = jsonTopics
  const [one, gone, other] = ['a.1', 'b.1', 'c.1'].map((alert_id) => alertStatusOf({ alert_id }))
  const { partition } = await messaging.producer().send(status, one!)
  const text = defineTopic({ name: status.name, value: bytes(), key: () => 'b.1' })
  await messaging.producer().send(text, Buffer.from('{"alert_id":'), { partition })
  const input = { ...inputOf(convergeBook.convergeRules, gone!)!, rule: 'gone' }
  await messaging.producer().send(convergeInput, input)
  await messaging.producer().send(status, other!)
  const letters = [
    await reasonsIn(messaging, jsonTopics.repartitionDeadLetters),
    await reasonsIn(messaging, jsonTopics.convergeDeadLetters),
  ]
  const folded = () => store.db.selectFrom('converge_relation').select('alert_id').orderBy('alert_id').execute()
  await until('all is done', async () => letters.flat().length === 2 && (await folded()).length === 2)
  expect(await folded()).toEqual([{ alert_id: 'a.1' }, { alert_id: 'c.1' }])
  expect(letters[1]).toEqual(['expected a rule named gone: repartition and converge have other rules'])
})

it('an event that the database refuses for good becomes a dead letter alone, and its neighbours are stored', async () => {
  const messaging = started(memory())
  await messaging.ensureTopics(Object.values(jsonTopics))
  const store = await storeAt('alert')
  await refuseForGood(store, 'alert', 'alert_name', 'bad')
  const events = ['good', 'bad', 'good too'].map((alert_name, n) =>
    alertEventOf({ alert_key: `${n}`.repeat(64), event_id: `e-${n}`, alert_name }),
  )
  await messaging.producer().sendMany(alerts, events)
  const service = alert({ messaging, store })
  await service.start()
  const letters = await reasonsIn(messaging, jsonTopics.alertsDeadLetters)
  await until('the letter is there', () => letters.length === 1 && service.counts().open === 2)
  expect(letters).toEqual(['the database refuses this event for good'])
  const inbox = await store.db.selectFrom('event_inbox').select(['event_id', 'outcome']).orderBy('event_id').execute()
  expect(inbox.map(({ outcome }) => outcome)).toEqual(['open', 'dead-letter', 'open'])

  // Mended and redriven, it counts.
  await sql`drop trigger refuse`.execute(store.db)
  await messaging.producer().send(alerts, events[1]!)
  await until('it is stored', () => service.counts().open === 3)
})

it('an id that databases compare each in its own way is no event, and holds nothing up', async () => {
  const messaging = started(memory())
  await messaging.ensureTopics(Object.values(jsonTopics))
  const service = alert({ messaging, store: await storeAt('alert') })
  await service.start()
  const letters = await reasonsIn(messaging, jsonTopics.alertsDeadLetters)
  const others = defineTopic({ name: alerts.name, key: 'alert_key', value: json(z.custom<AlertEvent>()) })
  for (const event_id of ['e', 'e ', 'e\0', 'e\n', 'x'.repeat(191), 'é'])
    await messaging.producer().send(others, alertEventOf({ event_id }))
  await until('all came', () => service.counts().received === 2 && letters.length === 4)
})

describe('notices', () => {
  const word = (n: number, change: Partial<Notice> = {}): Notice => ({
    ...{ notice_id: String(n).padStart(64, '0'), alert_id: 'a.1', version: n, signal: 'abnormal', receiver: 'ada' },
    ...{ channel: 'hook', severity: 2, text: 'x', at: 1_000 },
    ...change,
  })
  const run = async (channels: Channels, words: readonly Notice[], perMinute = 60) => {
    const messaging = started(memory())
    await messaging.ensureTopics(Object.values(jsonTopics))
    const store = await storeAt('notice')
    const service = notice({ messaging, store, channels, perMinute })
    await service.start()
    for (const one of words) await messaging.producer().send(notices, one, { id: one.notice_id })
    return { service, store }
  }

  it('go to a webhook once each, with an idempotency key, also when they come twice', async () => {
    const keys: unknown[] = []
    const url = await serve((request) => (keys.push(request.headers['idempotency-key']), { status: 200, json: {} }))
    const { service } = await run({ hook: webhookChannel(url) }, [word(1), word(2), word(1), word(2), word(3)])
    await until('all came', () => service.counts().sent === 3)
    expect(keys).toEqual([word(1), word(2), word(3)].map(({ notice_id }) => notice_id))
  })

  it('are not sent where they did not arrive: at a redirect, with an old password, at an address that is gone', async () => {
    const asked: (string | undefined)[] = []
    const url = await serve((request) => {
      asked.push(`${request.method} ${request.headers.authorization ?? ''}`)
      return { status: Number(request.url?.slice(1)), json: {} }
    })
    const word1 = word(1)
    const outcomes = [200, 301, 307, 401, 403, 404, 500, 400, 413].map(async (status) => {
      const at = addressOf(`${url.replace('//', '//ada:p%40ss@')}${status}`)
      const failed = await webhookChannel(at.url, at.headers)(word1, new AbortController().signal).catch(
        (error: unknown) => error,
      )
      return [status, failed instanceof DeadLetter ? 'dead' : failed instanceof Error ? 'later' : 'sent']
    })
    expect(Object.fromEntries(await Promise.all(outcomes))).toEqual({
      ...{ 200: 'sent', 301: 'later', 307: 'later', 401: 'later', 403: 'later', 404: 'later', 500: 'later' },
      ...{ 400: 'dead', 413: 'dead' },
    })
    expect(new Set(asked)).toEqual(new Set([`POST Basic ${Buffer.from('ada:p@ss').toString('base64')}`]))
  })

  it('are told after a clock that was an hour ahead was put right', async () => {
    const said: string[] = []
    const hook = async ({ notice_id }: Notice): Promise<void> => void said.push(notice_id)
    const { service, store } = await run({ hook }, [word(1)], 1)
    await until('the first came', () => service.counts().sent === 1)
    await store.db
      .updateTable('notice')
      .set({ sent_at_ms: Date.now() + 3_600_000 })
      .execute()
    await clients
      .at(-1)
      ?.producer()
      .send(notices, word(2), { id: word(2).notice_id })
    await until('the next came', () => service.counts().received === 2)
    expect(said).toHaveLength(2)
  })

  it('are told once where the database refuses for good that they were, and become dead letters', async () => {
    const messaging = started(memory())
    await messaging.ensureTopics(Object.values(jsonTopics))
    const store = await storeAt('notice')
    await refuseForGood(store, 'notice', 'receiver', 'eve')
    const said: string[] = []
    const hook = async ({ receiver }: Notice): Promise<void> => void said.push(receiver)
    const service = notice({ messaging, store, channels: { hook } })
    await service.start()
    await messaging.producer().sendMany(notices, [word(1, { receiver: 'eve' }), word(2), word(3, { receiver: 'eve' })])
    const letters = await reasonsIn(messaging, jsonTopics.noticesDeadLetters)
    await until('both are there', () => letters.length === 2 && service.counts().sent === 1)
    expect(said.sort()).toEqual(['ada', 'eve', 'eve'])
    expect(new Set(letters)).toEqual(new Set(['the database refuses this notice for good']))
  })

  it('beyond what a receiver may be told in a minute are noted, not told', async () => {
    const said: string[] = []
    const hook = async ({ notice_id }: Notice): Promise<void> => void said.push(notice_id)
    const { service, store } = await run(
      { hook },
      [1, 2, 3, 4, 5].map((n) => word(n)),
      2,
    )
    await until('all came', () => service.counts().received === 5)
    expect(said).toHaveLength(2)
    const rows = await store.db.selectFrom('notice').select('outcome').orderBy('notice_id').execute()
    expect(rows.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', 'quiet', 'quiet', 'quiet'])
  })
})

describe('search', () => {
  /** What of Elasticsearch matters here: a version only goes up. */
  async function elasticDouble(refuse: (alert: AlertStatus) => boolean = () => false) {
    const documents = new Map<string, { version: number; alert: AlertStatus }>()
    let downFor = 0
    const url = await serve((request, body) => {
      if (downFor-- > 0) return { status: 503, json: {} }
      if (request.method === 'PUT') return { status: 200, json: { acknowledged: true } }
      const lines = body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as never)
      if (!request.url?.endsWith('_bulk')) {
        return {
          status: 200,
          json: { hits: { hits: [...documents.values()].map(({ alert }) => ({ _source: alert })) } },
        }
      }
      const items = []
      for (let at = 0; at < lines.length; at += 2) {
        const { index } = lines[at] as unknown as { index: { _id: string; version: number; version_type: string } }
        const alert = lines[at + 1] as unknown as AlertStatus
        if (index.version_type !== 'external') throw new Error('expected external versions')
        const isOlder = (documents.get(index._id)?.version ?? 0) >= index.version
        const isRefused = refuse(alert)
        if (!isOlder && !isRefused) documents.set(index._id, { version: index.version, alert })
        items.push({ index: isRefused ? { status: 400, error: { type: 'mapper' } } : { status: isOlder ? 409 : 201 } })
      }
      return { status: 200, json: { items } }
    })
    return { url, documents, goDown: (times: number) => (downFor = times) }
  }

  it('goes never back: what is replayed or comes late changes nothing', async () => {
    const { url, documents, goDown } = await elasticDouble()
    goDown(2)
    const messaging = started(memory())
    await messaging.ensureTopics(Object.values(jsonTopics))
    const elastic = new Elastic(url)
    const service = search({ messaging, elastic })
    await service.start()
    const versions = [1, 2, 3, 2, 1, 3].map((version) => alertStatusOf({ version }))
    for (const one of versions) await messaging.producer().send(alertStatus, one)
    await until('all came', () => service.counts().received >= 6)
    expect(documents.get('a.1')?.version).toBe(3)
    expect(service.counts()).toMatchObject({ indexed: 3, older: 3 })
    expect(await elastic.find('status:ABNORMAL')).toEqual([alertStatusOf({ version: 3 })])
  })

  it('waits where what answers is no Elasticsearch, and puts nothing aside', async () => {
    let asked = 0
    const answers: unknown[] = [{}, { items: [] }, 'hello']
    const url = await serve((request, body) => {
      if (request.method === 'PUT') return { status: 200, json: {} }
      const items = body
        .split('\n')
        .slice(0, -1)
        .filter((_, at) => at % 2 === 0)
      const json = answers[asked++] ?? { items: items.map(() => ({ index: { status: 201 } })) }
      return { status: 200, json }
    })
    const messaging = started(memory())
    await messaging.ensureTopics(Object.values(jsonTopics))
    const troubles: string[] = []
    const onTrouble = (error: unknown): void => void troubles.push(String(error))
    const service = search({ messaging, elastic: new Elastic(url), onTrouble })
    await service.start()
    await messaging.producer().send(alertStatus, alertStatusOf({ version: 1 }))
    await until('it is indexed', () => service.counts().indexed === 1)
    expect(troubles).toEqual(Array(3).fill('Unavailable: what answers is no Elasticsearch'))
  })

  it('puts what is refused for good aside, and indexes its neighbours', async () => {
    const { url, documents } = await elasticDouble(({ alert_id }) => alert_id === 'bad.1')
    const messaging = started(memory())
    await messaging.ensureTopics(Object.values(jsonTopics))
    const service = search({ messaging, elastic: new Elastic(url) })
    await service.start()
    const all = ['a.1', 'bad.1', 'c.1'].map((alert_id) => alertStatusOf({ alert_id }))
    await messaging.producer().sendMany(alertStatus, all)
    await until('both are there', () => documents.size === 2)
    const letters = await reasonsIn(messaging, jsonTopics.searchDeadLetters)
    await until('the letter is there', () => letters.length === 1)
    expect(letters).toEqual(['refused: mapper'])
  })
})
