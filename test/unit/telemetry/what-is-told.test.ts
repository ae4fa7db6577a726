import { defineTopic, string, type ConsumerFacts, type TidemarkError } from 'tidemark'
import type { Simulation } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { logged, open, put, simulated, t, until } from '../consumer/simulated.js'

const letters = defineTopic({ name: 't.dead', value: string() })
const quick = { sessionTimeoutMs: 6_000 }

/** Lines that tell an event, as `level kind`, in order. */
function eventsIn(
  { lines }: Pick<ReturnType<typeof logged>, 'lines'>,
  from: 'debug' | 'info' | 'warn' = 'info',
): string[] {
  const levels = ['debug', 'info', 'warn', 'error']
  return lines
    .filter(({ level, fields }) => levels.indexOf(level) >= levels.indexOf(from) && 'event' in fields)
    .map(({ level, fields }) => `${level} ${String(fields['event'])}`)
}

function one(log: ReturnType<typeof logged>, event: string): Readonly<Record<string, unknown>> {
  const found = log.lines.filter(({ fields }) => fields['event'] === event)
  expect(found.map(({ fields }) => fields['event'])).toEqual([event])
  return found[0]?.fields ?? {}
}

const secondsBetween = (lines: readonly { readonly at: number }[]) =>
  lines.slice(1).map(({ at }, index) => Math.round((at - (lines[index]?.at ?? 0)) / 1_000))

/** When lines of an event came, by the clock of the run. */
function timed({ clock }: Simulation) {
  const log = logged()
  const at: { readonly event: unknown; readonly at: number }[] = []
  const note = (level: 'info' | 'warn' | 'error') => (fields: object, message: string) => {
    at.push({ event: (fields as { readonly event?: unknown }).event, at: clock.now() })
    log.logger[level](fields, message)
  }
  const logger = { ...log.logger, info: note('info'), warn: note('warn'), error: note('error') }
  return { ...log, logger, of: (event: string) => at.filter((line) => line.event === event) }
}

describe('at info', () => {
  it('a life is told once each: connected, joined, assigned with where from, given up, left, stopped', () =>
    simulated(async (simulation) => {
      const { cluster, process } = simulation
      cluster.createTopic('t', { partitions: 2 })
      put(cluster, ['a', 'b', 'c'], 't', 1)
      const log = logged()
      const messaging = open(process('one'), { clientId: 'shop', logger: log.logger })
      const handled: string[] = []
      const producer = messaging.producer()
      const consumer = messaging.consumer({ group: 'g', topics: [t], handle: ({ value }) => void handled.push(value) })
      await consumer.start()
      await producer.send(t, 'd')
      await until(simulation, () => handled.length === 4)
      await messaging.close()
      expect(eventsIn(log).sort()).toEqual(
        ['connected', 'joined', 'assigned', 'drained', 'left', 'stopped'].map((kind) => `info ${kind}`).sort(),
      )
      expect(log.loud()).toEqual([])
      expect(one(log, 'connected')).toMatchObject({ client: 'shop', brokers: [0, 1, 2] })
      expect(one(log, 'assigned')['partitions']).toEqual([
        { topic: 't', partition: 0, offset: 0 },
        { topic: 't', partition: 1, offset: 0 },
      ])
    }))
})

describe('a handler that throws', () => {
  it('without a dead-letter topic is an error with what it said, again at rising distances, until it is mended', () =>
    simulated(async (simulation) => {
      const { cluster, clock, process } = simulation
      cluster.createTopic('t')
      put(cluster, ['secret'])
      const log = timed(simulation)
      let isMended = false
      const messaging = open(process('one'), { logger: log.logger })
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        retry: false,
        handle() {
          if (!isMended) throw new RangeError('card declined')
        },
      })
      await consumer.start()
      await clock.sleep(1_000_000)
      const stops = log.loud()
      expect(new Set(stops.map(({ fields }) => fields['event']))).toEqual(new Set(['partition-stopped']))
      expect(secondsBetween(log.of('partition-stopped'))).toEqual([60, 120, 240, 480])
      expect(stops[0]).toMatchObject({
        level: 'error',
        fields: { topic: 't', partition: 0, offset: 0 },
      })
      const { err } = stops[0]?.fields as { readonly err: TidemarkError }
      expect(err.cause).toMatchObject({ message: 'card declined' })
      expect(stops[1]?.fields).toMatchObject({ again: 1, lastsMs: 60_000 })
      isMended = true
      await consumer.restart('t', 0)
      await clock.sleep(3_600_000)
      expect(one(log, 'partition-restarted')).toMatchObject({ offset: 0 })
      expect(log.of('partition-stopped')).toHaveLength(5)
      await messaging.close()
    }))

  it('with one is a warning for the first record, then news for a minute: place, reason and what it said', () =>
    simulated(async (simulation) => {
      const { cluster, clock, process } = simulation
      cluster.createTopic('t')
      cluster.createTopic('t.dead')
      put(cluster, ['a', 'b', 'c'])
      const log = logged()
      const messaging = open(process('one'), { logger: log.logger })
      const fail = (): never => {
        throw new RangeError('card declined')
      }
      const consumer = messaging.consumer({ retry: false, group: 'g', topics: [t], deadLetter: letters, handle: fail })
      await consumer.start()
      await clock.sleep(61_000)
      put(cluster, ['d'])
      await clock.sleep(1_000)
      const told = log.lines.filter(({ fields }) => fields['event'] === 'dead-lettered')
      expect(told.map(({ level }) => level)).toEqual(['warn', 'info', 'info', 'warn'])
      expect(told[1]?.fields).toMatchObject({
        topic: 't',
        partition: 0,
        offset: 1,
        reason: 'exhausted',
        because: 'RangeError: card declined',
      })
      await messaging.close()
    }))
})

