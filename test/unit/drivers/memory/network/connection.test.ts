import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import type { Request } from '../../../../../src/connection/requests/apis.js'
import { seededRandom } from '../../../../../src/runtime/random.js'
import { fetchRequest, joinRequest, produceBatch, produceRequest, records, setUp } from '../fixture.js'

const metadata: Request = { api: 'metadata', topics: [] }
const produceTo = (value: string, acks: 0 | 1 | -1 = -1) =>
  produceRequest([produceBatch({ topic: 't', records: records(value) })], { acks })

async function withTopic(options = {}) {
  const base = await setUp(options)
  base.cluster.createTopic('t')
  const stored = () => base.cluster.records('t', 0).map(({ value }) => String(value))
  return { ...base, stored }
}

describe('a connection to the memory cluster', () => {
  it('does not know a broker before metadata or a coordinator named it', async () => {
    const { clock, cluster } = await withTopic()
    const connection = cluster.connectionFactory().open('fresh')
    const ask = (node: number | 'bootstrap', request: Request) =>
      clock.runUntil(connection.request(node, 'main', request, clock.now() + 1_000))
    await expect(ask(0, metadata)).rejects.toMatchObject({ failure: 'unknown-node', sent: 'never' })
    await ask('bootstrap', { api: 'findCoordinator', key: 'g', keyType: 'group' })
    await ask(cluster.coordinatorOf('g'), metadata)
    for (const node of [0, 1, 2]) await ask(node, metadata)
  })

  it('cannot connect to a broker that is down, and can again when it is back', async () => {
    const { cluster, ask } = await withTopic()
    cluster.faults.stopBroker(1)
    await expect(ask(1, metadata)).rejects.toMatchObject({ failure: 'cannot-connect', sent: 'never' })
    cluster.faults.startBroker(1)
    await ask(1, metadata)
    for (const node of [0, 1, 2]) cluster.faults.stopBroker(node)
    await expect(ask('bootstrap', metadata)).rejects.toMatchObject({ failure: 'cannot-connect', sent: 'never' })
  })

  it('answers the requests of a lane in order, so that a parked one delays only its own lane', async () => {
    const { clock, send } = await withTopic()
    const seen: string[] = []
    const parked = send(0, fetchRequest('t', 0, { maxWaitMs: 300 }), 'fetch').then(() => seen.push('fetch'))
    const behind = send(0, metadata, 'fetch').then(() => seen.push('behind'))
    void send(0, metadata, 'main').then(() => seen.push('other lane'))
    await clock.runUntil(Promise.all([parked, behind]))
    expect(seen).toEqual(['other lane', 'fetch', 'behind'])
  })

  it('destroys the socket at a deadline: the late request and all others on it are in doubt', async () => {
    const { clock, cluster, send, ask } = await withTopic()
    cluster.faults.silence(0)
    const late = send(0, metadata, 'main', 100)
    const other = send(0, metadata, 'main', 5_000)
    const elsewhere = send(1, metadata, 'main', 5_000)
    await expect(clock.runUntil(late)).rejects.toMatchObject({ failure: 'timed-out', sent: 'maybe' })
    await expect(clock.runUntil(other)).rejects.toMatchObject({ failure: 'connection-lost', sent: 'maybe' })
    await clock.runUntil(elsewhere)
    cluster.faults.endSilence(0)
    await ask(0, metadata)
  })

  it('fails a request whose deadline has passed without sending it', async () => {
    const { ask, stored } = await withTopic()
    await expect(ask(0, produceTo('late'), 'main', 0)).rejects.toMatchObject({ failure: 'timed-out', sent: 'never' })
    expect(stored()).toEqual([])
  })

  it('drops the answer that comes after the deadline and takes up the lane anew', async () => {
    const { clock, send, ask } = await withTopic()
    const parked = send(0, fetchRequest('t', 0, { maxWaitMs: 500 }), 'fetch', 100)
    await expect(clock.runUntil(parked)).rejects.toMatchObject({ failure: 'timed-out' })
    expect((await ask(0, metadata, 'fetch')).throttleTimeMs).toBe(0)
    await clock.advance(1_000)
  })

  it('ends the wait when the signal aborts', async () => {
    const { clock, cluster, connection } = await withTopic()
    const abort = new AbortController()
    const deadline = clock.now() + 60_000
    const join = connection.request(cluster.coordinatorOf('g'), 'group', joinRequest(), deadline, abort.signal)
    const parked = connection.request(0, 'fetch', fetchRequest('t', 0, { maxWaitMs: 9_000 }), deadline, abort.signal)
    await clock.runUntil(join)
    const aborted = expect(clock.runUntil(parked)).rejects.toMatchObject({ failure: 'aborted', sent: 'maybe' })
    abort.abort()
    await aborted
    const late = connection.request(0, 'main', metadata, deadline, abort.signal)
    await expect(clock.runUntil(late)).rejects.toMatchObject({ failure: 'aborted', sent: 'never' })
  })

  it('rejects everything when it is closed, at once and for good', async () => {
    const { clock, connection, send } = await withTopic()
    const parked = send(0, fetchRequest('t', 0, { maxWaitMs: 9_000 }), 'fetch')
    await connection.close()
    await expect(parked).rejects.toMatchObject({ failure: 'closed', sent: 'maybe' })
    await expect(clock.runUntil(send(0, metadata))).rejects.toMatchObject({ failure: 'closed', sent: 'never' })
    await connection.close()
  })

  it('loses everything under way when the broker dies', async () => {
    const { clock, cluster, send } = await withTopic()
    const parked = send(0, fetchRequest('t', 0, { maxWaitMs: 9_000 }), 'fetch')
    await clock.advance(1)
    cluster.faults.stopBroker(0)
    await expect(parked).rejects.toMatchObject({ failure: 'connection-lost', sent: 'maybe' })
  })

  it('resolves acks=0 once the bytes are written, and breaks the connection when they are refused', async () => {
    const { clock, cluster, send, ask, stored } = await withTopic()
    expect(await ask(0, produceTo('a', 0))).toEqual({ throttleTimeMs: 0, partitions: [] })
    await clock.advance(1)
    expect(stored()).toEqual(['a'])
    cluster.faults.moveLeader('t', 0, 1)
    const refused = send(0, produceTo('b', 0))
    const parked = send(0, { ...fetchRequest('t', 0, { maxWaitMs: 500 }) })
    await clock.runUntil(refused)
    await expect(clock.runUntil(parked)).rejects.toMatchObject({ failure: 'connection-lost', sent: 'maybe' })
  })

  it('takes as long as the latency says', async () => {
    const { clock, ask } = await withTopic({ latencyMs: 30 })
    const start = clock.now()
    await ask(0, metadata)
    expect(clock.now() - start).toBe(30)
  })

  it('keeps the order of a lane though each request has another latency', async () => {
    const { clock, send, stored } = await withTopic({ latencyMs: [0, 100] })
    const values = Array.from({ length: 50 }, (_, index) => String(index))
    await clock.runUntil(Promise.all(values.map((value) => send(0, produceTo(value)))))
    expect(stored()).toEqual(values)
  })

  it('obeys a throttle time before it writes the next request, also when one is given up meanwhile', async () => {
    const { clock, cluster, ask, send } = await withTopic()
    cluster.faults.throttleNext({ api: 'metadata' }, 400)
    expect((await ask(0, metadata)).throttleTimeMs).toBe(400)
    const start = clock.now()
    await expect(ask(0, metadata, 'main', 100)).rejects.toMatchObject({ failure: 'timed-out', sent: 'never' })
    cluster.faults.throttleNext({ api: 'metadata' }, 400)
    await ask(0, metadata)
    await clock.runUntil(send(0, metadata))
    expect(clock.now() - start).toBe(800)
  })
})

