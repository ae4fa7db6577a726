import { describe, expect, it } from 'vitest'
import {
  createMessaging,
  defineTopic,
  string,
  type ClientEvent,
  type Messaging,
  type MessagingOptions,
  type Topic,
} from 'tidemark'
import { createMemoryCluster, memory, type MemoryCluster, type MemoryClusterOptions } from 'tidemark/memory'
import { seededRandom, virtualClock } from 'tidemark/testing'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { shortfalls, shortfallText } from '../../../src/operations/durability.js'
import { keptTopics, tryTopic } from '../../support/kept-topics.js'

const needs = { minReplicationFactor: 3, minInsyncReplicas: 2, uncleanLeaderElection: false }
const unsafe = { 'min.insync.replicas': '1' }
const t = defineTopic({ name: 't', value: string() })

function world(options: MemoryClusterOptions = {}, more: Partial<MessagingOptions> = {}) {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({ runtime, ...options })
  const events: ClientEvent[] = []
  const open = (own: Partial<MessagingOptions> = {}) =>
    createMessaging({ driver: memory({ cluster }), onEvent: (event) => void events.push(event), ...more, ...own })
  const run = <Value>(work: Promise<Value>) => clock.runUntil(work)
  const outcome = <Value>(work: Promise<Value>) => run(work.catch((error: unknown) => error))
  const warnings = () => events.map(({ kind }) => kind).filter((kind) => /durab|differs|single/.test(kind))
  return { clock, cluster, events, messaging: open(), open, run, outcome, warnings }
}

const stored = (cluster: MemoryCluster, topic = 't') => cluster.records(topic, 0).length

describe('what falls short of the promise', () => {
  const off = 'false'
  const cases: [replicas: number, brokers: number, inSync: string, unclean: string, found: string, grave: boolean][] = [
    [3, 3, '2', off, '', false],
    [3, 5, '2', off, '', false],
    [1, 1, '1', off, '', false],
    [1, 2, '1', off, 'replication factor is 1, wanted 2', false],
    [1, 3, '1', off, 'replication factor is 1, wanted 3', true],
    [1, 3, '1', 'true', 'replication factor is 1, wanted 3', true],
    [3, 3, '1', off, 'min.insync.replicas is 1, wanted 2', true],
    [2, 2, '1', off, 'min.insync.replicas is 1, wanted 2', true],
    [3, 3, '2', 'true', 'unclean.leader.election.enable is true, wanted false', true],
    [2, 3, '2', off, 'replication factor is 2, wanted 3 or more', false],
    [2, 2, '2', off, 'min.insync.replicas is 2, wanted less than 2', false],
    [3, 3, '3', off, 'min.insync.replicas is 3, wanted less than 3', false],
    [3, 4, '4', off, 'min.insync.replicas is 4, wanted less than 3', false],
  ]
  it.each(cases)(
    '%i replicas on %i brokers, %s in sync, unclean %s: %s',
    (replicas, brokers, inSync, unclean, found, grave) => {
      const configs = new Map([
        ['min.insync.replicas', inSync],
        ['unclean.leader.election.enable', unclean],
      ])
      const all = shortfalls(replicas, brokers, configs, needs)
      expect(all.map((one) => shortfallText(one).split(':')[0]).join()).toBe(found)
      expect(all.some((one) => one.grave)).toBe(grave)
    },
  )
})

describe('topics of a cluster of three', () => {
  it.each(keptTopics)('$name, $use: $verdict', async ({ name, replicationFactor, configs, use, verdict }) => {
    const cluster = createMemoryCluster()
    cluster.createTopic(name, { replicationFactor, configs })
    const driver = memory({ cluster })
    expect((await tryTopic(driver, { name, use })).verdict).toBe(verdict)
    const warned = verdict.replace('refused', 'goes on, warned')
    expect((await tryTopic(driver, { name, use }, 'warn')).verdict).toBe(warned)
    expect((await tryTopic(driver, { name, use }, 'off')).verdict).toBe('goes on')
    await cluster.close()
  })
})

