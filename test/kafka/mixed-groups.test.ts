import kafkajs from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AssignorName, ConsumerSettings } from '../../src/driver/consumer.js'
import type { DriverProducer } from '../../src/driver/producer.js'
import { kafkajsConnections } from '../../src/drivers/kafkajs/connections.js'
import { partitionKey } from '../../src/message/topic-partition.js'
import { createProtocolDriver } from '../../src/protocol/driver.js'
import { systemRuntime } from '../../src/runtime/runtime.js'
import { startJavaMember, type JavaMemberOptions } from '../support/java-client.js'
import { describeGroup } from '../support/java-group-view.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { tidemarkMember, watchJoins } from '../support/tidemark-member.js'
import { connectedProducer, store } from '../support/test-records.js'
import { delay, until } from '../support/waiting.js'

const PARTITIONS = 5
const RECORDS = 20

/** One side of a mixed group. */
interface Member {
  readonly assigned: readonly string[]
  readonly records: readonly { readonly from: string; readonly value: string }[]
  /** After a join; `null` when this client does not tell. */
  readonly leads: boolean | null
  /** Leaves the group with everything committed. */
  leave(): Promise<void>
  /** What went wrong inside. */
  problems(): readonly unknown[]
}

interface Joining {
  readonly group: string
  readonly topics: readonly string[]
}

type Client = 'tidemark' | 'java' | 'kafkajs'

let cluster: KafkaCluster
let producer: DriverProducer
let cases = 0
const leftovers: (() => Promise<void>)[] = []

beforeAll(async () => {
  // Where the coordinator divides, members come into step with their heartbeats.
  const coordinators = {
    'group.consumer.min.heartbeat.interval.ms': 300,
    'group.consumer.heartbeat.interval.ms': 300,
    'group.consumer.assignment.interval.ms': 0,
  }
  cluster = await startCluster({ properties: coordinators })
})
afterEach(async () => {
  for (const end of leftovers.splice(0).reverse()) await end()
})
afterAll(async () => {
  await cluster?.stop()
})

const driver = (joined: Parameters<typeof watchJoins>[1] = () => undefined) =>
  createProtocolDriver(
    watchJoins(kafkajsConnections({ clientId: 'tidemark', brokers: [...cluster.brokers] }), joined),
    systemRuntime,
  )

const startTidemark = (joining: Joining, ...assignors: readonly AssignorName[]) => startOurs(joining, { assignors })

async function startOurs(
  { group, topics }: Joining,
  how: Pick<ConsumerSettings, 'assignors'> | Pick<ConsumerSettings, 'groupProtocol'>,
): Promise<Member & { readonly epochs: ReadonlyMap<string, number> }> {
  let leads = false
  const member = tidemarkMember(
    driver((answer) => (leads = answer.leader === answer.memberId)),
    { groupId: group, topics, ...how },
  )
  leftovers.push(() => member.stop())
  await member.start()
  return {
    get assigned() {
      return member.assigned
    },
    get epochs() {
      return new Map(
        member.consumer.assignment().map(({ topic, partition, epoch }) => [partitionKey(topic, partition), epoch]),
      )
    },
    records: member.records,
    get leads() {
      return leads
    },
    leave: () => member.stop(),
    problems: () => [...member.problems, ...member.commitFailures],
  }
}

const startJava = (joining: Joining, assignor: NonNullable<JavaMemberOptions['assignor']>) =>
  startJavaWith(joining, assignor, { 'heartbeat.interval.ms': 300, 'session.timeout.ms': 6_000 })

const startJavaDivided = (joining: Joining) => startJavaWith(joining, 'default', { 'group.protocol': 'consumer' })

async function startJavaWith(
  { group, topics }: Joining,
  assignor: NonNullable<JavaMemberOptions['assignor']>,
  settings: Readonly<Record<string, string | number>>,
): Promise<Member & { die(): Promise<void> }> {
  const properties = { 'client.id': 'java', ...settings }
  const member = await startJavaMember(cluster, { group, topics, assignor, properties })
  leftovers.push(() => member.stop())
  return {
    get assigned() {
      return member.assigned
    },
    get records() {
      return member.records.map(({ topic, partition, value }) => ({
        from: partitionKey(topic, partition),
        value: String(value),
      }))
    },
    leads: null,
    leave: () => member.stop(),
    die: () => member.kill(),
    problems: () => (member.problem === null ? [] : [member.problem]),
  }
}

