import { describe, expect, it } from 'vitest'
import { createMessaging, SendError, type Producer } from 'tidemark'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { redrive, RedriveError, type Letter } from 'tidemark/redrive'
import {
  dlq,
  failedAt,
  headers,
  messagingOf,
  options,
  put,
  redriven,
  stored,
  textsOf,
  values,
  world,
} from './dead-letters.js'

describe('a redrive', () => {
  it('sends letters to their origin with key, value and headers as they were, and what tells of the failure is gone', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      put(
        cluster,
        [{ key: 'a', value: 'one', headers: [...headers({ tenant: '7' }), ...failedAt(11, { 'td-id': 'id-1' })] }],
        {
          partition: 1,
        },
      )
      const summary = await redriven(simulation)
      expect(summary).toMatchObject({ ended: 'done', read: 1, redriven: 1, left: 0, toTopics: { orders: 1 } })
      expect(summary.byReason).toEqual({ exhausted: 1 })
      const [record] = cluster.records('orders', 0)
      expect([record?.key?.toString(), record?.value?.toString()]).toEqual(['a', 'one'])
      expect(textsOf(record as never)).toEqual({
        tenant: '7',
        'td-id': 'id-1',
        'td-origin-topic': 'orders',
        'td-origin-partition': '0',
        'td-origin-offset': '11',
        'td-origin-timestamp': '2026-01-02T00:00:00.000Z',
        'td-first-failed-at': '2026-01-02T00:00:01.000Z',
        'td-hop': '1',
        'td-redrive-id': `${dlq}-1@0.${Date.UTC(2026, 0, 2)}`,
      })
    })
  })

  it('leaves the dead-letter topic as it is, and a second call under the same group finds nothing new', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      put(cluster, [{ headers: failedAt(0) }, { headers: failedAt(1) }])
      const before = stored(cluster, dlq)
      await redriven(simulation)
      const again = await redriven(simulation, {}, 'again')
      expect(stored(cluster, dlq)).toEqual(before)
      expect(again).toMatchObject({ ended: 'done', read: 0, redriven: 0 })
      expect(again.passedBefore).toBeGreaterThanOrEqual(2)
      expect(stored(cluster)).toHaveLength(2)
    })
  })

  it('ends at what stood there when it began: letters that come back meanwhile are left for another one', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      put(cluster, [{ value: 'first', headers: failedAt(0) }])
      const others = Array.from({ length: 10 }, (_, at) => ({ key: `k${at}`, value: `${at}`, headers: failedAt(at) }))
      put(cluster, others, { partition: 1 })
      const messaging = messagingOf(simulation.process('redrive'))
      const running = redrive(messaging, { ...options, perSecond: 10, inFlight: 2 })
      await clock.sleep(400)
      put(cluster, [{ value: 'back', headers: failedAt(0, { 'td-hop': '1' }) }])
      expect(await running).toMatchObject({ ended: 'done', redriven: 11 })
      expect(values(stored(cluster))).not.toContain('back')
      expect(await redrive(messaging, options)).toMatchObject({ ended: 'done', redriven: 1 })
      expect(values(stored(cluster))).toContain('back')
      await messaging.close()
    })
  })

  it('counts what becomes of letters by outcome and reason, and nothing in a dry run', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      const odd = failedAt(2, { 'td-reason': 'a reason of somebody else' })
      const often = failedAt(3, { 'td-hop': '3', 'td-reason': 'timeout' })
      const elsewhere = failedAt(4, { 'td-origin-topic': 'elsewhere' })
      put(
        cluster,
        [failedAt(0), failedAt(1), odd, often, elsewhere].map((given) => ({ headers: given })),
      )
      cluster.createTopic('parked')
      const counted = new Map<string, number>()
      const metrics = {
        count: (name: string, { outcome, reason }: Readonly<Record<string, string | number>>, by = 1) => {
          const key = `${outcome} ${reason}`
          if (name === 'tidemark_redrive_letters_total') counted.set(key, (counted.get(key) ?? 0) + by)
        },
        gauge: () => undefined,
        observe: () => undefined,
      }
      const { driver } = simulation.process('redrive')
      const messaging = createMessaging({ driver, durability: 'off', logger: 'silent', metrics })
      const one = {
        ...options,
        parking: 'parked',
        passOver: ['outside'] as const,
        select: { where: ({ origin }: Letter) => origin?.offset !== 0 },
      }
      await redrive(messaging, { ...one, dryRun: true })
      expect([...counted]).toEqual([])
      await redrive(messaging, one)
      expect(Object.fromEntries(counted)).toEqual({
        'not-selected exhausted': 1,
        'redriven exhausted': 1,
        'redriven other': 1,
        'parked timeout': 1,
        'refused outside': 1,
      })
      await messaging.close()
    })
  })

  it('goes on with letters that wait for their turn behind one that came meanwhile', async () => {
    await world(async (simulation) => {
      put(
        simulation.cluster,
        Array.from({ length: 6 }, (_, at) => ({ key: 'same', headers: failedAt(at) })),
      )
      const running = redriven(simulation, { perSecond: 2, stallMs: 60_000 })
      await simulation.clock.sleep(1_500)
      // Of another key, so it need not wait; those of the run all have one.
      put(simulation.cluster, [{ key: 'other', headers: failedAt(99) }])
      expect(await running).toMatchObject({ ended: 'done', redriven: 6, left: 0 })
      expect(stored(simulation.cluster).length).toBe(6)
    })
  })

  it('ends without a word of repeats, whatever came back meanwhile', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      put(cluster, [{ headers: failedAt(0) }, { headers: failedAt(1) }])
      const lines: string[] = []
      const logger = { ...silentLogger, warn: (_: object, line?: string) => void lines.push(line ?? '') }
      const { driver } = simulation.process('redrive')
      const messaging = createMessaging({ driver, durability: 'off', logger })
      const run = redrive(messaging, { ...options, perSecond: 1 })
      await clock.sleep(300)
      put(cluster, [{ headers: failedAt(2) }, { key: 'other', headers: failedAt(3) }])
      expect(await run).toMatchObject({ ended: 'done', redriven: 2, left: 0 })
      await redrive(messaging, { ...options, group: 'another', dryRun: true })
      expect(lines).toEqual([])
      expect(await redrive(messaging, options)).toMatchObject({ redriven: 2 })
      await messaging.close()
    })
  })

  it('reads no letter of a transaction that was aborted', async () => {
    await world(async (simulation) => {
      put(simulation.cluster, [{ value: 'never', headers: failedAt(0) }], { outcome: 'abort' })
      put(simulation.cluster, [{ value: 'one', headers: failedAt(1) }])
      expect(await redriven(simulation)).toMatchObject({ ended: 'done', redriven: 1 })
      expect(values(stored(simulation.cluster))).toEqual(['one'])
    })
  })

  it('changes nothing in a dry run, and counts what would go', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      put(cluster, [
        { headers: failedAt(0) },
        { headers: failedAt(1, { 'td-reason': 'timeout' }) },
        { headers: failedAt(2, { 'td-origin-topic': 'payments' }) },
        { headers: headers({ tenant: '7' }) },
      ])
      const before = [stored(cluster, dlq), stored(cluster), cluster.committed('redrive-1')]
      const summary = await redriven(simulation, { dryRun: true, passOver: ['outside', 'no-origin'] })
      expect(summary).toMatchObject({
        dryRun: true,
        ended: 'done',
        read: 4,
        redriven: 2,
        byReason: { exhausted: 1, timeout: 1 },
        refused: { outside: 1, 'no-origin': 1 },
        outside: { payments: 1 },
      })
      expect([stored(cluster, dlq), stored(cluster), cluster.committed('redrive-1')]).toEqual(before)
      await redriven(simulation, { passOver: ['outside', 'no-origin'] }, 'real')
      const after = await redriven(simulation, { dryRun: true }, 'dry again')
      expect(after).toMatchObject({ read: 0, redriven: 0 })
    })
  })

  it('sends as many letters in a second as it may', async () => {
    await world(async (simulation) => {
      put(
        simulation.cluster,
        Array.from({ length: 20 }, (_, offset) => ({ key: `k${offset}`, headers: failedAt(offset) })),
      )
      const summary = await redriven(simulation, { perSecond: 10 })
      expect(summary.redriven).toBe(20)
      expect(summary.elapsedMs).toBeGreaterThanOrEqual(1_900)
      expect(summary.elapsedMs).toBeLessThan(3_000)
      const times = stored(simulation.cluster).map(({ timestamp }) => timestamp)
      for (const from of times)
        expect(times.filter((time) => time >= from && time < from + 1_000).length).toBeLessThanOrEqual(11)
    })
  })

  it('tells how far it is about every second, and at the end', async () => {
    await world(async (simulation) => {
      put(
        simulation.cluster,
        Array.from({ length: 30 }, (_, offset) => ({ headers: failedAt(offset) })),
      )
      const told: number[] = []
      await redriven(simulation, {
        perSecond: 10,
        onProgress: ({ redriven: sent, left }) => {
          told.push(sent)
          if (left === 0) throw new Error('of the listener')
        },
      })
      expect(told.length).toBeGreaterThanOrEqual(3)
      expect(told.length).toBeLessThanOrEqual(6)
      expect([...told].sort((one, other) => one - other)).toEqual(told)
      expect(told.at(-1)).toBe(30)
    })
  })

  it('ends in order when its signal aborts, and goes on where it stood', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      put(
        cluster,
        Array.from({ length: 40 }, (_, offset) => ({
          key: `k${offset % 8}`,
          value: `${offset}`,
          headers: failedAt(offset),
        })),
      )
      const aborting = new AbortController()
      const messaging = messagingOf(simulation.process('redrive'))
      const running = redrive(messaging, { ...options, perSecond: 10, signal: aborting.signal })
      await clock.sleep(2_500)
      aborting.abort()
      const first = await running
      expect(first.ended).toBe('aborted')
      expect(first.redriven).toBeGreaterThan(5)
      expect(first.left).toBeGreaterThan(0)
      const second = await redrive(messaging, options)
      expect([second.ended, first.redriven + second.redriven]).toEqual(['done', 40])
      expect([...values(stored(cluster))].sort()).toEqual(Array.from({ length: 40 }, (_, offset) => `${offset}`).sort())
      const never = await redrive(messaging, { ...options, signal: AbortSignal.abort() })
      expect(never).toMatchObject({ ended: 'aborted', read: 0 })
      await messaging.close()
    })
  })

  it('keeps the letters of a key in order, whatever fails meanwhile', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      put(
        cluster,
        Array.from({ length: 60 }, (_, offset) => ({
          key: `k${offset % 3}`,
          value: `${offset}`,
          headers: failedAt(offset),
        })),
      )
      const messaging = messagingOf(simulation.process('redrive'))
      const running = redrive(messaging, { ...options, perSecond: 40 })
      await clock.sleep(400)
      for (const node of [1, 2, 3]) cluster.faults.loseNextAnswer({ node, api: 'produce' })
      expect(await running).toMatchObject({ ended: 'done', redriven: 60 })
      for (const key of ['k0', 'k1', 'k2']) {
        const order = stored(cluster)
          .filter((record) => record.key?.toString() === key)
          .map(({ value }) => Number(value?.toString()))
        expect(order).toEqual([...order].sort((one, other) => one - other))
        expect(order).toHaveLength(20)
      }
      await messaging.close()
    })
  })
})

