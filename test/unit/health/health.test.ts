import { Unavailable, type Messaging } from 'tidemark'
import { healthOf, judgeHealth } from 'tidemark/health'
import type { Simulation } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { LoopWatch } from '../../../src/health/loop-watch.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { numbered, open, put, reading, simulated, t } from '../consumer/simulated.js'
import { tries } from '../../support/long-profile.js'

const seconds = 1_000
/** Of a minute each: members come, leave and are killed. */
const rounds = tries(2, 10)

function codesOf(messaging: Messaging): string[] {
  return [...new Set(healthOf(messaging).reasons.map(({ code }) => code))].sort()
}

/** A consumer of `t` that handles as told, in a process of its own, and how it stands. */
async function service(simulation: Simulation, options: Record<string, unknown> = {}) {
  const messaging = open(simulation.process('one'))
  const consumer = messaging.consumer({
    group: 'g',
    topics: [t],
    sessionTimeoutMs: 6_000,
    stallWarningMs: 10_000,
    retry: false,
    handle: () => undefined,
    ...options,
  })
  await consumer.start()
  return { messaging, consumer, codes: () => codesOf(messaging) }
}

async function until({ clock }: Simulation, isDone: () => boolean): Promise<void> {
  for (let look = 0; look < 500 && !isDone(); look += 1) await clock.sleep(seconds / 4)
}

/** Of the group, and leads nothing of the topic. */
function silenceCoordinator({ cluster }: Simulation): number {
  const node = cluster.coordinatorOf('g')
  if (cluster.partitionFacts('t', 0).leader === node) cluster.faults.moveLeader('t', 0)
  cluster.faults.silence(node)
  return node
}

/** Waits until something is said, and a while longer for all of it. */
async function told(simulation: Simulation, codes: () => string[]): Promise<string[]> {
  await until(simulation, () => codes().length > 0)
  await simulation.clock.sleep(2 * seconds)
  return codes()
}