async function startKafkajs({ group, topics }: Joining): Promise<Member> {
  const client = new kafkajs.Kafka({
    clientId: 'kafkajs',
    brokers: [...cluster.brokers],
    logLevel: kafkajs.logLevel.NOTHING,
  })
  const consumer = client.consumer({
    groupId: group,
    sessionTimeout: 6_000,
    heartbeatInterval: 300,
    maxWaitTimeInMs: 250,
  })
  leftovers.push(() => consumer.disconnect())
  const records: { from: string; value: string }[] = []
  const crashes: unknown[] = []
  let assigned: string[] = []
  let leads = false
  consumer.on(consumer.events.CRASH, ({ payload }) => void crashes.push(payload.error))
  consumer.on(consumer.events.REBALANCING, () => void (assigned = []))
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    leads = payload.isLeader
    assigned = Object.entries(payload.memberAssignment as Record<string, number[]>)
      .flatMap(([topic, partitions]) => partitions.map((partition) => partitionKey(topic, partition)))
      .sort()
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  await consumer.run({
    eachMessage: ({ topic, partition, message }) => {
      records.push({ from: partitionKey(topic, partition), value: String(message.value) })
      return Promise.resolve()
    },
  })
  return {
    get assigned() {
      return assigned
    },
    records,
    get leads() {
      return leads
    },
    leave: () => consumer.disconnect(),
    problems: () => crashes,
  }
}

function join(
  client: Client,
  joining: Joining,
  assignor: 'range' | 'roundrobin' | 'kafkajs-roundrobin',
): Promise<Member> {
  if (client === 'tidemark') return startTidemark(joining, assignor)
  if (client === 'kafkajs') return startKafkajs(joining)
  if (assignor === 'kafkajs-roundrobin') throw new Error('Java has no RoundRobinAssigner')
  return startJava(joining, assignor)
}

async function makeTopics(count: number): Promise<string[]> {
  cases += 1
  const made = Array.from({ length: count }, (_, index) => `mixed-${cases}-${'abc'[index]}`)
  for (const name of made) await cluster.createTopic(name, { partitions: PARTITIONS })
  producer = await connectedProducer(driver(), made)
  leftovers.push(() => producer.close())
  return made
}

const partitionsOf = (names: readonly string[]) =>
  [...new Set(names)].flatMap((topic) => Array.from({ length: PARTITIONS }, (_, at) => partitionKey(topic, at))).sort()

/** Stores records in every partition of the topics; gives their values. */
async function write(names: readonly string[], phase: string): Promise<string[]> {
  const values: string[] = []
  for (const topic of new Set(names)) {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const own = Array.from({ length: RECORDS }, (_, at) => `${phase}/${partitionKey(topic, partition)}/${at}`)
      await store(producer, { topic, partition }, own)
      values.push(...own)
    }
  }
  return values.sort()
}

const valuesOf = (...members: readonly Member[]) =>
  members.flatMap(({ records }) => records.map(({ value }) => value)).sort()
const ofPhase = (phase: string, ...members: readonly Member[]) =>
  valuesOf(...members).filter((value) => value.startsWith(`${phase}/`))

async function untilHeld(members: readonly Member[], partitions: readonly string[]): Promise<void> {
  const told = () =>
    members.map((member) => `${member.assigned.join(' ')} ${member.problems().map(String).join('; ')}`).join(' | ')
  await until(
    `${members.length} members hold ${partitions.length} partitions`,
    () => {
      const held = members.map(({ assigned }) => assigned)
      const all = held.flat().sort()
      return held.every((own) => own.length > 0) && all.join() === partitions.join()
    },
    { seen: told },
  )
}

interface Scenario {
  readonly first: Client
  readonly second: Client
  readonly assignor: 'range' | 'roundrobin' | 'kafkajs-roundrobin'
  /** Which of two topics each side reads. */
  readonly firstReads: readonly ('a' | 'b')[]
  readonly secondReads: readonly ('a' | 'b')[]
}