describe('a letter that may not go', () => {
  const refusals: readonly (readonly [why: string, record: Parameters<typeof put>[1][number], text: RegExp])[] = [
    ['outside', { value: 'bad', headers: failedAt(1, { 'td-origin-topic': 'payments' }) }, /payments.*allow/],
    ['no-origin', { value: 'bad' }, /names no topic/],
    ['hops', { value: 'bad', headers: failedAt(1, { 'td-hop': '3' }) }, /redriven 3 time/],
    ['gone', { value: null, headers: failedAt(77, { 'td-left': 'value' }) }, /pointer/],
  ]

  it.each(refusals)(
    '(%s) ends the run before it: nothing of it is sent, and no commit passes it',
    async (why, record, text) => {
      await world(async (simulation) => {
        const { cluster } = simulation
        cluster.createTopic('payments')
        put(cluster, [
          { key: 'a', value: 'good', headers: failedAt(0) },
          { key: 'b', ...record },
          { key: 'b', headers: failedAt(2) },
        ])
        for (const name of ['first', 'second']) {
          const error = await redriven(simulation, {}, name).catch((thrown: unknown) => thrown as RedriveError)
          expect(error).toBeInstanceOf(RedriveError)
          expect(error).toMatchObject({ code: why, topic: dlq, partition: 0, offset: 1, summary: { ended: 'failed' } })
          expect((error as RedriveError).message).toMatch(text)
        }
        expect(values(stored(cluster))).toEqual(['good'])
        expect(stored(cluster, 'payments')).toEqual([])
        expect(
          cluster.committed('redrive-1').find(({ partition }) => partition === 0)?.offset ?? 0,
        ).toBeLessThanOrEqual(1)
      })
    },
  )

  it.each(refusals)('(%s) is passed over where that is said, counted, and the others go', async (why, record) => {
    await world(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('payments')
      put(cluster, [
        { key: 'b', ...record },
        { key: 'b', value: 'good', headers: failedAt(2) },
      ])
      const summary = await redriven(simulation, { passOver: [why as 'outside'] })
      expect(summary).toMatchObject({ ended: 'done', redriven: 1, refused: { [why]: 1 } })
      expect(values(stored(cluster))).toEqual(['good'])
      expect(stored(cluster, 'payments')).toEqual([])
    })
  })

  it('goes to the parking topic as it stands when it came back too often', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('orders.parked')
      const own = failedAt(1, { 'td-hop': '2' })
      put(cluster, [{ value: 'v', headers: own }])
      const summary = await redriven(simulation, { maxHops: 2, parking: 'orders.parked' })
      expect(summary).toMatchObject({ ended: 'done', redriven: 0, parked: 1 })
      const [parked] = stored(cluster, 'orders.parked')
      expect(textsOf(parked as never)).toMatchObject({
        'td-hop': '2',
        'td-reason': 'exhausted',
        'td-origin-offset': '1',
      })
      expect(stored(cluster)).toEqual([])
    })
  })
})

