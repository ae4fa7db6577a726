import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { DriverAdmin } from '../../../../src/driver/admin.js'
import { createProtocolAdmin } from '../../../../src/protocol/admin/admin.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { noMetrics } from '../../../../src/telemetry/metrics.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ScriptedCluster } from '../cluster/scripted-cluster.js'

const throttle = { throttleTimeMs: 0 }
const named = (name: string, errorCode: number) => ({ name, errorCode, errorMessage: null })
const newTopic = (name: string, partitions = 1) => ({ name, partitions, replicationFactor: 1, configs: {} })

let clock: VirtualClock
let cluster: ScriptedCluster
let admin: DriverAdmin

beforeEach(() => {
  clock = virtualClock()
  cluster = new ScriptedCluster(clock)
  cluster.append('t', 0, 3)
  cluster.append('t', 1, 7)
  cluster.log('t', 1).leader = 2
  const settings = { clientId: 'test', logger: silentLogger, metrics: noMetrics }
  admin = createProtocolAdmin(cluster, { clock, random: seededRandom(1) }, settings)
})

const soon = () => clock.now() + 20_000
const run = <Value>(goal: Promise<Value>) => clock.runUntil(goal)

/** The controller creates what is asked for, and answers as told. */
function creating(errorCode: (name: string) => number) {
  cluster.on('createTopics', ({ topics }) => {
    for (const { name } of topics) if (errorCode(name) === 0) cluster.log(name, 0)
    return { ...throttle, topics: topics.map(({ name }) => named(name, errorCode(name))) }
  })
}

describe('createTopics', () => {
  it('creates what is missing, leaves what exists, and tells which is which', async () => {
    creating((name) => (name === 't' ? brokerCode.TOPIC_ALREADY_EXISTS : 0))
    expect(await run(admin.createTopics([newTopic('t'), newTopic('u')], soon()))).toEqual(['u'])
  })

  it('asks the new controller when the old one has stepped down', async () => {
    cluster.on('createTopics', ({ topics }) => {
      if (cluster.count('createTopics') === 1) return { ...throttle, topics: [named('u', brokerCode.NOT_CONTROLLER)] }
      for (const { name } of topics) cluster.log(name, 0)
      return { ...throttle, topics: topics.map(({ name }) => named(name, 0)) }
    })
    expect(await run(admin.createTopics([newTopic('u')], soon()))).toEqual(['u'])
    expect(cluster.count('createTopics')).toBe(2)
  })

  it('counts a topic as created when the answer to its creation was lost', async () => {
    cluster.on('createTopics', () => {
      if (cluster.count('createTopics') > 1)
        return { ...throttle, topics: [named('u', brokerCode.TOPIC_ALREADY_EXISTS)] }
      cluster.log('u', 0)
      return Promise.reject(new RequestError('connection-lost', 'maybe', 'lost'))
    })
    expect(await run(admin.createTopics([newTopic('u')], soon()))).toEqual(['u'])
  })

  it('resolves only when every partition has a leader', async () => {
    creating(() => 0)
    const from = clock.now()
    cluster.log('u', 0).leader = -1
    clock.setTimer(2_000, () => (cluster.log('u', 0).leader = 1))
    await run(admin.createTopics([newTopic('u')], soon()))
    expect(clock.now() - from).toBeGreaterThanOrEqual(2_000)
  })

  it('names the topic and what to do when the cluster refuses it', async () => {
    creating(() => brokerCode.INVALID_REPLICATION_FACTOR)
    const refused = run(admin.createTopics([newTopic('u')], soon()))
    await expect(refused).rejects.toThrow(/INVALID_REPLICATION_FACTOR.*"u".*number of brokers/)
  })

  it('keeps the words of the broker, and what to do', async () => {
    const words = "Topic 'a.b' collides with existing topics: a_b"
    const code = brokerCode.INVALID_TOPIC_EXCEPTION
    cluster.on('createTopics', () => ({
      ...throttle,
      topics: [{ name: 'a.b', errorCode: code, errorMessage: words }],
    }))
    const refused = run(admin.createTopics([newTopic('a.b')], soon()))
    await expect(refused).rejects.toThrow(
      /"a\.b"; the broker says: .*collides with existing topics: a_b; .*for the same/,
    )
  })

  it('gives up at its deadline when nobody answers, naming the topics', async () => {
    cluster.on('createTopics', () => 'silence')
    const from = clock.now()
    await expect(run(admin.createTopics([newTopic('u')], soon()))).rejects.toMatchObject({ code: 'admin-timeout' })
    expect(clock.now() - from).toBeLessThanOrEqual(20_000)
  })
})