/** The first leads, the second joins, the first leaves; what both read and hold at each step is checked. */
async function play({ first, second, assignor, firstReads, secondReads }: Scenario): Promise<void> {
  const [a = '', b = ''] = await makeTopics(2)
  const topicOf = { a, b }
  const [firstTopics, secondTopics] = [firstReads, secondReads].map((reads) => reads.map((letter) => topicOf[letter]))
  const group = `mixed-${cases}`
  const everything = partitionsOf([...firstTopics!, ...secondTopics!])

  const alone = await write(firstTopics!, 'alone')
  const leader = await join(first, { group, topics: firstTopics! }, assignor)
  await untilHeld([leader], partitionsOf(firstTopics!))
  await until('the first read what was there', () => ofPhase('alone', leader).join() === alone.join())

  const follower = await join(second, { group, topics: secondTopics! }, assignor)
  await untilHeld([leader, follower], everything)
  expect([leader.leads, follower.leads]).toEqual([leads(first), follows(second)])

  const agreed = assignor === 'kafkajs-roundrobin' ? 'RoundRobinAssigner' : assignor
  const subscriptions = { [first]: firstTopics!, [second]: secondTopics! }
  const java = assignor === 'kafkajs-roundrobin' ? 'roundrobin' : assignor
  const view = await describeGroup(cluster, group, java, subscriptions)
  expect(view).toMatchObject({ state: 'Stable', assignor: agreed })
  expect(view.holds).toEqual({ [first]: leader.assigned, [second]: follower.assigned })
  // kafkajs deals in the order in which its metadata answer happened to list the partitions.
  if (first === 'kafkajs')
    expect([leader, follower].map(({ assigned }) => assigned.length)).toEqual([PARTITIONS, PARTITIONS])
  else expect(view.holds).toEqual(view.expected)
  // It does not look at what the others subscribed to either.
  const isAsKafkajs = second === 'kafkajs' && firstReads.join() === secondReads.join()
  if (isAsKafkajs) expect(view.holds).toEqual(await kafkajsDivides(view.members, everything))

  const together = await write([...firstTopics!, ...secondTopics!], 'together')
  await until('both read what came', () => ofPhase('together', leader, follower).length >= together.length)
  expect(ofPhase('together', leader, follower)).toEqual(together)
  for (const member of [leader, follower]) {
    const strangers = member.records.filter(
      ({ from, value }) => value.startsWith('together/') && !member.assigned.includes(from),
    )
    expect(strangers).toEqual([])
  }

  await leader.leave()
  await untilHeld([follower], partitionsOf(secondTopics!))
  const inherited = await write(secondTopics!, 'inherited')
  await until('the second read the rest', () => ofPhase('inherited', follower).join() === inherited.join())
  // Every hand-over was committed first, so nothing was read twice.
  expect(valuesOf(leader, follower)).toEqual([...alone, ...together, ...inherited].sort())

  await follower.leave()
  expect([...leader.problems(), ...follower.problems()]).toEqual([])
  const { committed } = await describeGroup(cluster, group)
  const stored = Object.fromEntries(everything.map((name) => [name, 0]))
  for (const value of [...alone, ...together, ...inherited]) stored[value.split('/')[1]!]! += 1
  expect(Object.fromEntries(committed)).toEqual(stored)
}

const leads = (client: Client) => (client === 'java' ? null : true)
const follows = (client: Client) => (client === 'java' ? null : false)

/** What kafkajs's own assigner gives for topics and partitions in order. */
async function kafkajsDivides(
  memberIds: Readonly<Record<string, string>>,
  partitions: readonly string[],
): Promise<Record<string, readonly string[]>> {
  const names = [...new Set(partitions.map((name) => name.slice(0, name.lastIndexOf('-'))))]
  const findTopicPartitionMetadata = () => Array.from({ length: PARTITIONS }, (_, partitionId) => ({ partitionId }))
  const assigner = kafkajs.PartitionAssigners.roundRobin({
    cluster: { findTopicPartitionMetadata },
  } as unknown as Parameters<typeof kafkajs.PartitionAssigners.roundRobin>[0])
  const members = Object.values(memberIds).map((memberId) => ({ memberId, memberMetadata: Buffer.alloc(0) }))
  const given = await assigner.assign({ members, topics: names })
  return Object.fromEntries(
    Object.entries(memberIds).map(([client, memberId]) => {
      const bytes = given.find((assignment) => assignment.memberId === memberId)!.memberAssignment
      const { assignment } = kafkajs.AssignerProtocol.MemberAssignment.decode(bytes)!
      const own = Object.entries(assignment).flatMap(([topic, numbers]) =>
        numbers.map((number) => partitionKey(topic, number)),
      )
      return [client, own.sort()]
    }),
  )
}