describe('a pointer to a record that was too large for its letter', () => {
  it('is followed: the record goes with the bytes and headers of its origin', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      put(
        cluster,
        [{ key: 'x' }, { key: 'large', value: 'all of it', headers: headers({ tenant: '7' }) }, { key: 'y' }],
        {
          topic: 'orders',
        },
      )
      put(cluster, [{ key: null, value: null, headers: failedAt(1, { 'td-left': 'value', 'td-id': 'id-9' }) }])
      expect(await redriven(simulation)).toMatchObject({ ended: 'done', redriven: 1 })
      const record = stored(cluster).at(-1)
      expect([record?.key?.toString(), record?.value?.toString()]).toEqual(['large', 'all of it'])
      expect(textsOf(record as never)).toMatchObject({
        tenant: '7',
        'td-hop': '1',
        'td-origin-offset': '1',
        'td-id': 'id-9',
      })
      expect(textsOf(record as never)).not.toHaveProperty('td-left')
    })
  })
})

describe('a pointer to a record that had been redriven', () => {
  const copied = { key: 'large', value: 'all of it', headers: failedAt(77, { 'td-hop': '1' }) }

  it.each([
    ['is followed to where that one stands when its origin is deleted', 'orders-0@0', copied, 1],
    ['is gone when another record stands there', 'orders-0@0', { ...copied, headers: failedAt(78) }, 0],
    ['is not followed to a topic that is not allowed', 'secrets-0@0', copied, 0],
    ['is gone when it names no place', 'orders-0@x', copied, 0],
  ])('%s', async (_, leftAt, record, sent) => {
    await world(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('secrets')
      for (const topic of ['orders', 'secrets']) put(cluster, [record], { topic })
      put(cluster, [
        {
          key: 'large',
          value: null,
          headers: failedAt(77, { 'td-left': 'value', 'td-left-at': leftAt, 'td-hop': '1' }),
        },
      ])
      const summary = await redriven(simulation, { passOver: ['gone'] })
      expect(summary).toMatchObject({ redriven: sent, ...(sent === 0 ? { refused: { gone: 1 } } : {}) })
      const again = stored(cluster).filter((one) => textsOf(one)['td-hop'] === '2')
      expect(again.map(({ value }) => value?.toString())).toEqual(sent === 0 ? [] : ['all of it'])
    })
  })
})