describe('faults on requests', () => {
  it('lose a request before it has an effect', async () => {
    const { cluster, ask, stored } = await withTopic()
    cluster.faults.loseNextRequest({ api: 'produce' })
    await expect(ask(0, produceTo('lost'))).rejects.toMatchObject({ failure: 'connection-lost', sent: 'maybe' })
    await ask(0, produceTo('next'))
    expect(stored()).toEqual(['next'])
  })

  it('lose an answer after the effect', async () => {
    const { cluster, ask, stored } = await withTopic()
    cluster.faults.loseNextAnswer({ api: 'produce', topic: 't', nth: 2 })
    await ask(0, produceTo('first'))
    await expect(ask(0, produceTo('stored'))).rejects.toMatchObject({ failure: 'connection-lost', sent: 'maybe' })
    expect(stored()).toEqual(['first', 'stored'])
    expect(cluster.faults.injected()).toEqual({ 'lose-answer': 1 })
  })

  it('count every request that matches, also those that other rules take', async () => {
    const { cluster, ask, stored } = await withTopic()
    const { faults } = cluster
    faults.failNext({ api: 'produce' }, brokerCode.NOT_ENOUGH_REPLICAS)
    faults.failNext({ api: 'produce', nth: 3 }, brokerCode.KAFKA_STORAGE_ERROR)
    faults.failNext({ api: 'produce', nth: 3 }, brokerCode.REQUEST_TIMED_OUT)
    const codes: number[] = []
    for (const value of ['a', 'b', 'c', 'd', 'e']) {
      codes.push((await ask(0, produceTo(value))).partitions[0]?.errorCode as number)
    }
    const { NOT_ENOUGH_REPLICAS, KAFKA_STORAGE_ERROR, REQUEST_TIMED_OUT } = brokerCode
    // Two rules for one request: the older takes it, the other takes the next.
    expect(codes).toEqual([NOT_ENOUGH_REPLICAS, 0, KAFKA_STORAGE_ERROR, REQUEST_TIMED_OUT, 0])
    expect(stored()).toEqual(['b', 'e'])
  })

  it('refuse a request with a code and without an effect', async () => {
    const { cluster, ask, stored } = await withTopic()
    cluster.faults.failNext({ api: 'produce', partition: 0 }, brokerCode.KAFKA_STORAGE_ERROR)
    expect((await ask(0, produceTo('a'))).partitions).toMatchObject([{ errorCode: brokerCode.KAFKA_STORAGE_ERROR }])
    expect(stored()).toEqual([])
    cluster.faults.failNext({ api: 'metadata' }, brokerCode.LEADER_NOT_AVAILABLE)
    const answer = await ask(0, { api: 'metadata', topics: ['t'] })
    expect(answer.topics).toMatchObject([{ name: 't', errorCode: brokerCode.LEADER_NOT_AVAILABLE }])
    expect(answer.brokers).toHaveLength(3)
  })

  it('deliver a held request late, even when its client gave up and sent newer ones', async () => {
    const { clock, cluster, ask, stored } = await withTopic()
    const held = cluster.faults.holdRequest({ api: 'produce' })
    expect(held.state).toBe('waiting')
    await expect(ask(0, produceTo('straggler'), 'main', 200)).rejects.toMatchObject({ failure: 'timed-out' })
    expect(held.state).toBe('held')
    await ask(0, produceTo('newer'))
    held.release()
    await clock.advance(1)
    expect(stored()).toEqual(['newer', 'straggler'])
  })

  it('deliver a held request to the client that still waits', async () => {
    const { clock, cluster, send, stored } = await withTopic()
    const held = cluster.faults.holdRequest({ api: 'produce' })
    const answers = [send(0, produceTo('a')), send(0, produceTo('b'))]
    await clock.advance(1_000)
    expect(stored()).toEqual([])
    held.release()
    await clock.runUntil(Promise.all(answers))
    expect(stored()).toEqual(['a', 'b'])
  })

  it('never deliver a held request to a broker that was stopped', async () => {
    const { clock, cluster, ask, stored } = await withTopic()
    const held = cluster.faults.holdRequest({ api: 'produce' })
    await expect(ask(0, produceTo('gone'), 'main', 50)).rejects.toMatchObject({ failure: 'timed-out' })
    cluster.faults.stopBroker(0)
    cluster.faults.startBroker(0)
    cluster.faults.moveLeader('t', 0, 0)
    held.release()
    await clock.advance(10)
    expect(stored()).toEqual([])
  })

  it('delay a request and what follows it on its lane', async () => {
    const { clock, cluster, send, stored } = await withTopic()
    const start = clock.now()
    cluster.faults.delayNext({ api: 'produce' }, 70)
    await clock.runUntil(Promise.all([send(0, produceTo('a')), send(0, produceTo('b'))]))
    expect([clock.now() - start, stored()]).toEqual([70, ['a', 'b']])
  })

  it('silence a broker, which then carries out what it was asked meanwhile', async () => {
    const { clock, cluster, ask, send, stored } = await withTopic()
    cluster.faults.silence(0, 1_000)
    await expect(ask(0, produceTo('given up'), 'main', 300)).rejects.toMatchObject({
      failure: 'timed-out',
      sent: 'maybe',
    })
    const start = clock.now()
    await clock.runUntil(send(0, produceTo('patient')))
    expect(clock.now() - start).toBe(700)
    expect(stored()).toEqual(['given up', 'patient'])
  })

  it('turn everyone away from one broker: what was on its way is in doubt, the rest was never sent', async () => {
    const { clock, cluster, ask, send, stored } = await withTopic()
    const underWay = send(0, produceTo('under way'))
    cluster.faults.turnAway(0, 1_000)
    await expect(clock.runUntil(underWay)).rejects.toMatchObject({ failure: 'connection-lost', sent: 'maybe' })
    await expect(ask(0, produceTo('refused'))).rejects.toMatchObject({ failure: 'turned-away', sent: 'never' })
    await ask(1, metadata)
    for (let turn = 0; turn < 4; turn += 1) await ask('bootstrap', metadata, 'metadata')
    await clock.advance(1_000)
    await ask(0, produceTo('taken in'))
    expect(stored()).not.toContain('refused')
    expect(stored()).toContain('taken in')
  })

  it('keep a broker from hearing of changes: its metadata stay as they were until it catches up', async () => {
    const { clock, cluster, ask } = await withTopic()
    const leaderTold = async (node: number) =>
      (await ask(node, { api: 'metadata', topics: ['t'] })).topics[0]?.partitions[0]?.leader
    cluster.faults.lagMetadata(2, 1_000)
    cluster.faults.moveLeader('t', 0)
    cluster.createTopic('new')
    const now = cluster.partitionFacts('t', 0).leader
    expect(now).not.toBe(0)
    expect([await leaderTold(1), await leaderTold(2)]).toEqual([now, 0])
    expect((await ask(2, { api: 'metadata', topics: ['new'] })).topics[0]?.errorCode).toBe(3)
    await clock.advance(1_000)
    expect(await leaderTold(2)).toBe(now)
  })

  it('match by client and node', async () => {
    const { cluster, connect, ask } = await withTopic()
    const victim = await connect('victim')
    cluster.faults.loseNextRequest({ client: 'victim', node: 1 })
    await ask(1, metadata)
    await victim.ask(0, metadata)
    await expect(victim.ask(1, metadata)).rejects.toMatchObject({ failure: 'connection-lost' })
  })

  it('come by chance, the same for the same seed, until they are ended', async () => {
    const run = async (seed: number) => {
      const { cluster, ask, stored } = await withTopic()
      cluster.faults.random({ random: seededRandom(seed), loseRequest: 0.2, loseAnswer: 0.2, delay: 0.2, hold: 0.1 })
      const outcomes: string[] = []
      for (let index = 0; index < 100; index += 1) {
        outcomes.push(
          await ask(0, produceTo(String(index)), 'main', 1_000).then(
            () => 'ok',
            (error: Error) => error.message,
          ),
        )
      }
      cluster.faults.random(null)
      await ask(0, produceTo('end'))
      return { outcomes, injected: cluster.faults.injected(), stored: stored() }
    }
    const first = await run(5)
    expect(await run(5)).toEqual(first)
    expect((await run(6)).outcomes).not.toEqual(first.outcomes)
    expect(Object.keys(first.injected).sort()).toEqual(['delay', 'lose-answer', 'lose-request', 'random-hold'])
    expect(first.stored.length).toBeGreaterThan(first.outcomes.filter((outcome) => outcome === 'ok').length)
  })
})