describe('deleteTopics and createPartitions', () => {
  it('takes a topic that is gone as deleted', async () => {
    cluster.on('deleteTopics', ({ topics }) => {
      return { ...throttle, topics: topics.map((name) => named(name, brokerCode.UNKNOWN_TOPIC_OR_PARTITION)) }
    })
    await run(admin.deleteTopics(['nowhere'], soon()))
    expect(cluster.count('deleteTopics')).toBe(1)
  })

  it('resolves when the new partitions have leaders', async () => {
    cluster.on('createPartitions', ({ topics }) => {
      cluster.log('t', 2)
      return { ...throttle, topics: topics.map(({ name }) => named(name, 0)) }
    })
    await run(admin.createPartitions('t', 3, soon()))
  })

  it('refuses to shrink a topic instead of taking it for done', async () => {
    cluster.on('createPartitions', () => ({ ...throttle, topics: [named('t', brokerCode.INVALID_PARTITIONS)] }))
    await expect(run(admin.createPartitions('t', 1, soon()))).rejects.toMatchObject({ code: 'invalid-partitions' })
  })
})

describe('offsets', () => {
  it('of a partition or topic that is not there are refused at once, and not when one broker alone does not know it', async () => {
    const places = [
      [{ topic: 't', partition: 9 }, /t-9 does not exist: the topic has 2 partition/],
      [{ topic: 'nowhere', partition: 0 }, /"nowhere" does not exist; create it/],
    ] as const
    for (const [place, message] of places) {
      const from = clock.now()
      await expect(run(admin.listOffsets([place], 'latest', 'read-uncommitted', soon()))).rejects.toThrow(message)
      expect(clock.now() - from).toBeLessThan(2_000)
    }
    clock.setTimer(20, () => cluster.append('late', 0, 5))
    expect(
      await run(admin.listOffsets([{ topic: 'late', partition: 0 }], 'latest', 'read-uncommitted', soon())),
    ).toEqual([5])
  })

  it('asks each leader for its partitions and answers in the order of the question', async () => {
    const at = [1, 0].map((partition) => ({ topic: 't', partition }))
    expect(await run(admin.listOffsets(at, 'latest', 'read-uncommitted', soon()))).toEqual([7, 3])
    expect(await run(admin.listOffsets(at, { timestamp: 9 }, 'read-uncommitted', soon()))).toEqual([7, 3])
    const nodes = cluster.sent.filter(({ request }) => request.api === 'listOffsets').map(({ node }) => node)
    expect(new Set(nodes)).toEqual(new Set([1, 2]))
  })

  it('asks again while a leader is being elected', async () => {
    cluster.log('t', 0).leader = -1
    clock.setTimer(3_000, () => (cluster.log('t', 0).leader = 2))
    expect(await run(admin.listOffsets([{ topic: 't', partition: 0 }], 'latest', 'read-committed', soon()))).toEqual([
      3,
    ])
  })

  it('leaves out partitions without a commit, and follows the coordinator', async () => {
    cluster.committed.set('t-1', { offset: 4, metadata: 'm' })
    cluster.once('offsetFetch', () => ({ ...throttle, errorCode: brokerCode.NOT_COORDINATOR, partitions: [] }))
    const at = [0, 1].map((partition) => ({ topic: 't', partition }))
    expect(await run(admin.committedOffsets('g', at, soon()))).toEqual([
      { topic: 't', partition: 1, offset: 4, leaderEpoch: -1, metadata: 'm' },
    ])
  })

  it('tells the last commits although a transaction is not to be waited for, and what was before it where one holds them', async () => {
    cluster.committed.set('t-1', { offset: 4, metadata: 'm' })
    const now = () => run(admin.committedOffsets('g', [{ topic: 't', partition: 1 }], soon(), false))
    const told = [{ topic: 't', partition: 1, offset: 4, leaderEpoch: -1, metadata: 'm' }]
    expect(await now()).toEqual(told)
    // A coordinator that has just taken over may tell older ones where it is not asked for stable offsets.
    expect(cluster.requests('offsetFetch').map(({ requireStable }) => requireStable)).toEqual([true])
    const held = { topic: 't', partition: 1, offset: -1, leaderEpoch: -1, metadata: '' }
    cluster.once('offsetFetch', () => {
      return { ...throttle, errorCode: 0, partitions: [{ ...held, errorCode: brokerCode.UNSTABLE_OFFSET_COMMIT }] }
    })
    expect(await now()).toEqual(told)
    expect(cluster.requests('offsetFetch').map(({ requireStable }) => requireStable)).toEqual([true, true, false])
  })

  it('leaves out topics that do not exist when it describes', async () => {
    const found = await run(admin.describeTopics(['t', 'nowhere'], soon()))
    expect(found.map(({ name, partitions }) => [name, partitions.length])).toEqual([['t', 2]])
  })

  it('asks nobody again who leads the topics that it has described by name', async () => {
    await run(admin.describeTopics(['t'], soon()))
    const places = [0, 1].map((partition) => ({ topic: 't', partition }))
    expect(await run(admin.listOffsets(places, 'latest', 'read-uncommitted', soon()))).toEqual([3, 7])
    expect(cluster.count('metadata')).toBe(1)
  })
})

