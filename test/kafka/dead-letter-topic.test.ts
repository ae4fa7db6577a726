import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMessaging, defineTopic, string, type ConsumerOptions, type Messaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { readTopic, type JavaRecord } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { delay, until } from '../support/waiting.js'

const user = 'alice'
const password = 'the-password-of-alice'
const listener = 'listener.name.client'

let cluster: KafkaCluster
let messaging: Messaging
/** Letters that are stored, by the topic of their records. */
const lettered = new Map<string, number>()
/** What was said of letters that are not, by the topic of their records. */
const delayed = new Map<string, unknown[]>()

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 3,
    proxies: true,
    listener: {
      protocol: 'SASL_PLAINTEXT',
      properties: {
        [`${listener}.sasl.enabled.mechanisms`]: 'PLAIN',
        [`${listener}.plain.sasl.jaas.config`]:
          'org.apache.kafka.common.security.plain.PlainLoginModule required ' + `user_${user}="${password}";`,
      },
    },
    properties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      // The brokers and the harness, on listeners without authentication.
      'super.users': 'User:ANONYMOUS',
      'allow.everyone.if.no.acl.found': 'true',
    },
  })
  messaging = createMessaging({
    driver: kafkajs({
      brokers: [...cluster.brokers],
      clientId: 'letters',
      sasl: { mechanism: 'plain', username: user, password },
      logLevel: logLevel.NOTHING,
    }),
    profile: 'cp',
    durability: 'off',
    logger: 'silent',
    onEvent: (event) => {
      if (event.kind === 'dead-lettered') lettered.set(event.topic, (lettered.get(event.topic) ?? 0) + 1)
      if (event.kind === 'dead-letter-delayed')
        delayed.set(event.topic, [...(delayed.get(event.topic) ?? []), event.error])
    },
  })
})
afterAll(async () => {
  await messaging?.close()
  await cluster?.stop()
})

const headerOf = ({ headers }: JavaRecord, name: string) =>
  headers.find((header) => header.name === name)?.value?.toString()