describe('a group of tidemark and a Java consumer', () => {
  const both = ['a', 'b'] as const
  it.each([
    { assignor: 'range', first: 'tidemark', second: 'java' },
    { assignor: 'range', first: 'java', second: 'tidemark' },
    { assignor: 'roundrobin', first: 'tidemark', second: 'java' },
    { assignor: 'roundrobin', first: 'java', second: 'tidemark' },
  ] as const)('shares two topics by $assignor as Java does, led by $first', (clients) =>
    play({ ...clients, firstReads: both, secondReads: both }),
  )

  it.each([
    { assignor: 'range', first: 'tidemark', second: 'java' },
    { assignor: 'range', first: 'java', second: 'tidemark' },
    { assignor: 'roundrobin', first: 'tidemark', second: 'java' },
    { assignor: 'roundrobin', first: 'java', second: 'tidemark' },
  ] as const)('gives each only topics it reads by $assignor as Java does, led by $first', (clients) =>
    play({ ...clients, firstReads: both, secondReads: ['b'] }),
  )
})

describe('a cooperative group of tidemark and a Java consumer', () => {
  const cooperative = ['cooperative-sticky', 'sticky'] as const

  it.each([
    { first: 'tidemark', java: 'cooperative-sticky' },
    { first: 'java', java: 'cooperative-sticky' },
    { first: 'tidemark', java: 'default' },
    { first: 'java', java: 'default' },
  ] as const)(
    'reads everything once while members come and go, $first first, Java with assignors $java',
    async ({ first, java }) => {
      const names = await makeTopics(1)
      const joining = { group: `mixed-${cases}`, topics: names }
      const all = partitionsOf(names)
      const start = { tidemark: () => startTidemark(joining, ...cooperative), java: () => startJava(joining, java) }
      const written = await write(names, 'alone')
      const former = await start[first]()
      await untilHeld([former], all)
      await until('the first read what was there', () => ofPhase('alone', former).length >= written.length)

      const doubled = new Set<string>()
      const members: Member[] = [former]
      const watch = setInterval(() => {
        const held = members.flatMap(({ assigned }) => assigned)
        for (const [at, name] of held.entries()) if (held.indexOf(name) !== at) doubled.add(name)
      }, 2)
      leftovers.push(() => Promise.resolve(clearInterval(watch)))
      const epochs = 'epochs' in former ? former.epochs : new Map<string, number>()
      let joins = true
      const later = start[first === 'java' ? 'tidemark' : 'java']().finally(() => (joins = false))
      for (let round = 0; joins; round += 1) written.push(...(await write(names, `during-${round}`)))
      const latter = await later
      members.push(latter)
      written.push(...(await write(names, 'divided')))
      await untilHeld(members, all)
      expect(await describeGroup(cluster, joining.group)).toMatchObject({ assignor: 'cooperative-sticky' })
      if ('epochs' in former) for (const [name, epoch] of former.epochs) expect(epochs.get(name)).toBe(epoch)

      written.push(...(await write(names, 'together')))
      await until('both read what came', () => valuesOf(...members).length >= written.length)
      await former.leave()
      members.shift()
      await untilHeld([latter], all)
      written.push(...(await write(names, 'inherited')))
      await until('the second read the rest', () => valuesOf(former, latter).length >= written.length)
      expect([...doubled]).toEqual([])
      expect(valuesOf(former, latter)).toEqual(written.sort())
      await latter.leave()
      expect([...former.problems(), ...latter.problems()]).toEqual([])
    },
  )
})