describe('a topic that is not kept as promised', () => {
  it('is refused with its name, the values and the command that mends it; what was sent is certainly not stored', async () => {
    const { cluster, messaging, outcome } = world()
    cluster.createTopic('t', { replicationFactor: 1, configs: { 'unclean.leader.election.enable': 'true' } })
    expect(await outcome(messaging.producer().send(t, 'x'))).toMatchObject({
      code: 'not-durable',
      outcome: 'not-stored',
      topic: 't',
      retriable: false,
      message: expect.stringContaining(
        'kafka-reassign-partitions.sh --bootstrap-server broker-0.memory:9092 --execute --reassignment-json-file ' +
          `<(echo '{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[0,1,2]}]}') && kafka-configs.sh ` +
          '--bootstrap-server broker-0.memory:9092 --alter --entity-type topics --entity-name t ' +
          '--add-config unclean.leader.election.enable=false',
      ) as string,
    })
    expect(stored(cluster)).toBe(0)
    await messaging.close()
  })

  it('is refused at connect, where the topic is named', async () => {
    const { cluster, messaging, outcome } = world()
    cluster.createTopic('t', { configs: unsafe })
    const producer = messaging.producer()
    expect(await outcome(producer.connect())).toBeUndefined()
    expect(await outcome(producer.connect({ topics: [t] }))).toMatchObject({ code: 'not-durable', topic: 't' })
    const missing = defineTopic({ name: 'missing', value: string() })
    expect(await outcome(producer.connect({ topics: [missing] }))).toMatchObject({ code: 'unknown-topic' })
    expect(await outcome(producer.connect({ topics: ['t'] as never }))).toMatchObject({ name: 'ConfigError' })
    await messaging.close()
  })

  it('is refused at the start of a consumer that would write its dead letters there, and the start may be made again', async () => {
    const { cluster, messaging, outcome, run } = world()
    cluster.createTopic('t')
    cluster.createTopic('letters', { configs: unsafe })
    const options = { group: 'g', topics: [t], deadLetter: 'letters', handle: () => undefined }
    const consumer = messaging.consumer(options)
    expect(await outcome(consumer.start())).toMatchObject({ code: 'not-durable', topic: 'letters' })
    cluster.deleteTopic('letters')
    cluster.createTopic('letters')
    await run(consumer.start())
    expect(consumer.state).toBe('running')
    await run(messaging.close())
  })

  it('is let through once it was mended, without a new client', async () => {
    const { cluster, messaging, outcome, run } = world()
    cluster.createTopic('t', { configs: unsafe })
    const producer = messaging.producer()
    expect(await outcome(producer.send(t, 'x'))).toMatchObject({ code: 'not-durable' })
    cluster.deleteTopic('t')
    cluster.createTopic('t')
    expect(await run(producer.send(t, 'x'))).toMatchObject({ topic: 't' })
    await messaging.close()
  })

  it('is written to under ap, which asks nothing, and under cp where the messaging only warns, whoever names the profile', async () => {
    for (const options of [
      { profile: 'ap' },
      { durability: 'warn' },
      { profile: 'ap', durability: 'refuse' },
    ] as const) {
      const { cluster, open, run, warnings } = world()
      cluster.createTopic('t', { configs: unsafe })
      const messaging = open(options)
      await run(messaging.producer().send(t, 'x'))
      expect(warnings()).toEqual('profile' in options ? [] : ['not-durable'])
      if (options.durability === 'warn') await run(messaging.producer({ profile: 'cp' }).send(t, 'y'))
      expect(warnings()).toEqual('profile' in options ? [] : ['not-durable'])
      await messaging.close()
    }
  })
})

