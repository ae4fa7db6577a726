import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { healthOf, watchHealth } from '../../src/health.js'
import {
  createMessaging,
  defineTopic,
  string,
  Unavailable,
  type ConsumerSettingsOptions,
  type Messaging,
} from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { delay, until } from '../support/waiting.js'

/** `TIDEMARK_FULL=1`: ten minutes. */
const calmMs = process.env['TIDEMARK_FULL'] === '1' ? 600_000 : 60_000
const waits = { timeoutMs: 120_000 }

let cluster: KafkaCluster
const opened: Messaging[] = []

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3, proxies: true })
})
afterAll(async () => {
  await Promise.all(opened.map((messaging) => messaging.close({ timeoutMs: 2_000 })))
  await cluster?.stop()
})

function open(): Messaging {
  const driver = kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  const messaging = createMessaging({ driver, logger: 'silent', durability: 'off' })
  opened.push(messaging)
  return messaging
}

/** What is told of it now, each once. */
function codesOf(messaging: Messaging): readonly string[] {
  return [...new Set(healthOf(messaging).reasons.map(({ code }) => code))].sort()
}

const seeing = (messaging: Messaging) => ({ ...waits, seen: () => JSON.stringify(healthOf(messaging)) })

function told(messaging: Messaging, code: string): Promise<void> {
  return until(`${code} is told`, () => codesOf(messaging).includes(code), seeing(messaging))
}

function cleared(messaging: Messaging): Promise<void> {
  return until('nothing is told any more', () => codesOf(messaging).length === 0, seeing(messaging))
}

type ServiceOptions = Partial<Omit<ConsumerSettingsOptions, 'topics'>> & {
  readonly handle: (value: string) => unknown
  readonly deadLetter?: string
}

/** A consumer of a topic of its own with one record, in a messaging of its own. */
async function service(name: string, { handle, ...options }: ServiceOptions) {
  const topic = defineTopic({ name, value: string() })
  await cluster.createTopic(name, { replicationFactor: 3 })
  if (options.deadLetter !== undefined) await cluster.createTopic(options.deadLetter, { replicationFactor: 3 })
  const messaging = open()
  const consumer = messaging.consumer({
    ...{ group: name, topics: [topic], stallWarningMs: 3_000, outage: false, retry: false },
    ...options,
    handle: async ({ value }) => void (await handle(value)),
  })
  await consumer.start()
  const put = (value: string) => messaging.producer().send(topic, value)
  return { messaging, consumer, put }
}

/** A name of a group that this broker coordinates. */
async function groupOn(node: number, name: string): Promise<string> {
  for (let nth = 0; ; nth += 1) if ((await cluster.coordinatorOf(`${name}-${nth}`)) === node) return `${name}-${nth}`
}