describe('a group whose coordinator divides for a Java consumer', () => {
  const ours = {
    classic: { assignors: ['cooperative-sticky', 'sticky'] },
    divided: { groupProtocol: 'consumer' },
  } as const

  it('goes from classic members of ours to consumer members and back while all read on, and nothing is missed', async () => {
    const names = await makeTopics(1)
    const joining = { group: `mixed-${cases}`, topics: names }
    const all = partitionsOf(names)
    const everyone: Member[] = []
    const written: string[] = []
    let writing: 'on' | 'off' = 'on'
    const load = (async () => {
      for (let round = 0; writing === 'on'; round += 1) {
        written.push(...(await write(names, `round-${round}`)))
        await delay(50)
      }
    })()
    const joins = async <One extends Member>(starting: Promise<One>, ...beside: readonly Member[]): Promise<One> => {
      const one = await starting
      everyone.push(one)
      await untilHeld([...beside, one], all)
      await reads(one)
      return one
    }
    const reads = async (one: Member) => {
      const before = one.records.length
      await until('it reads what comes', () => one.records.length > before + RECORDS)
    }

    const classic = await joins(startOurs(joining, ours.classic))
    // A client of that protocol alone: it can only come in if the group is changed over.
    const java = await joins(startJavaDivided(joining), classic)
    const divided = await joins(startOurs(joining, ours.divided), classic, java)
    await classic.leave()
    await untilHeld([java, divided], all)
    const back = await joins(startOurs(joining, ours.classic), java, divided)
    await divided.leave()
    await untilHeld([java, back], all)
    await java.leave()
    await untilHeld([back], all)
    await reads(back)
    expect(await describeGroup(cluster, joining.group)).toMatchObject({ assignor: 'cooperative-sticky' })
    const last = await joins(startOurs(joining, ours.classic), back)

    writing = 'off'
    await load
    const missing = () => {
      const read = new Set(valuesOf(...everyone))
      return written.filter((value) => !read.has(value))
    }
    await until('everything is read', () => missing().length === 0, { seen: () => `${missing().length} missing` })
    await last.leave()
    await back.leave()
    expect(everyone.flatMap((member) => member.problems())).toEqual([])
    const { committed } = await describeGroup(cluster, joining.group)
    const stored = Object.fromEntries(all.map((name) => [name, 0]))
    for (const value of written) stored[value.split('/')[1]!]! += 1
    expect(Object.fromEntries(committed)).toEqual(stored)
    console.log(`${written.length} records, ${valuesOf(...everyone).length - written.length} read again`)
  })
})

describe('a group that lost its Java leader without a goodbye', () => {
  it('goes on with tidemark, which reads everything that was not committed', async () => {
    const names = await makeTopics(1)
    const group = `mixed-${cases}`
    const java = await startJava({ group, topics: names }, 'range')
    const tidemark = await startTidemark({ group, topics: names }, 'range')
    await untilHeld([java, tidemark], partitionsOf(names))
    const before = await write(names, 'before')
    await until('both read what came', () => ofPhase('before', java, tidemark).length >= before.length)

    await java.die()
    const after = await write(names, 'after')
    await untilHeld([tidemark], partitionsOf(names))
    await until('the survivor read the rest', () => ofPhase('after', tidemark).length >= after.length)
    expect(ofPhase('after', tidemark)).toEqual(after)
    // The last poll of the dead may not have been committed: then it is read again.
    expect([...new Set(ofPhase('before', java, tidemark))]).toEqual(before)
    expect(tidemark.leads).toBe(true)
    await tidemark.leave()
    expect(tidemark.problems()).toEqual([])
  })
})

describe('a group of tidemark and kafkajs', () => {
  it('gives kafkajs only topics it reads, led by tidemark', () =>
    play({
      first: 'tidemark',
      second: 'kafkajs',
      assignor: 'kafkajs-roundrobin',
      firstReads: ['a', 'b'],
      secondReads: ['b'],
    }))

  // docs/kafkajs-hazards.md; tidemark cannot mend what another leader hands out.
  it('leaves a topic that kafkajs does not read to nobody, led by kafkajs', async () => {
    const [a = '', b = ''] = await makeTopics(2)
    const group = `mixed-${cases}`
    const leader = await join('kafkajs', { group, topics: [a] }, 'kafkajs-roundrobin')
    await untilHeld([leader], partitionsOf([a]))
    const follower = await join('tidemark', { group, topics: [a, b] }, 'kafkajs-roundrobin')
    await untilHeld([leader, follower], partitionsOf([a]))
    const written = await write([a], 'together')
    await until('both read what came', () => ofPhase('together', leader, follower).length >= written.length)
    expect(follower.assigned.filter((partition) => partition.startsWith(b))).toEqual([])
  })

  it.each([
    { first: 'tidemark', second: 'kafkajs' },
    { first: 'kafkajs', second: 'tidemark' },
  ] as const)('shares two topics by RoundRobinAssigner as kafkajs does, led by $first', (clients) =>
    play({ ...clients, assignor: 'kafkajs-roundrobin', firstReads: ['a', 'b'], secondReads: ['a', 'b'] }),
  )
})