describe('the look at a topic', () => {
  it('is taken once: nothing that was let through is refused later, and later sends ask nothing', async () => {
    const { cluster, messaging, run, warnings } = world()
    cluster.createTopic('t')
    const [one, other] = [messaging.producer(), messaging.producer()]
    await run(one.send(t, 'a'))
    cluster.deleteTopic('t')
    cluster.createTopic('t', { configs: unsafe })
    // Any further question would go to a refusing broker, and be told.
    for (let i = 0; i < 9; i += 1) cluster.faults.failNext({ api: 'describeConfigs' }, brokerCode.INVALID_REQUEST)
    await run(one.send(t, 'b'))
    await run(other.send(t, 'c'))
    expect([stored(cluster), warnings()]).toEqual([2, []])
    await messaging.close()
  })

  it.each([
    ['that is not allowed', brokerCode.TOPIC_AUTHORIZATION_FAILED],
    ['that the broker cannot answer', brokerCode.INVALID_REQUEST],
  ])('%s is a warning, and the send goes on at once', async (_, code) => {
    const { clock, cluster, messaging, run, warnings } = world()
    cluster.createTopic('t', { configs: unsafe })
    cluster.faults.failNext({ api: 'describeConfigs' }, code)
    const since = clock.now()
    await run(messaging.producer().send(t, 'x'))
    expect([stored(cluster), warnings(), clock.now() - since < 100]).toEqual([1, ['durability-unverified'], true])
    await messaging.close()
  })

  it('that nobody answers holds a send up for 2 s and no longer, the first alone', async () => {
    const { clock, cluster, messaging, run, warnings } = world()
    cluster.createTopic('t', { configs: unsafe })
    const held = [0, 1, 2].map((node) => cluster.faults.holdRequest({ api: 'describeConfigs', node }))
    const producer = messaging.producer()
    const since = clock.now()
    await run(Promise.all([producer.send(t, 'a'), producer.send(t, 'b')]))
    const first = clock.now() - since
    expect([first >= 2_000, first < 2_100]).toEqual([true, true])
    await run(producer.send(t, 'c'))
    expect(clock.now() - since - first).toBeLessThan(10)
    expect(cluster.records('t', 0).map(({ value }) => String(value))).toEqual(['a', 'b', 'c'])
    expect(warnings()).toEqual(['durability-unverified'])
    for (const request of held) request.release()
    await messaging.close()
  })

  it('that nobody answers does not use up the time of a send that has little', async () => {
    const { cluster, messaging, run } = world()
    cluster.createTopic('t')
    for (const node of [0, 1, 2]) cluster.faults.holdRequest({ api: 'describeConfigs', node })
    expect(await run(messaging.producer({ deliveryTimeoutMs: 1_000 }).send(t, 'a'))).toMatchObject({ topic: 't' })
    await messaging.close()
  })

  it('leaves no connection and no timer behind', async () => {
    const { clock, cluster, messaging, run } = world()
    cluster.createTopic('t')
    const producer = messaging.producer()
    await run(producer.send(t, 'a'))
    await run(producer.close())
    expect(clock.pendingTimers).toBe(0)
    await messaging.close()
  })

  it('warns once of a cluster of one broker, whatever number of topics', async () => {
    const { messaging, run, warnings } = world({ brokers: 1 })
    const u = defineTopic({ name: 'u', value: string() })
    await run(messaging.ensureTopics([t, u]))
    await run(Promise.all([messaging.producer().send(t, 'a'), messaging.producer().send(u, 'a')]))
    expect(warnings()).toEqual(['single-broker'])
    await messaging.close()
  })

  it('knows of brokers that are down by the replicas of Kafka’s own topic', async () => {
    const { cluster, messaging, outcome } = world()
    cluster.createTopic('__consumer_offsets', { replicationFactor: 3 })
    cluster.createTopic('t', { replicationFactor: 1 })
    cluster.faults.stopBroker(2)
    expect(await outcome(messaging.producer().send(t, 'x'))).toMatchObject({ code: 'not-durable' })
    await messaging.close()
  })
})