describe('groups and transactions', () => {
  const lost = () => Promise.reject(new RequestError('connection-lost', 'maybe', 'lost on the way'))
  const transaction = { transactionalId: 'id', state: 'Ongoing', producerId: 7 }
  const details = { ...transaction, timeoutMs: 60_000, startTimeMs: -1, producerEpoch: 2, partitions: [] }
  const writing = { producerId: 7, producerEpoch: 2, lastSequence: 0, lastTimestamp: 9, currentTxnStartOffset: 1 }
  const answers = {
    listTransactions: () => ({ ...throttle, errorCode: 0, transactions: [transaction] }),
    describeTransactions: () => ({ ...throttle, transactions: [{ ...details, errorCode: 0 }] }),
    describeProducers: () => ({
      ...throttle,
      partitions: [
        {
          topic: 't',
          partition: 0,
          errorCode: 0,
          errorMessage: null,
          producers: [{ ...writing, coordinatorEpoch: 0 }],
        },
      ],
    }),
    listGroups: () => ({
      ...throttle,
      errorCode: 0,
      groups: [{ groupId: 'g', protocolType: 'consumer', state: '', type: '' }],
    }),
  }
  const calls: Readonly<Record<keyof typeof answers, () => Promise<readonly object[]>>> = {
    listTransactions: () => admin.listTransactions([], [], soon()),
    describeTransactions: () => admin.describeTransactions(['id'], soon()),
    describeProducers: () => admin.openTransactions([{ topic: 't', partition: 0 }], soon()),
    listGroups: () => admin.listGroups([], [], soon()),
  }

  it.each(Object.keys(calls) as (keyof typeof calls)[])('are asked for again when %s got no answer', async (api) => {
    for (const each of Object.keys(answers) as (keyof typeof answers)[]) {
      cluster.on(each, () => (each === api && cluster.count(api) === 1 ? lost() : answers[each]()) as never)
    }
    expect(await run(calls[api]())).toHaveLength(1)
  })

  it.each(Object.keys(calls) as (keyof typeof calls)[])(
    'give up at the deadline, and say why, when %s gets none',
    async (api) => {
      for (const each of Object.keys(answers) as (keyof typeof answers)[]) {
        cluster.on(each, () => (each === api ? lost() : answers[each]()) as never)
      }
      const from = clock.now()
      await expect(run(calls[api]())).rejects.toMatchObject({
        code: 'admin-timeout',
        message: expect.stringMatching(/while (listing|describing|looking for) .*: lost on the way/) as string,
      })
      expect(clock.now() - from).toBeGreaterThan(15_000)
    },
  )

  it('ask each leader once for the open transactions of all that it leads', async () => {
    for (const partition of [2, 3, 4, 5]) cluster.append('t', partition, 1)
    for (const partition of [3, 5]) cluster.log('t', partition).leader = 2
    cluster.on('listTransactions', () => answers.listTransactions() as never)
    cluster.on('describeProducers', ({ partitions }) => ({
      ...throttle,
      partitions: partitions.map((place) => ({
        ...place,
        errorCode: 0,
        producers: place.partition < 4 ? [] : [{ ...writing, coordinatorEpoch: 0 }],
      })),
    }))
    const places = [5, 0, 1, 2, 3, 4].map((partition) => ({ topic: 't', partition }))
    const open = await run(admin.openTransactions(places, soon()))
    expect(open.map(({ partition }) => partition)).toEqual([5, 4])
    expect(cluster.count('describeProducers')).toBe(2)
  })

  it('wait for a coordinator until the deadline, longer than for one answer', async () => {
    cluster.on('describeTransactions', answers.describeTransactions)
    const from = clock.now()
    cluster.on('findCoordinator', () =>
      clock.now() - from > 12_000
        ? 'usual'
        : {
            ...throttle,
            errorCode: brokerCode.COORDINATOR_NOT_AVAILABLE,
            errorMessage: null,
            nodeId: -1,
            host: '',
            port: 0,
          },
    )
    expect(await run(calls.describeTransactions())).toHaveLength(1)
  })
})

describe('close', () => {
  it('ends a call that waits for an answer, at once and with an error', async () => {
    cluster.on('listOffsets', () => {
      throw new RequestError('connection-lost', 'maybe', 'no answer')
    })
    const asked = admin.listOffsets([{ topic: 't', partition: 0 }], 'latest', 'read-uncommitted', soon())
    asked.catch(() => undefined) // looked at below
    await clock.advance(3_000)
    const begun = clock.now()
    await run(admin.close())
    await expect(asked).rejects.toMatchObject({ code: 'closed' })
    expect(clock.now()).toBe(begun)
    expect(clock.pendingTimers).toBe(0)
  })
})
