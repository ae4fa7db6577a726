import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { memoryDedupe } from '../../src/dedupe.js'
import {
  createMessaging,
  DeadLetter,
  defineTopic,
  string,
  tdHeader,
  type Message,
  type Messaging,
  type Topic,
} from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { redrive, type RedriveOptions } from '../../src/redrive.js'
import { recordsOf } from '../../src/testing.js'
import { dieWithUs } from '../support/reaper.js'
import { until } from '../support/waiting.js'

const letters = 10_000
const keys = 500
/** What one run may have sent and not committed: all that is on its way, and what it sends in the time of some commits. */
const mostOnTheWay = 256 + 2_500

const name = `redriven-${process.pid}-${Date.now()}`
const orders = defineTopic({ name, value: string(), partitions: 4, replicationFactor: 1 })
const dlq = defineTopic({ name: `${name}.dlq`, value: string(), deadLettersOf: orders, replicationFactor: 1 })
const other = defineTopic({ name: `${name}.other`, value: string(), partitions: 1, replicationFactor: 1 })
const options: RedriveOptions = { from: dlq, allow: [orders], group: `${name}.redrive` }

let messaging: Messaging

beforeAll(async () => {
  const brokers = [...inject('kafkaBrokers')]
  messaging = createMessaging({ driver: kafkajs({ brokers }), logger: 'silent', durability: 'off' })
  await messaging.ensureTopics([orders, dlq, other])
  const producer = messaging.producer({ lingerMs: 5 })
  const values = Array.from({ length: letters }, (_, at) => at)
  await Promise.all(values.map((at) => producer.send(orders, String(at), { key: `key ${at % keys}` })))
  const consumer = messaging.consumer({
    group: name,
    topics: [orders],
    order: 'key',
    deadLetter: { topic: dlq, breaker: false },
    handle: () => {
      throw new DeadLetter('the service was not mended yet')
    },
  })
  await consumer.start()
  await until('all are dead letters', () => consumer.lag() === 0, { timeoutMs: 60_000 })
  await consumer.stop()
})
afterAll(() => messaging?.close())

async function ends(topic: Topic): Promise<readonly number[]> {
  const [described] = await messaging.admin.describeTopics([topic.name])
  const places = (described?.partitions ?? []).map(({ partition }) => ({ topic: topic.name, partition }))
  return messaging.admin.listOffsets(places, 'latest')
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0)

it('a dry run changes nothing, and counts what would go', async () => {
  const before = [await ends(orders), await ends(dlq)]
  expect(await redrive(messaging, { ...options, dryRun: true })).toMatchObject({
    ended: 'done',
    read: letters,
    redriven: letters,
    byReason: { rejected: letters },
    toTopics: { [name]: letters },
  })
  expect([await ends(orders), await ends(dlq)]).toEqual(before)
  expect(await messaging.admin.committedOffsets(options.group)).toEqual([])
})

it('a letter whose target is not allowed is refused with a clear error, and nothing is sent', async () => {
  const before = [await ends(orders), await ends(other)]
  const running = redrive(messaging, { ...options, allow: [other], group: `${name}.refused` })
  await expect(running).rejects.toMatchObject({ code: 'outside', summary: { redriven: 0, ended: 'failed' } })
  await expect(running).rejects.toThrow(`names ${name} as its origin, which allow does not`)
  expect([await ends(orders), await ends(other)]).toEqual(before)
})

it(`a redrive of ${letters} letters that is killed -9 is finished by the next: with dedupe each takes effect once, in order of its key`, async () => {
  const path = fileURLToPath(new URL('../support/redrive-process.ts', import.meta.url))
  const brokers = [...inject('kafkaBrokers')].join(',')
  const args = ['--import', 'tsx', path, brokers, dlq.name, name, options.group, String(letters / 5)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  dieWithUs(child)
  let said = ''
  child.stdout.on('data', (text: Buffer) => (said += text.toString()))
  const signal = await new Promise((resolve) => child.once('close', (_, by) => resolve(by)))
  expect(signal, said).toBe('SIGKILL')
  const sentBefore = sum(await ends(orders)) - letters

  const second = await redrive(messaging, options)
  expect(second).toMatchObject({ ended: 'done', left: 0 })
  expect(second.redriven).toBeLessThan(letters)
  const sent = sum(await ends(orders)) - letters
  expect(sent).toBe(sentBefore + second.redriven)
  expect(sent).toBeGreaterThanOrEqual(letters)
  expect(sent - letters, 'letters that went twice').toBeLessThanOrEqual(mostOnTheWay)
  expect(await redrive(messaging, options)).toMatchObject({ read: 0, redriven: 0 })

  const copies = (await recordsOf(messaging, orders, { timeoutMs: 60_000 })).filter(({ headers }) =>
    headers.has(tdHeader.hop),
  )
  const ids = new Map<string, Set<string | undefined>>()
  for (const { value, headers } of copies) {
    ids.set(value, (ids.get(value) ?? new Set()).add(headers.get(tdHeader.redriveId)))
  }
  expect(ids.size).toBe(letters)
  expect([...ids.values()].every(({ size }) => size === 1)).toBe(true)

  const effects = new Map<string, Message<string>[]>()
  const consumer = messaging.consumer({
    group: name,
    topics: [orders],
    order: 'key',
    dedupe: memoryDedupe(),
    handle: (message) => {
      const key = String(message.key)
      effects.set(key, [...(effects.get(key) ?? []), message])
    },
  })
  await consumer.start()
  await until('all is handled', () => consumer.lag() === 0, { timeoutMs: 60_000 })
  await consumer.stop()
  expect(effects.size).toBe(keys)
  for (const [key, messages] of effects) {
    const first = Number(key.split(' ')[1])
    const wanted = Array.from({ length: letters / keys }, (_, at) => String(first + at * keys))
    expect(messages.map(({ value }) => value)).toEqual(wanted)
  }
})