/** From now on only who is allowed something may do anything with the topic. */
async function allow(topic: string, who: string, operation: AclOperationTypes): Promise<void> {
  const admin = new Kafka({ brokers: [...cluster.internalBrokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const entry = { resourceType: AclResourceTypes.TOPIC, resourceName: topic, host: '*', operation }
  const { LITERAL } = ResourcePatternTypes
  const { ALLOW } = AclPermissionTypes
  await admin.createAcls({
    acl: [{ ...entry, principal: `User:${who}`, permissionType: ALLOW, resourcePatternType: LITERAL }],
  })
  await admin.disconnect()
}

/** A topic of which every tenth record is poisonous, from its fourth on, in turn on its partitions. */
async function poisonous(name: string, records: number, partitions = 2) {
  const topic = defineTopic({ name, value: string() })
  await cluster.createTopic(name, { partitions, replicationFactor: 3 })
  const producer = messaging.producer()
  const values = Array.from({ length: records }, (_, at) => `${at % 10 === 3 ? 'poison' : 'good'} ${at}`)
  for (const [at, value] of values.entries()) await producer.send(topic, value, { partition: at % partitions })
  const handled: string[] = []
  const stopped: string[] = []
  const consume = (deadLetter: string, options: Partial<ConsumerOptions> = {}) =>
    messaging.consumer({
      group: name,
      topics: [topic],
      retry: false,
      deadLetter: { topic: deadLetter, breaker: false },
      handle: ({ value }) => {
        if (value.startsWith('poison')) throw new Error('cannot be handled')
        handled.push(value)
      },
      onPartitionStopped: (_, error) => stopped.push(error.code),
      ...(options as object),
    })
  return { topic, producer, poison: values.filter((value) => value.startsWith('poison')), handled, stopped, consume }
}

const lettersOn = async (topic: string) => (await readTopic(cluster, topic)).map(({ value }) => value?.toString())

// Most of their time is waiting.
describe('a dead-letter topic', { concurrent: true }, () => {
  it('with fewer partitions takes the letters of one partition on one partition, in their order', async () => {
    const { poison, handled, stopped, consume } = await poisonous('many', 200, 5)
    await cluster.createTopic('many.dlq', { partitions: 2, replicationFactor: 3 })
    const consumer = consume('many.dlq')
    await consumer.start()
    await until('all is settled', () => handled.length === 180 && consumer.lag() === 0)
    await consumer.stop()
    expect(stopped).toEqual([])
    const put = await readTopic(cluster, 'many.dlq')
    expect(put.map(({ value }) => value?.toString()).sort()).toEqual([...poison].sort())
    for (let origin = 0; origin < 5; origin += 1) {
      const letters = put.filter((letter) => headerOf(letter, 'td-origin-partition') === String(origin))
      const offsets = letters.map((letter) => Number(headerOf(letter, 'td-origin-offset')))
      expect(offsets).toEqual([...offsets].sort((one, other) => one - other))
      expect(new Set(letters.map(({ partition }) => partition))).toEqual(
        new Set(letters.length > 0 ? [origin % 2] : []),
      )
    }
  })

  it('that may not be written holds up its partition alone, and takes the letter as soon as it is allowed', async () => {
    const { topic, producer, handled, stopped, consume } = await poisonous('granted', 1)
    await cluster.createTopic('granted.dlq', { partitions: 1, replicationFactor: 3 })
    await allow('granted.dlq', user, AclOperationTypes.DESCRIBE)
    const consumer = consume('granted.dlq')
    await consumer.start()
    for (const [value, partition] of [
      ['poison a', 0],
      ['good behind it', 0],
      ['good beside it', 1],
    ] as const) {
      await producer.send(topic, value, { partition })
    }
    await until('the other partition goes on', () => handled.includes('good beside it'))
    const facts = () => consumer.facts().partitions.find(({ partition }) => partition === 0)
    await until('the write was tried again', () => (facts()?.deadLetterFailures ?? 0) > 2)
    expect(facts()).toMatchObject({ state: 'active', waitsFor: 'dead-letter', pausedBy: ['dead-letter'], settled: 1 })
    expect(delayed.get('granted')?.[0]).toMatchObject({ code: 'not-authorized' })
    expect(handled).not.toContain('good behind it')
    await allow('granted.dlq', user, AclOperationTypes.WRITE)
    await until('the letter is written', () => handled.includes('good behind it'))
    await until('all is settled', () => consumer.lag() === 0)
    await consumer.stop()
    expect(stopped).toEqual([])
    expect(await lettersOn('granted.dlq')).toEqual(['poison a'])
  })

  it('that may not even be seen stops its partition after half a minute, and takes the letter at the restart', async () => {
    const { topic, producer, handled, stopped, consume } = await poisonous('denied', 1)
    await cluster.createTopic('denied.dlq', { partitions: 1, replicationFactor: 3 })
    await allow('denied.dlq', 'somebody-else', AclOperationTypes.ALL)
    const consumer = consume('denied.dlq')
    await consumer.start()
    await producer.send(topic, 'poison a', { partition: 0 })
    await producer.send(topic, 'good behind it', { partition: 0 })
    await until('it stops', () => stopped.length > 0, { timeoutMs: 90_000 })
    expect(stopped).toEqual(['not-authorized'])
    await producer.send(topic, 'good beside it', { partition: 1 })
    await until('the other partition goes on', () => handled.includes('good beside it'))
    const facts = consumer.facts().partitions.find(({ partition }) => partition === 0)
    expect(facts).toMatchObject({ state: 'stopped', waitsFor: 'seek', settled: 1, deadLetterFailures: 0 })
    expect(facts?.stoppedBy?.message).toContain('grant WRITE on denied.dlq')
    expect(handled).not.toContain('good behind it')
    await allow('denied.dlq', user, AclOperationTypes.ALL)
    await consumer.restart('denied', 0)
    await until('the letter is written', () => handled.includes('good behind it'))
    await consumer.stop()
    expect(await lettersOn('denied.dlq')).toEqual(['poison a'])
  })

  it('that is deleted while the consumer runs holds its partition up and passes nothing; made anew it takes the letters', async () => {
    const { topic, handled, consume } = await poisonous('deleted', 1)
    await cluster.createTopic('deleted.dlq', { partitions: 1, replicationFactor: 3 })
    const consumer = consume('deleted.dlq')
    await consumer.start()
    await until('the first is handled', () => handled.length === 1)
    await cluster.deleteTopic('deleted.dlq')
    const producer = messaging.producer()
    for (const [value, partition] of [
      ['poison a', 0],
      ['good behind it', 0],
      ['good beside it', 1],
    ] as const) {
      await producer.send(topic, value, { partition })
    }
    await until('the other partition goes on', () => handled.includes('good beside it'))
    await delay(2_000)
    expect(handled).not.toContain('good behind it')
    await cluster.createTopic('deleted.dlq', { partitions: 1, replicationFactor: 3 })
    await until('the letter is written', () => handled.includes('good behind it'), { timeoutMs: 60_000 })
    await consumer.stop()
    expect((await readTopic(cluster, 'deleted.dlq')).map(({ value }) => value?.toString())).toEqual(['poison a'])
  })

  it('that takes only small records gets a pointer to the large one', async () => {
    const topic = defineTopic({ name: 'large', value: string() })
    await cluster.createTopic('large', { partitions: 1, replicationFactor: 3 })
    await cluster.createTopic('large.dlq', {
      partitions: 1,
      replicationFactor: 3,
      configs: { 'max.message.bytes': 1_000 },
    })
    // Text that does not shrink, since letters are compressed.
    const text = Array.from({ length: 4_000 }, (_, at) => ((at * 7_919) % 9_973).toString(36)).join('')
    const { offset } = await messaging.producer().send(topic, text, { key: 'k' })
    const consumer = messaging.consumer({
      group: 'large',
      topics: [topic],
      retry: false,
      deadLetter: 'large.dlq',
      handle: () => {
        throw new Error('cannot be handled')
      },
    })
    await consumer.start()
    await until('it is settled', () => consumer.lag() === 0)
    await consumer.stop()
    const [letter, ...more] = await readTopic(cluster, 'large.dlq')
    expect(more).toEqual([])
    expect(letter?.value).toBeNull()
    expect(letter?.key?.toString()).toBe('k')
    expect(letter === undefined ? null : headerOf(letter, 'td-left')).toBe('value')
    expect(letter === undefined ? null : headerOf(letter, 'td-origin-offset')).toBe(String(offset))
  })
})

describe('a dead-letter topic on a broker in trouble', () => {
  it('that is slow takes no place of concurrency: other partitions go on, and its own say what they wait for', async () => {
    const slow = 3
    const { topic, producer, handled, stopped, consume } = await poisonous('slow', 4, 4)
    for (const partition of [0, 1, 2, 3]) await cluster.moveLeader('slow', partition, 1)
    await cluster.createTopic('slow.dlq', { partitions: 1, replicationFactor: 3 })
    await cluster.moveLeader('slow.dlq', 0, slow)
    const consumer = consume('slow.dlq', { group: await groupBeside(slow), concurrency: 2 })
    const waits = () => consumer.facts().partitions.map(({ waitsFor }) => waitsFor ?? 'nothing')
    const seen = () => `${lettered.get('slow')} letters; waits for ${waits().join()}; ${handled.join()}`
    await consumer.start()
    // The producer learns who leads now: nothing but letters goes to the slow broker.
    for (const partition of [0, 1, 2, 3]) await producer.send(topic, `before on ${partition}`, { partition })
    const isAtRest = () => lettered.get('slow') === 1 && handled.length === 7 && consumer.lag() === 0
    await until('the letter of the first is stored', isAtRest, { seen })
    // Slower than all that the others do, however long that takes: what is sent again after some seconds is held too.
    const held = Array.from({ length: 50 }, () => cluster.proxy(slow).hold({ api: 'Produce' }))
    try {
      for (const partition of [0, 1]) await producer.send(topic, 'poison', { partition })
      await held[0]?.struck
      const asTold = ['dead-letter', 'dead-letter', 'nothing', 'nothing']
      await until('two wait for their letters', () => waits().join() === asTold.join(), { seen })
      for (const partition of [0, 1, 2, 3]) await producer.send(topic, `good on ${partition}`, { partition })
      await until('others are handled', () => handled.includes('good on 2') && handled.includes('good on 3'), { seen })
      await until('and at rest', () => waits().join() === asTold.join(), { seen })
      expect(lettered.get('slow')).toBe(1)
      expect(handled).not.toContain('good on 0')
      expect(handled).not.toContain('good on 1')
    } finally {
      for (const each of held) each.release()
    }
    await until('all is settled', () => lettered.get('slow') === 3 && consumer.lag() === 0, { seen })
    await consumer.stop()
    expect(stopped).toEqual([])
    expect(handled.slice(-4).sort()).toEqual(['good on 0', 'good on 1', 'good on 2', 'good on 3'])
    expect(await lettersOn('slow.dlq')).toEqual(['poison 3', 'poison', 'poison'])
  })

  it('whose leader is killed delays its letters and loses none', async () => {
    const { handled, stopped, consume } = await poisonous('led', 100)
    await cluster.createTopic('led.dlq', { partitions: 1, replicationFactor: 3 })
    const consumer = consume('led.dlq')
    await consumer.start()
    const leader = await cluster.leaderOf('led.dlq', 0)
    await cluster.node(leader).kill()
    await until('all is settled', () => consumer.lag() === 0, { timeoutMs: 60_000 })
    await cluster.node(leader).restart()
    await cluster.waitForFullIsr('led.dlq')
    await consumer.stop()
    expect(stopped).toEqual([])
    expect(handled).toHaveLength(90)
    const put = (await readTopic(cluster, 'led.dlq')).map(({ value }) => value?.toString())
    expect(put.sort()).toEqual(Array.from({ length: 10 }, (_, at) => `poison ${at * 10 + 3}`).sort())
  })
})

/** A group whose coordinator is another broker. */
async function groupBeside(broker: number): Promise<string> {
  for (let at = 0; ; at++) if ((await cluster.coordinatorOf(`group-${at}`)) !== broker) return `group-${at}`
}
