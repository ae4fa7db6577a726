import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { logged, open, put, simulated, t } from './simulated.js'

describe('a start that failed', () => {
  it('may be made again when the dead-letter topic is there', () =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t')
      put(cluster, ['a'])
      const handled: string[] = []
      const failures: unknown[] = []
      const messaging = open(process('one'))
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        deadLetter: 't.dlq',
        onFailed: (error) => void failures.push(error),
        handle: ({ value }) => void handled.push(value),
      })
      await expect(consumer.start()).rejects.toThrow(/t\.dlq does not exist/)
      await expect(consumer.start()).rejects.toThrow(/t\.dlq does not exist/)
      expect([consumer.state, failures]).toEqual(['idle', []])
      cluster.createTopic('t.dlq')
      await consumer.start()
      await clock.sleep(1_000)
      expect([consumer.state, handled]).toEqual(['running', ['a']])
      await messaging.close()
    }))

  it('is made no more after a stop', () =>
    simulated(async ({ cluster, process }) => {
      cluster.createTopic('t')
      const messaging = open(process('one'))
      const consumer = messaging.consumer({ group: 'g', topics: [t], deadLetter: 't.dlq', handle: () => undefined })
      await expect(consumer.start()).rejects.toThrow(/t\.dlq does not exist/)
      await consumer.stop()
      await expect(consumer.start()).rejects.toMatchObject({ code: 'wrong-state' })
      await messaging.close()
    }))

  const causes = [
    ['no broker tells of topics', 'metadata', brokerCode.COORDINATOR_NOT_AVAILABLE],
    ['no coordinator is there', 'findCoordinator', brokerCode.COORDINATOR_NOT_AVAILABLE],
    ['the group is full', 'joinGroup', brokerCode.GROUP_MAX_SIZE_REACHED],
    ['its assignment is refused', 'syncGroup', brokerCode.INVALID_REQUEST],
    ['its commits cannot be read', 'offsetFetch', brokerCode.COORDINATOR_LOAD_IN_PROGRESS],
    ['its start cannot be told', 'listOffsets', brokerCode.LEADER_NOT_AVAILABLE],
    ['its start cannot be put on record', 'offsetCommit', brokerCode.COORDINATOR_NOT_AVAILABLE],
  ] as const

  const again = causes.flatMap(([name, api, code]) => [
    { name, api, code, groupInstanceId: undefined, who: 'member' },
    { name, api, code, groupInstanceId: 'one', who: 'static member' },
  ])
  it.each(again)('may be made again by the same $who, and then handles all: $name', ({ api, code, groupInstanceId }) =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t', { partitions: 2 })
      put(cluster, ['a'])
      const one = process('one')
      const messaging = open(one)
      const handled: string[] = []
      const failures: unknown[] = []
      const consumer = messaging.consumer({
        group: 'g',
        groupInstanceId,
        topics: [t],
        // Its start is put on record.
        from: new Date(1),
        onFailed: (error) => void failures.push(error),
        handle: ({ value }) => void handled.push(value),
      })
      consumer.pause([{ topic: 't', partition: 1 }])
      for (let attempt = 0; attempt < 3; attempt += 1) {
        for (let i = 0; i < 500; i++) cluster.faults.failNext({ api }, code)
        const started = clock.now()
        if (api === 'metadata') for (const node of [0, 1, 2]) cluster.faults.silence(node)
        await expect(consumer.start({ timeoutMs: 3_000 })).rejects.toThrow()
        expect(clock.now() - started).toBeLessThanOrEqual(8_000)
        expect([consumer.state, one.openConnections, one.pendingTimers]).toEqual(['idle', 0, 0])
        cluster.faults.clear()
        for (const node of [0, 1, 2]) cluster.faults.endSilence(node)
      }
      const before = clock.now()
      await consumer.start()
      // A member that is left over would keep the group from it for a session timeout.
      expect([consumer.state, clock.now() - before < 3_000]).toEqual(['running', true])
      expect(cluster.group('g')?.members).toHaveLength(1)
      put(cluster, ['b'])
      put(cluster, ['c'], 't', 1)
      await clock.sleep(2_000)
      expect(handled.filter((value) => value === 'c')).toEqual([])
      consumer.resume([{ topic: 't', partition: 1 }])
      await clock.sleep(2_000)
      expect([handled.includes('b'), handled.includes('c'), failures]).toEqual([true, true, []])
      expect(consumer.facts()).toMatchObject({ state: 'running', error: null })
      await messaging.close()
      expect([one.openConnections, one.pendingTimers]).toEqual([0, 0])
    }),
  )

  it('and is undone when a stop comes ends as that stop does', () =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t')
      const one = process('one')
      const messaging = open(one)
      const consumer = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
      for (let i = 0; i < 500; i++) cluster.faults.failNext({ api: 'syncGroup' }, brokerCode.INVALID_REQUEST)
      const leaving = cluster.faults.holdRequest({ api: 'leaveGroup' })
      const started = consumer.start().then(() => consumer.state)
      await clock.sleep(500)
      expect([leaving.state, consumer.state]).toEqual(['held', 'starting'])
      const stopped = consumer.stop()
      leaving.release()
      await stopped
      expect(await started).toBe('stopped')
      expect([one.openConnections, one.pendingTimers]).toEqual([0, 0])
      await messaging.close()
    }))

  it.each(causes.slice(1, 4))('leaves no member, timer or connection: %s', (_, api, code) =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t', { partitions: 2 })
      put(cluster, ['a'])
      put(cluster, ['b'], 't', 1)
      for (let i = 0; i < 200; i++) cluster.faults.failNext({ api }, code)
      const one = process('one')
      const messaging = open(one)
      const consumer = messaging.consumer({ group: 'g', topics: [t], handle: () => undefined })
      await expect(consumer.start({ timeoutMs: 5_000 })).rejects.toThrow()
      await consumer.stop()
      expect([one.openConnections, one.pendingTimers]).toEqual([0, 0])
      cluster.faults.clear()

      const handled: string[] = []
      const handle = ({ value }: { readonly value: string }) => void handled.push(value)
      const other = messaging.consumer({ group: 'g', topics: [t], handle })
      const before = clock.now()
      await other.start()
      await clock.sleep(1_000)
      // A member that is left over would keep the group from it for a session timeout.
      expect([handled.sort(), clock.now() - before < 6_000]).toEqual([['a', 'b'], true])
      await messaging.close()
    }),
  )
})