describe('troubles of this process and of its group', { concurrent: true }, () => {
  it('a join that waits for a member that went without leaving: join-stuck, until the session of that is over', async () => {
    const gone = await service('left', { handle: () => undefined, sessionTimeoutMs: 25_000, leaveGroup: false })
    await gone.consumer.stop()
    const messaging = open()
    const topics = [defineTopic({ name: 'left', value: string() })]
    const started = messaging.consumer({ group: 'left', topics, handle: () => undefined }).start({ timeoutMs: 120_000 })
    await told(messaging, 'join-stuck')
    expect(codesOf(messaging)).toEqual(['consumer-starting', 'join-stuck'])
    expect(healthOf(messaging).status).toBe('not-ready')
    await started
    await cleared(messaging)
  })

  it('a record that fails again and again: head-blocked, until it succeeds', async () => {
    const trouble: { handler: 'broken' | 'mended' } = { handler: 'broken' }
    const { messaging, put } = await service('poisoned', {
      retry: { retries: 1_000, backoff: { initialMs: 100, maxMs: 500 }, budgetMs: 3_600_000 },
      handle: () => {
        if (trouble.handler === 'broken') throw new Error('poison')
      },
    })
    await put('poison')
    await told(messaging, 'head-blocked')
    expect(healthOf(messaging)).toMatchObject({
      status: 'degraded',
      reasons: [{ code: 'head-blocked', topic: 'poisoned', partition: 0, group: 'poisoned' }],
    })
    trouble.handler = 'mended'
    await cleared(messaging)
  })

  it('a database that is down: breaker-open, until it is there again', async () => {
    const database: { state: 'down' | 'up' } = { state: 'down' }
    const { messaging, put } = await service('outage', {
      outage: {},
      handle: () => {
        if (database.state === 'down') throw new Unavailable('the database is down')
      },
    })
    await put('x')
    await told(messaging, 'breaker-open')
    expect(codesOf(messaging)).toEqual(['breaker-open'])
    database.state = 'up'
    await cleared(messaging)
  })

  it('a dead-letter topic that was deleted: dead-letters-failing, until it is there again', async () => {
    const { messaging, put } = await service('letters', {
      deadLetter: 'letters.dlq',
      handle: () => {
        throw new Error('poison')
      },
    })
    await cluster.deleteTopic('letters.dlq')
    await put('poison')
    await told(messaging, 'dead-letters-failing')
    expect(codesOf(messaging)).toEqual(['dead-letters-failing'])
    await cluster.createTopic('letters.dlq', { replicationFactor: 3 })
    await cleared(messaging)
  })

  it('a handler that hangs: handler-stalled, until it ends', async () => {
    let end = () => {}
    const hangs = new Promise<void>((resolve) => (end = resolve))
    const { messaging, put } = await service('hanging', { handle: () => hangs })
    await put('x')
    await told(messaging, 'handler-stalled')
    expect(codesOf(messaging)).toEqual(['handler-stalled'])
    end()
    await cleared(messaging)
  })

  it('a handler that goes on beyond its time: handler-overruns, until it ends', async () => {
    let end = () => {}
    const hangs = new Promise<void>((resolve) => (end = resolve))
    const { messaging, put } = await service('overrunning', {
      deadLetter: 'overrunning.dlq',
      handlerTimeoutMs: 1_000,
      handle: () => hangs,
    })
    await put('x')
    await told(messaging, 'handler-overruns')
    end()
    await cleared(messaging)
  })

  it('an event loop that was blocked: event-loop-blocked, for half a minute', async () => {
    const { messaging } = await service('blocked', { handle: () => undefined })
    const watch = watchHealth(messaging)
    const codes = () => watch.health().reasons.map(({ code }) => code)
    await delay(600)
    const blockedUntil = performance.now() + 2_000
    while (performance.now() < blockedUntil);
    await until('it is told', () => codes().length > 0, waits)
    expect(codes()).toEqual(['event-loop-blocked'])
    // Here the processor is shared: what blocks the loop again is told again.
    await until('it is forgotten', () => codes().length === 0, waits)
    watch.close()
  })

  it(
    `nothing is told over ${calmMs / 60_000} min of work, while members come and go`,
    { timeout: calmMs + 240_000 },
    async () => {
      const topic = defineTopic({ name: 'calm', value: string() })
      await cluster.createTopic('calm', { partitions: 6, replicationFactor: 3 })
      const producing = open()
      const producer = producing.producer()
      const reading = () => {
        const messaging = open()
        const consumer = messaging.consumer({ group: 'calm', topics: [topic], handle: () => delay(1) })
        return { messaging, consumer }
      }
      const steady = [reading(), reading()]
      for (const { consumer } of steady) await consumer.start()
      /** With what was told at first: who fails the run is to be known. */
      const said = new Map<string, unknown>()
      let rebalances = 0
      let looks = 0
      const end = performance.now() + calmMs
      const visits = async () => {
        while (performance.now() < end) {
          const visitor = reading()
          await visitor.consumer.start()
          await delay(4_000)
          await visitor.messaging.close()
          await delay(2_000)
          rebalances += 2
        }
      }
      const visiting = visits()
      while (performance.now() < end) {
        await Promise.all(Array.from({ length: 6 }, (_, at) => producer.send(topic, 'x', { key: String(at) })))
        for (const messaging of [producing, ...steady.map((one) => one.messaging)]) {
          for (const { code, ...why } of healthOf(messaging).reasons) if (!said.has(code)) said.set(code, why)
        }
        looks += 1
        await delay(250)
      }
      await visiting
      process.stdout.write(`healthy: ${looks} looks at 3 processes over ${rebalances} rebalances, told: ${said.size}\n`)
      expect([...said]).toEqual([])
      expect(rebalances).toBeGreaterThan(4)
    },
  )
})

it('brokers that do not answer: who leads, who coordinates, where reading starts, what was sent; and nothing when they are back', async () => {
  const parts = defineTopic({ name: 'parts', value: string() })
  await cluster.createTopic('parts', { partitions: 3, replicationFactor: 1 })
  await cluster.createTopic('later', { partitions: 3, replicationFactor: 1 })
  const later = defineTopic({ name: 'later', value: string() })
  // One broker is gone for who reads and writes, another for who is in its group; the third coordinates the other groups.
  const [lost, coordinator, other] = [1, 2, 3] as const
  const ofLost = [0, 1, 2]
  const leaders = await Promise.all(ofLost.map((partition) => cluster.leaderOf('parts', partition)))
  const partition = leaders.indexOf(lost)

  const member = await service('member', {
    group: await groupOn(coordinator, 'member'),
    sessionTimeoutMs: 15_000,
    handle: () => undefined,
  })
  const reader = open()
  await reader.consumer({ group: await groupOn(other, 'reader'), topics: [parts], handle: () => undefined }).start()
  const writer = open()
  await writer.producer().send(parts, 'before', { partition })
  for (const messaging of [member.messaging, reader, writer]) expect(codesOf(messaging)).toEqual([])

  const group = await groupOn(other, 'starting')
  // Its broker stores what is sent, and the answer is lost.
  const hear = cluster.proxy(lost).random({ seed: 1, loseAnswers: 1, apis: ['Produce'] })
  const sent = writer.producer().send(parts, 'in doubt', { partition })
  await told(writer, 'producer-in-doubt')
  hear()
  expect(await sent).toMatchObject({ topic: 'parts', partition })
  await cleared(writer)

  for (const node of [lost, coordinator]) cluster.proxy(node).blackHole()
  const starting = open()
  const started = starting.consumer({ group, topics: [later], handle: () => undefined }).start({ timeoutMs: 120_000 })

  // Waited for at once: a session that is lost follows on a coordinator that is gone.
  await Promise.all([
    told(reader, 'broker-silent'),
    told(starting, 'partition-without-start'),
    told(member.messaging, 'coordinator-gone'),
  ])
  expect(healthOf(reader)).toMatchObject({ status: 'degraded' })
  cluster.proxy(lost).heal()
  await told(member.messaging, 'session-lost')
  expect(healthOf(member.messaging)).toMatchObject({ status: 'not-ready' })
  cluster.proxy(coordinator).heal()

  await started
  for (const messaging of [reader, writer, starting, member.messaging]) await cleared(messaging)
})