describe('a second run', () => {
  it('waits for what a member that was killed still holds, and does it', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      const letters = (from: number) =>
        Array.from({ length: 30 }, (_, at) => ({
          key: `k${from + at}`,
          value: `${from + at}`,
          headers: failedAt(from + at),
        }))
      put(cluster, letters(0), { partition: 0 })
      put(cluster, letters(30), { partition: 1 })
      const killed = simulation.process('killed')
      void redrive(messagingOf(killed), { ...options, perSecond: 5 }).catch(() => undefined)
      await clock.sleep(4_000)
      killed.crash()
      const summary = await redriven(simulation)
      expect(summary.ended).toBe('done')
      expect(new Set(values(stored(cluster)))).toEqual(new Set(Array.from({ length: 60 }, (_, at) => `${at}`)))
    })
  })

  it('beside the first one shares its letters', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      for (const partition of [0, 1]) {
        put(
          cluster,
          Array.from({ length: partition === 0 ? 4 : 30 }, (_, at) => ({
            key: `k${at}`,
            value: `${partition}-${at}`,
            headers: failedAt(at),
          })),
          { partition },
        )
      }
      const run = async (name: string) => {
        const { ended } = await redriven(simulation, { perSecond: 5 }, name)
        return [ended, new Set(values(stored(cluster))).size]
      }
      // Whichever ends first, it ends when all is done, also what the other one had to do.
      expect(await Promise.all([run('one'), run('other')])).toEqual([
        ['done', 34],
        ['done', 34],
      ])
    })
  })
})