describe('a stop during a start', () => {
  const waits = ['the coordinator is not there', 'its dead-letter topic is not told'] as const
  const ends = ['stop', 'forced stop', 'close', 'forced close'] as const
  const cases = waits.flatMap((wait) => ends.map((end) => [end, wait] as const))
  it.each(cases)('is no failure: %s while %s', (end, wait) =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t')
      cluster.createTopic('t.dlq')
      const api = wait === waits[0] ? 'findCoordinator' : 'metadata'
      for (let i = 0; i < 200; i++) cluster.faults.failNext({ api }, brokerCode.COORDINATOR_NOT_AVAILABLE)
      if (wait === waits[1]) for (const node of [0, 1, 2]) cluster.faults.silence(node)
      const { lines, logger } = logged()
      const messaging = open(process('one'), { logger })
      const failures: unknown[] = []
      const consumer = messaging.consumer({
        group: 'g',
        topics: [t],
        deadLetter: 't.dlq',
        onFailed: (error) => void failures.push(error),
        handle: () => undefined,
      })
      const order: string[] = []
      const started = consumer.start().then(() => order.push(`started, ${consumer.state}`))
      await clock.sleep(1_000)
      expect(consumer.state).toBe('starting')
      const force = end.startsWith('forced')
      const ended = end.endsWith('stop') ? consumer.stop({ force }) : messaging.close({ force })
      await ended.then(() => order.push('ended'))
      await started
      expect([order, failures]).toEqual([['ended', 'started, stopped'], []])
      expect(lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
      await messaging.close()
    }),
  )
})