describe('ensureTopics', () => {
  async function shapeOf(messaging: Messaging, name: string) {
    const [topic] = await messaging.admin.describeTopics([name])
    const configs = await messaging.admin.describeConfig('topic', name)
    const { partitions = [] } = topic ?? {}
    return [partitions.length, partitions[0]?.replicas.length, configs.get('min.insync.replicas')]
  }
  const replicas = (brokers: number, minInsyncReplicas = 1): MemoryClusterOptions => ({
    brokers,
    minInsyncReplicas,
    replicationFactor: 1,
  })

  it.each([
    ['5 brokers', 5, {}, [1, 3, '2']],
    ['3 brokers', 3, {}, [1, 3, '2']],
    ['2 brokers', 2, {}, [1, 2, '2']],
    ['1 broker', 1, {}, [1, 1, '1']],
    ['3 brokers, told otherwise', 3, { replicationFactor: 2, configs: { 'min.insync.replicas': 2 } }, [1, 2, '2']],
  ])('makes topics under cp on %s as the promise needs them', async (_, brokers, definition, shape) => {
    const { messaging, run } = world(replicas(brokers))
    const topic = defineTopic({ name: 'made', value: string(), ...definition })
    expect(await run(messaging.ensureTopics([topic]))).toEqual(['made'])
    expect(await run(shapeOf(messaging, 'made'))).toEqual(shape)
    await messaging.close()
  })

  it.each([
    [{ partitions: 3 }, 'partitions: is not an option; take it out, and write defineTopic({ name, partitions, … })'],
    [{ requireStable: true }, 'requireStable: is not an option; take it out; options are timeoutMs'],
    [{ timeoutMs: -1 }, /timeoutMs: is -1; write milliseconds/],
  ])('says of the option %j what to write in its place', async (options, said) => {
    const { messaging, run, outcome } = world()
    const told = (await outcome(messaging.ensureTopics([t], options as never))) as Error
    expect(told.message).toMatch(said)
    await run(messaging.close())
  })

  it('makes topics under ap as the brokers are set', async () => {
    const { open, run } = world(replicas(3))
    const messaging = open({ profile: 'ap' })
    await run(messaging.ensureTopics([t]))
    expect(await run(shapeOf(messaging, 't'))).toEqual([1, 1, '1'])
    await messaging.close()
  })

  it('makes none of them when one is defined as the promise cannot have it, unless it is told to warn', async () => {
    const { cluster, messaging, open, outcome, run, warnings } = world()
    const topics = [t, defineTopic({ name: 'once', value: string(), replicationFactor: 1 })]
    expect(await outcome(messaging.ensureTopics(topics))).toMatchObject({ code: 'not-durable', topic: 'once' })
    expect(cluster.topicNames()).toEqual([])
    const lenient = open({ durability: 'warn' })
    expect(await run(lenient.ensureTopics(topics))).toEqual(['t', 'once'])
    expect(warnings()).toEqual(['not-durable'])
    await Promise.all([messaging.close(), lenient.close()])
  })

  it('refuses topics that exist and are not kept as promised, all of them by name, and makes what is missing first', async () => {
    const { cluster, messaging, outcome } = world()
    cluster.createTopic('one', { configs: unsafe })
    cluster.createTopic('two', { configs: { 'unclean.leader.election.enable': 'true' } })
    const topics = ['one', 'two', 't'].map((name) => defineTopic({ name, value: string() }))
    const refusal = (await outcome(messaging.ensureTopics(topics))) as Error
    expect(refusal.message).toMatch(/2 topic\(s\)(.|\n)* one: min\.insync(.|\n)* two: unclean/)
    expect(cluster.topicNames()).toContain('t')
    await messaging.close()
  })

  it('tells topics that exist in another shape, by what differs, and leaves them as they are', async () => {
    const { cluster, events, messaging, run } = world()
    const configs = { 'cleanup.policy': 'compact', 'retention.ms': '1000' }
    cluster.createTopic('other', { partitions: 3, configs })
    cluster.createTopic('same', { partitions: 2, configs: { 'cleanup.policy': 'delete,compact' } })
    const defined: Topic[] = [
      defineTopic({
        name: 'other',
        value: string(),
        partitions: 6,
        replicationFactor: 2,
        configs: { 'cleanup.policy': 'delete', 'retention.ms': 1_000 },
      }),
      defineTopic({ name: 'same', value: string(), partitions: 2, configs: { 'cleanup.policy': 'compact,delete' } }),
      defineTopic({ name: 'silent', value: string() }),
    ]
    expect(await run(messaging.ensureTopics(defined))).toEqual(['silent'])
    expect(events.filter(({ kind }) => kind === 'topic-differs')).toMatchObject([
      {
        topic: 'other',
        differences: [
          'partitions is 3, defined 6',
          'replication factor is 3, defined 2',
          'cleanup.policy is compact, defined delete',
        ],
      },
    ])
    expect(cluster.partitionCount('other')).toBe(3)
    await messaging.close()
  })

  it.each([
    ['exists', 5, {}, 5],
    ['is made beside it', 0, { partitions: 4 }, 4],
    ['is nowhere', 0, null, 1],
  ])('gives a topic of dead letters the partitions of its source, which %s', async (_, made, source, partitions) => {
    const { cluster, messaging, run } = world()
    if (made > 0) cluster.createTopic('t', { partitions: made })
    const beside = source === null ? [] : [defineTopic({ name: 't', value: string(), ...source })]
    const letters = defineTopic({ name: 't.dlq', value: string(), deadLettersOf: t })
    await run(messaging.ensureTopics([letters, ...beside]))
    expect(cluster.partitionCount('t.dlq')).toBe(partitions)
    await messaging.close()
  })

  it('tells a topic of dead letters that has other partitions than its source', async () => {
    const { cluster, events, messaging, run } = world()
    cluster.createTopic('t', { partitions: 4 })
    cluster.createTopic('t.dlq', { partitions: 1 })
    await run(messaging.ensureTopics([defineTopic({ name: 't.dlq', value: string(), deadLettersOf: t })]))
    expect(events).toMatchObject([{ kind: 'topic-differs', differences: ['partitions is 1, defined 4'] }])
    await messaging.close()
  })
})