describe('a restart after a kill', () => {
  it('tells that it waits for the session of the member that was killed, and when it is in its group', () =>
    simulated(async (simulation) => {
      const { cluster, clock, process } = simulation
      cluster.createTopic('t')
      const killed = process('one')
      const settings = { group: 'g', topics: [t], handle: () => undefined } as const
      await open(killed).consumer(settings).start()
      await clock.sleep(1_000)
      killed.crash()
      const log = timed(simulation)
      const messaging = open(process('two'), { logger: log.logger })
      const began = clock.now()
      await messaging.consumer(settings).start()
      expect(clock.now() - began).toBeGreaterThan(30_000)
      const [first] = log.of('outside-group')
      expect((first?.at ?? 0) - began).toBeLessThan(12_000)
      expect(one(log, 'outside-group')['reason']).toContain('until their sessions are over')
      expect(one(log, 'inside-group-again')['lastsMs']).toBeGreaterThan(30_000)
      await messaging.close()
    }))
})

describe('a topic that is read', () => {
  const read = async (simulation: Simulation, log: ReturnType<typeof logged>, group: string | null = 'g') => {
    const messaging = open(simulation.process('one'), { logger: log.logger })
    const handled: string[] = []
    const consumer = messaging.consumer({
      group,
      topics: [t],
      handle: ({ value }) => void handled.push(value),
      ...quick,
    })
    await consumer.start()
    return { messaging, consumer, handled }
  }
  const missingIn = ({ unavailableTopics }: ConsumerFacts) => unavailableTopics

  it.each(['g', null])(
    'and does not exist is waited for, told once and in the facts, and read when it appears: group %s',
    (group) =>
      simulated(async (simulation) => {
        const { cluster, clock } = simulation
        const log = timed(simulation)
        const { messaging, consumer, handled } = await read(simulation, log, group)
        await clock.sleep(40_000)
        expect(missingIn(consumer.facts())).toEqual([{ topic: 't', why: 'missing' }])
        expect(log.loud()).toMatchObject([{ level: 'warn', fields: { event: 'topic-unavailable', topic: 't' } }])
        cluster.createTopic('t')
        put(cluster, ['a'])
        await until(simulation, () => handled.length === 1)
        expect(missingIn(consumer.facts())).toEqual([])
        expect(one(log, 'topic-available')['lastsMs']).toBeGreaterThan(38_000)
        await messaging.close()
      }),
  )

  it('and does not exist refuses the start where that was asked for, and the start may be made again', () =>
    simulated(async (simulation) => {
      const { cluster, process } = simulation
      const messaging = open(process('one'))
      const handled: string[] = []
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        missingTopics: 'refuse',
        handle: ({ value }) => void handled.push(value),
      })
      await expect(consumer.start()).rejects.toThrow(/topics "t": does not exist.*create it/s)
      cluster.createTopic('t')
      put(cluster, ['a'])
      await consumer.start()
      await until(simulation, () => handled.length === 1)
      expect(handled).toEqual(['a'])
      await messaging.close()
    }))

  it('and is deleted is told so, at rising distances, and when it is there again', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      const log = timed(simulation)
      const { messaging, consumer } = await read(simulation, log)
      await clock.sleep(5_000)
      cluster.deleteTopic('t')
      await clock.sleep(200_000)
      expect(missingIn(consumer.facts())).toEqual([{ topic: 't', why: 'deleted' }])
      expect(secondsBetween(log.of('topic-unavailable'))).toEqual([60, 120])
      // That is all there is to tell: nothing of it is left to be read, fetched or caught up with.
      expect(log.loud().filter(({ fields }) => (fields as { event?: string }).event !== 'topic-unavailable')).toEqual(
        [],
      )
      expect(consumer.facts()).toMatchObject({ pollAgeMs: 0, partitions: [{ waitsFor: null, stalledMs: 0 }] })
      await consumer.caughtUp({ timeoutMs: 1_000 })
      cluster.createTopic('t')
      await clock.sleep(61_000)
      one(log, 'topic-available')
      await messaging.close()
    }))

  it('and may not be seen is told so', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      const log = timed(simulation)
      for (let i = 0; i < 1_000; i += 1)
        cluster.faults.failNext({ api: 'metadata' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
      const { messaging, consumer } = await read(simulation, log)
      await clock.sleep(10_000)
      expect(missingIn(consumer.facts())).toEqual([{ topic: 't', why: 'forbidden' }])
      const told = log.loud().filter(({ fields }) => fields['event'] === 'topic-unavailable')
      expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('grant DESCRIBE and READ')])
      await messaging.close()
    }))
})