describe('a redrive in trouble', () => {
  const twenty = Array.from({ length: 20 }, (_, at) => ({ key: `k${at}`, value: `${at}`, headers: failedAt(at) }))
  const many = (count: number, more: Readonly<Record<string, string>> = {}) =>
    Array.from({ length: count }, (_, at) => ({ key: `k${at}`, value: `${at}`, headers: failedAt(at, more) }))
  const notEnoughReplicas = 19
  const coordinatorLoading = 14

  it('waits while its target takes nothing, and goes on', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      put(cluster, twenty)
      const messaging = messagingOf(simulation.process('redrive'))
      const running = redrive(messaging, { ...options, perSecond: 10 })
      await clock.sleep(700)
      for (let at = 0; at < 200; at += 1) cluster.faults.failNext({ api: 'produce' }, notEnoughReplicas)
      await clock.sleep(8_000)
      cluster.faults.clear()
      expect(await running).toMatchObject({ ended: 'done', redriven: 20, inDoubt: 0 })
      expect([...values(stored(cluster))].sort()).toEqual(twenty.map(({ value }) => value).sort())
      await messaging.close()
    })
  })

  it('sends again with the same id what may be stored, and counts it', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      put(cluster, twenty)
      const messaging = messagingOf(simulation.process('redrive'))
      const producer = messaging.letterProducer()
      let sends = 0
      let storedTimes = 0
      const send: Producer['send'] = async (...sent) => {
        const isLost = (sends += 1) % 7 === 3
        const noAnswer = new SendError('delivery-timeout', 'unknown', 'no answer came in time')
        // Of the lost ones each other one had arrived.
        if (isLost && sends % 2 === 0) throw noAnswer
        const receipt = await producer.send(...sent)
        storedTimes += 1
        if (isLost) throw noAnswer
        return receipt
      }
      messaging.letterProducer = () => ({ send, close: () => producer.close() }) as Producer
      const summary = await redrive(messaging, options)
      expect(summary).toMatchObject({ ended: 'done', redriven: 20, inDoubt: Math.floor((sends + 4) / 7) })
      expect(summary.inDoubt).toBeGreaterThan(1)
      expect(stored(cluster)).toHaveLength(storedTimes)
      expect(storedTimes).toBeGreaterThan(20)
      expect(storedTimes).toBeLessThan(sends)
      const ids = new Map<string | undefined, Set<string | undefined>>()
      for (const record of stored(cluster)) {
        const value = record.value?.toString()
        ids.set(value, (ids.get(value) ?? new Set()).add(textsOf(record)['td-redrive-id']))
      }
      expect([...ids.keys()].sort()).toEqual(twenty.map(({ value }) => value).sort())
      expect(new Set([...ids.values()].map(({ size }) => size))).toEqual(new Set([1]))
      await messaging.close()
    })
  })

  it('ends as stalled when nothing moves, tells where it stands, and goes on from there', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      put(cluster, twenty)
      const messaging = messagingOf(simulation.process('redrive'))
      const running = redrive(messaging, { ...options, perSecond: 10, stallMs: 5_000 }).catch((error: unknown) => error)
      await clock.sleep(700)
      for (let at = 0; at < 400; at += 1) cluster.faults.failNext({ api: 'produce' }, notEnoughReplicas)
      const error = (await running) as RedriveError
      expect(error).toMatchObject({ code: 'stalled', retriable: true, summary: { ended: 'failed' } })
      expect(error.message).toMatch(/partition 0 is at \d+ of 2\d/)
      cluster.faults.clear()
      const second = await redrive(messaging, options)
      expect(second.ended).toBe('done')
      expect(new Set(values(stored(cluster)))).toEqual(new Set(twenty.map(({ value }) => value)))
      await messaging.close()
    })
  })

  it('sends on only as far as commits follow: while the coordinator takes none, a kill repeats no more than two seconds of letters', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      put(cluster, many(400))
      const messaging = messagingOf(simulation.process('redrive'))
      const waits: (string | null)[] = []
      const running = redrive(messaging, {
        ...options,
        perSecond: 50,
        onProgress: ({ waitsFor }) => void waits.push(waitsFor),
      })
      await clock.sleep(2_000)
      const before = stored(cluster).length
      expect(before).toBeGreaterThan(50)
      const refuse = () => cluster.faults.failNext({ api: 'offsetCommit' }, coordinatorLoading)
      for (let at = 0; at < 1_000; at += 1) refuse()
      await clock.sleep(10_000)
      const held = stored(cluster).length
      expect(held - before).toBeLessThan(100)
      expect(waits.at(-1)).toBe('commits of redrive-1: nobody confirms what was sent')
      cluster.faults.clear()
      await clock.sleep(10_000)
      expect(stored(cluster).length).toBeGreaterThan(held + 50)
      await running
      expect(waits.at(-1)).toBe(null)
      expect(stored(cluster)).toHaveLength(400)
      await messaging.close()
    })
  })

  it('says at once which leader its letters wait for, also in a dry run and when it ends as stalled', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('rare', { partitions: 1, replicationFactor: 1 })
      put(cluster, many(20, { 'td-origin-topic': 'rare' }))
      const messaging = messagingOf(simulation.process('looking'))
      const [described] = await messaging.admin.describeTopics(['rare'])
      cluster.faults.stopBroker(described?.partitions[0]?.leader as number)
      await clock.sleep(10_000)
      await messaging.close()
      const planned = await redriven(simulation, { allow: ['rare'], dryRun: true }, 'dry')
      expect(planned).toMatchObject({ ended: 'done', redriven: 20, waitsFor: 'a leader of rare-0' })
      const waits: (string | null)[] = []
      const startedAt = clock.now()
      const error = (await redriven(simulation, {
        allow: ['rare'],
        stallMs: 20_000,
        onProgress: ({ waitsFor, elapsedMs }) => void (elapsedMs < 3_000 && waits.push(waitsFor)),
      }).catch((one: unknown) => one)) as RedriveError
      expect(clock.now() - startedAt).toBeGreaterThan(20_000)
      expect(new Set(waits)).toEqual(new Set(['a leader of rare-0']))
      expect(error.message).toMatch(/moved for 20000 ms: .*, and waits for a leader of rare-0; see/)
      expect(error.summary.waitsFor).toBe('a leader of rare-0')
    })
  })

  it('ends when its messaging is closed', async () => {
    await world(async (simulation) => {
      const { cluster, clock } = simulation
      put(
        cluster,
        Array.from({ length: 20 }, (_, offset) => ({ headers: failedAt(offset) })),
      )
      const messaging = messagingOf(simulation.process('redrive'))
      const running = redrive(messaging, { ...options, perSecond: 1 }).catch((error: unknown) => error)
      await clock.sleep(3_000)
      await messaging.close()
      expect(await running).toMatchObject({ code: 'reader-failed', summary: { ended: 'failed' } })
    })
  })

  it('says so when a topic does not exist, or options cannot work', async () => {
    await world(async (simulation) => {
      const wrong: readonly (readonly [object, RegExp])[] = [
        [{ allow: ['orders', 'nowhere'] }, /allow: topic nowhere does not exist/],
        [{ from: 'nowhere.dlq' }, /from: topic nowhere.dlq does not exist/],
        [{ parking: 'lost' }, /parking: topic lost does not exist/],
        [{ allow: [dlq] }, /allow: is the dead-letter topic itself/],
        [{ select: { partitions: [7] } }, /select.partitions: names partition 7/],
        [{ select: { reasons: 'x' } }, /select.reasons/],
        [{ select: { reason: [] } }, /select.reason: .*at least 1/],
        [{ select: { error: 5 } }, /select.error: is 5; write a list/],
        [{ select: { offsets: { from: 7, to: 7 } } }, /select.offsets: .*before its to/],
        [{ select: { written: { from: new Date(2), to: 1 } } }, /select.written: .*before its to/],
        [{ parking: 'orders' }, /parking: is one of allow/],
        [{ perSecond: 0 }, /perSecond/],
        [{ passOver: ['everything'] }, /passOver/],
        [{ group: undefined }, /group/],
      ]
      for (const [more, text] of wrong)
        await expect(redriven(simulation, more, JSON.stringify(more))).rejects.toThrow(text)
      await expect(redrive({} as never, options)).rejects.toThrow(/messaging/)
    })
  })
})