describe('health', () => {
  it('says that a broker is down, and nothing when it is back', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { replicationFactor: 3 })
      const { messaging, codes } = await service(simulation, { stallWarningMs: 30_000 })
      await clock.sleep(10 * seconds)
      expect(codes()).toEqual([])
      const other = [0, 1, 2].find((node) => node !== cluster.coordinatorOf('g')) as number
      cluster.faults.silence(other)
      const { leader } = cluster.partitionFacts('t', 0)
      if (leader !== other) cluster.faults.moveLeader('t', 0, other)
      expect(await told(simulation, codes)).toEqual(['broker-silent'])
      expect(healthOf(messaging)).toMatchObject({ status: 'degraded', reasons: [{ node: other }] })
      cluster.faults.endSilence(other)
      await until(simulation, () => codes().length === 0)
      expect(healthOf(messaging)).toEqual({ status: 'healthy', reasons: [] })
      await messaging.close()
    }))

  it('says that the coordinator of the group is gone', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t', { replicationFactor: 3 })
      const { messaging, codes } = await service(simulation, { sessionTimeoutMs: 60_000 })
      const node = silenceCoordinator(simulation)
      await until(simulation, () => codes().includes('coordinator-gone'))
      expect(codes()).toEqual(['broker-silent', 'coordinator-gone'])
      expect(healthOf(messaging)).toMatchObject({ status: 'not-ready', reasons: [{ group: 'g' }, {}] })
      cluster.faults.endSilence(node)
      await until(simulation, () => codes().length === 0)
      await messaging.close()
    }))

  it('says that the session is lost, and ended with it', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t', { replicationFactor: 3 })
      const { messaging, codes } = await service(simulation)
      const node = silenceCoordinator(simulation)
      await until(simulation, () => codes().includes('session-lost'))
      expect(codes()).toEqual(['broker-silent', 'session-lost'])
      cluster.faults.endSilence(node)
      await until(simulation, () => codes().length === 0)
      await messaging.close()
    }))

  it('says that a join waits for the session of a member that died, and never asks for a restart, which would not end that', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { replicationFactor: 3 })
      const dead = await reading(simulation, 'dead', { sessionTimeoutMs: 900_000, rebalanceTimeoutMs: 900_000 })
      dead.process.crash()
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
      const started = consumer.start({ timeoutMs: 1_200_000 })
      await clock.sleep(12 * seconds)
      expect(codesOf(messaging)).toEqual(['consumer-starting', 'join-stuck'])
      for (let minute = 0; minute < 14; minute += 1) {
        expect(healthOf(messaging).status).toBe('not-ready')
        await clock.sleep(60 * seconds)
      }
      await started
      await clock.sleep(seconds)
      expect(codesOf(messaging)).toEqual([])
      await messaging.close()
    }))

  it('asks no member of a group for a restart while all of them wait for one that drains for long', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { partitions: 4 })
      const eager = {
        assignors: ['range'],
        rebalanceTimeoutMs: 700_000,
        drainMs: 400_000,
        handlerTimeoutMs: 500_000,
      } as const
      const handle = () => clock.sleep(380 * seconds)
      const services = []
      for (const name of ['one', 'two', 'three']) {
        const messaging = open(simulation.process(name))
        const consumer = messaging.consumer({ group: 'g', topics: [t], stallWarningMs: 0, handle, ...eager })
        await consumer.start({ timeoutMs: 1_200_000 })
        services.push(messaging)
      }
      put(cluster, ['takes long'])
      await clock.sleep(seconds)
      const last = open(simulation.process('last'))
      const started = last.consumer({ group: 'g', topics: [t], handle, ...eager }).start({ timeoutMs: 1_200_000 })
      const worst = new Map<string, number>()
      for (let second = 0; second < 370; second += 10) {
        await clock.sleep(10 * seconds)
        for (const { status } of services.map(healthOf)) worst.set(status, (worst.get(status) ?? 0) + 1)
      }
      // Two of three have waited in their join for longer than five minutes.
      expect(worst.get('not-ready')).toBeGreaterThan((2 * 300) / 10)
      expect(worst.get('not-live')).toBeUndefined()
      await started
      await clock.sleep(seconds)
      expect([...services, last].flatMap(codesOf)).toEqual([])
      for (const messaging of [...services, last]) await messaging.close()
    }))

  it('asks for a restart when the way into the group hangs in this process', () =>
    simulated(async (simulation) => {
      simulation.cluster.createTopic('t')
      const { messaging } = await service(simulation)
      const facts = messaging.facts()
      const trouble = { kind: 'member-stuck', topic: null, partition: null, node: null, code: null } as const
      const consumers = facts.consumers.map((one) => ({ ...one, troubles: [{ ...trouble, since: 1 }] }))
      expect(judgeHealth({ ...facts, consumers })).toMatchObject({
        status: 'not-live',
        reasons: [{ code: 'member-stuck', group: 'g', since: 1 }],
      })
      await messaging.close()
    }))

  it('asks for no restart while partitions have no leader, however long that lasts', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { replicationFactor: 1 })
      const { messaging, codes } = await service(simulation)
      const { leader } = cluster.partitionFacts('t', 0)
      cluster.faults.stopBroker(leader)
      await clock.sleep(400 * seconds)
      expect(healthOf(messaging).status).not.toBe('healthy')
      expect(healthOf(messaging).status).not.toBe('not-live')
      cluster.faults.startBroker(leader)
      await until(simulation, () => codes().length === 0)
      expect(codes()).toEqual([])
      await messaging.close()
    }))

  it('says at once that a member waits for the session of who had its instance id before', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { replicationFactor: 3 })
      const named = { groupProtocol: 'consumer', groupInstanceId: 'i', sessionTimeoutMs: undefined } as const
      const dead = await reading(simulation, 'dead', named)
      dead.process.crash()
      const messaging = open(simulation.process('one'))
      const started = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined, ...named }).start()
      await clock.sleep(seconds)
      expect(codesOf(messaging)).toEqual(['consumer-starting', 'predecessor-not-gone'])
      await started
      await clock.sleep(seconds)
      expect(codesOf(messaging)).toEqual([])
      await messaging.close()
    }))

  it('says that nobody can tell where partitions start', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { replicationFactor: 3 })
      for (let nth = 1; nth <= 200; nth += 1)
        cluster.faults.failNext({ api: 'listOffsets' }, brokerCode.LEADER_NOT_AVAILABLE)
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
      const started = consumer.start()
      await clock.sleep(12 * seconds)
      expect(codesOf(messaging)).toEqual(['consumer-starting', 'partition-without-start'])
      cluster.faults.clear()
      await started
      await clock.sleep(seconds)
      expect(codesOf(messaging)).toEqual([])
      await messaging.close()
    }))

  it('says that a partition stopped at a record, and nothing once it goes on', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t')
      put(cluster, ['poison'])
      const trouble: { handler: 'broken' | 'mended' } = { handler: 'broken' }
      const handle = () => {
        if (trouble.handler === 'broken') throw new Error('poison')
      }
      const { messaging, consumer, codes } = await service(simulation, { handle, outage: false })
      expect(await told(simulation, codes)).toEqual(['partition-stopped'])
      expect(healthOf(messaging).reasons).toMatchObject([{ group: 'g', topic: 't', partition: 0 }])
      trouble.handler = 'mended'
      await consumer.restart('t', 0)
      await until(simulation, () => codes().length === 0)
      await messaging.close()
    }))

  it('says that the head of a partition fails again and again', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t')
      put(cluster, ['poison'])
      const trouble: { handler: 'broken' | 'mended' } = { handler: 'broken' }
      const handle = () => {
        if (trouble.handler === 'broken') throw new Error('poison')
      }
      const retry = { retries: 1_000, budgetMs: 3_600_000 }
      const { messaging, codes } = await service(simulation, { handle, retry, outage: false })
      expect(await told(simulation, codes)).toEqual(['head-blocked'])
      trouble.handler = 'mended'
      const said = new Set<string>()
      await until(simulation, () => {
        for (const code of codes()) said.add(code)
        return codes().length === 0
      })
      // No other reason for a stall that is over and not told yet.
      expect([...said]).toEqual(['head-blocked'])
      await messaging.close()
    }))

  it('says that the breaker is open while what handlers need is not there', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t')
      put(cluster, numbered('x', 3))
      const database: { state: 'down' | 'up' } = { state: 'down' }
      const handle = () => {
        if (database.state === 'down') throw new Unavailable('the database is down')
      }
      const { messaging, codes } = await service(simulation, { handle })
      expect(await told(simulation, codes)).toEqual(['breaker-open'])
      database.state = 'up'
      await until(simulation, () => codes().length === 0)
      await messaging.close()
    }))

  it('says that dead letters cannot be stored, since their topic is gone', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t')
      cluster.createTopic('t.dlq')
      const handle = () => {
        throw new Error('poison')
      }
      const { messaging, codes } = await service(simulation, { handle, deadLetter: 't.dlq', outage: false })
      cluster.deleteTopic('t.dlq')
      put(cluster, ['poison'])
      expect(await told(simulation, codes)).toEqual(['dead-letters-failing'])
      cluster.createTopic('t.dlq')
      await until(simulation, () => codes().length === 0)
      await messaging.close()
    }))

  it('says that a handler does not end', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      put(cluster, ['x'])
      const { messaging, codes } = await service(simulation, { handle: () => clock.sleep(60 * seconds) })
      expect(await told(simulation, codes)).toEqual(['handler-stalled'])
      await until(simulation, () => codes().length === 0)
      await messaging.close()
    }))

  it('says that a handler goes on although its time is over', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t')
      cluster.createTopic('t.dlq')
      put(cluster, ['x'])
      const options = { handle: () => clock.sleep(60 * seconds), handlerTimeoutMs: 1_000, deadLetter: 't.dlq' }
      const { messaging, codes } = await service(simulation, { ...options, outage: false })
      expect(await told(simulation, codes)).toContain('handler-overruns')
      await messaging.close({ force: true })
    }))

  it('says that the producer does not know what became of its batches', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { replicationFactor: 3 })
      const messaging = open(simulation.process('one'))
      const producer = messaging.producer()
      await producer.send(t, 'before')
      const lose = () => {
        for (let nth = 0; nth < 200; nth += 1) cluster.faults.loseNextAnswer({ api: 'produce' })
      }
      lose()
      const sent = producer.send(t, 'x').catch((error: unknown) => error)
      await until(simulation, () => codesOf(messaging).length > 0)
      expect(codesOf(messaging)).toEqual(['producer-in-doubt'])
      cluster.faults.clear()
      expect(await sent).toMatchObject({ topic: 't' })
      await clock.sleep(seconds)
      expect(codesOf(messaging)).toEqual([])
      await messaging.close()
    }))

  it('says that the event loop was blocked, for half a minute', async () => {
    let now = 0
    const shifted = { ...systemClock, now: () => systemClock.now() + now }
    const watch = new LoopWatch({ ...shifted, setTimer: (ms, callback) => systemClock.setTimer(ms / 50, callback) })
    expect(watch.delay()).toBeNull()
    now += 3_000
    await systemClock.sleep(30)
    const facts = { client: 'c', at: 0, state: 'open', producers: [], consumers: [], relays: [], troubles: [] } as const
    expect(judgeHealth(facts, watch.delay())).toMatchObject({
      status: 'degraded',
      reasons: [{ code: 'event-loop-blocked' }],
    })
    now += 31_000
    watch.close()
    expect(watch.delay()).toBeNull()
  })

  it(`says nothing over ${rounds} minutes of work with rebalances`, () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { partitions: 6 })
      const { messaging, codes } = await service(simulation)
      const said = new Set<string>()
      for (let round = 0; round < rounds; round += 1) {
        put(cluster, numbered(`round-${round}`, 20), 't', round % 6)
        const other = await reading(simulation, `other-${round}`)
        for (let second = 0; second < 30; second += 1) {
          await clock.sleep(seconds)
          for (const code of codes()) said.add(code)
        }
        if (round % 2 === 0) await other.close()
        else other.process.crash()
        for (let second = 0; second < 30; second += 1) {
          await clock.sleep(seconds)
          for (const code of codes()) said.add(code)
        }
      }
      expect([...said]).toEqual([])
      await messaging.close()
      expect(healthOf(messaging)).toMatchObject({ status: 'not-ready', reasons: [{ code: 'closing' }] })
    }))

  it('is judged as well from facts that came as JSON', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t')
      put(cluster, ['poison'])
      const handle = () => {
        throw new Error('poison')
      }
      const { messaging, codes } = await service(simulation, { handle, outage: false })
      await told(simulation, codes)
      const facts = JSON.parse(JSON.stringify(messaging.facts())) as ReturnType<Messaging['facts']>
      expect(judgeHealth(facts)).toEqual(healthOf(messaging))
      expect(healthOf(messaging).reasons.length).toBeGreaterThan(0)
      await messaging.close()
    }))
})