describe('an outage of all brokers', () => {
  it('is told once for each broker and each thing that does not go on, and so is its end; nothing is said to be over before', () =>
    simulated(async (simulation) => {
      const { cluster, clock, process } = simulation
      cluster.createTopic('t', { partitions: 6 })
      const log = timed(simulation)
      const messaging = open(process('one'), { logger: log.logger })
      const handled: string[] = []
      const producer = messaging.producer({ deliveryTimeoutMs: 600_000 })
      const consumer = messaging.consumer({ group: 'g', topics: [t], handle: ({ value }) => void handled.push(value) })
      await consumer.start()
      await producer.send(t, 'before')
      await clock.sleep(5_000)
      const from = log.lines.length
      const [down, up] = [clock.now(), () => [0, 1, 2].forEach((node) => cluster.faults.startBroker(node))]
      for (const node of [0, 1, 2]) cluster.faults.stopBroker(node)
      const sent = Array.from({ length: 6 }, (_, partition) => producer.send(t, `during ${partition}`, { partition }))
      await clock.sleep(40_000)
      const during = log.lines.slice(from).filter(({ level }) => level !== 'debug')
      const kinds = during.map(({ level, fields }) => `${level} ${String(fields['event'])}`)
      expect(kinds.filter((kind) => kind === 'warn broker-silent')).toHaveLength(3)
      expect(new Set(kinds)).toEqual(
        new Set(['warn broker-silent', 'warn deliveries-delayed', 'warn fetch-unanswered']),
      )
      expect(kinds).toHaveLength(5)
      expect(clock.now() - down).toBe(40_000)
      up()
      await Promise.all(sent)
      await until(simulation, () => handled.length === 7)
      await clock.sleep(10_000)
      const ends = eventsIn({ lines: log.lines.slice(from).filter((line) => !during.includes(line)) })
      expect(ends.filter((kind) => kind === 'info broker-answers')).toHaveLength(3)
      expect(ends.filter((kind) => kind === 'info deliveries-resumed')).toHaveLength(1)
      expect(ends.filter((kind) => kind === 'info fetch-answered')).toHaveLength(1)
      expect(ends.filter((kind) => kind.startsWith('warn'))).toEqual([])
      const debug = log.lines.slice(from).filter(({ level }) => level === 'debug')
      expect(debug.length).toBeLessThan(200)
      await messaging.close()
    }))

  it('that nothing can be sent in says that batches are stored again only when one was', () =>
    simulated(async (simulation) => {
      const { cluster, clock, process } = simulation
      cluster.createTopic('t')
      const log = timed(simulation)
      const messaging = open(process('one'), { logger: log.logger })
      const producer = messaging.producer({ deliveryTimeoutMs: 20_000 })
      await producer.send(t, 'a')
      for (const node of [0, 1, 2]) cluster.faults.stopBroker(node)
      await expect(producer.send(t, 'b')).rejects.toMatchObject({ code: 'delivery-timeout' })
      await clock.sleep(5_000)
      one(log, 'deliveries-delayed')
      expect(log.of('deliveries-resumed')).toEqual([])
      for (const node of [0, 1, 2]) cluster.faults.startBroker(node)
      await producer.send(t, 'c')
      one(log, 'deliveries-resumed')
      await messaging.close()
    }))
})

describe('a batch in doubt', () => {
  it('that the broker turns out to have is told, once', () =>
    simulated(async ({ cluster, process }) => {
      cluster.createTopic('t')
      const log = logged()
      const producer = open(process('one'), { logger: log.logger }).producer()
      await producer.send(t, 'a')
      cluster.faults.loseNextAnswer({ api: 'produce' })
      await producer.send(t, 'b')
      expect(one(log, 'doubt-resolved')).toMatchObject({ topic: 't', partition: 0, records: 1, attempts: 2 })
      expect(cluster.records('t', 0)).toHaveLength(2)
      await producer.close()
    }))
})

describe('one broker of three that is gone', () => {
  it('is told once, and that nobody needs it when others lead', () =>
    simulated(async (simulation) => {
      const { cluster, clock, process } = simulation
      cluster.createTopic('t', { partitions: 3 })
      const log = logged()
      const messaging = open(process('one'), { logger: log.logger })
      const consumer = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
      await consumer.start()
      await clock.sleep(5_000)
      cluster.faults.stopBroker(0)
      await clock.sleep(300_000)
      const kinds = eventsIn(log, 'info').filter((kind) => kind.includes('broker'))
      expect(kinds.filter((kind) => kind === 'warn broker-silent').length).toBeLessThanOrEqual(1)
      expect(kinds.length).toBeLessThanOrEqual(2)
      await messaging.close()
    }))
})
