import { afterEach, describe, expect, it } from 'vitest'
import type { TidemarkError } from '../../../../src/errors.js'
import { kafkajs } from '../../../../src/kafkajs.js'
import { createMessaging } from '../../../../src/messaging.js'
import { string } from '../../../../src/serde/string.js'
import { defineTopic } from '../../../../src/topic/define-topic.js'
import { ScriptedBroker, type Seen } from './scripted-broker.js'

const text = defineTopic({ name: 't', value: string() })
const stored = { logAppendTime: -1, logStartOffset: 0, recordErrors: [], errorMessage: null }
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

type Authenticate = (request: Seen, broker: ScriptedBroker) => void

/** Brokers 1, 2, … that agree in everything but whom they let in; broker 1 leads the only partition. */
async function clusterOf(mechanism: string, ...doors: readonly Authenticate[]): Promise<ScriptedBroker[]> {
  const brokers: ScriptedBroker[] = []
  let offset = 0
  for (const authenticate of doors) {
    const broker = await ScriptedBroker.start((request, self) => {
      if (request.api === 'saslHandshake') self.answerSaslHandshake(request, [mechanism])
      else if (request.api === 'saslAuthenticate') authenticate(request, self)
      else if (request.api === 'initProducerId') {
        self.answer<'initProducerId'>(request, { throttleTimeMs: 0, errorCode: 0, producerId: 7, producerEpoch: 0 })
      } else if (request.api === 'produce') {
        const place = { topic: 't', partition: 0, errorCode: 0, baseOffset: offset++, ...stored }
        self.answer<'produce'>(request, { throttleTimeMs: 0, partitions: [place] })
      } else if (request.api === 'metadata') {
        const partitions = [{ errorCode: 0, partition: 0, leader: 1, leaderEpoch: 1, replicas: [1], isr: [1] }]
        self.answer<'metadata'>(request, {
          throttleTimeMs: 0,
          brokers: brokers.map(({ port }, at) => ({ nodeId: at + 1, host: '127.0.0.1', port, rack: null })),
          clusterId: 'c',
          controllerId: 1,
          topics: [{ errorCode: 0, name: 't', topicId: null, isInternal: false, partitions }],
        })
      }
    })
    cleanups.push(() => broker.stop())
    brokers.push(broker)
  }
  return brokers
}

const letIn: Authenticate = (request, broker) => broker.answerSaslAuthenticate(request, 0)
const turnAway: Authenticate = (request, broker) => broker.answerSaslAuthenticate(request, 58)

function open(brokers: readonly ScriptedBroker[], sasl: object) {
  const config = { brokers: brokers.map(({ address }) => address), sasl: sasl as never }
  // These brokers do not tell how they keep topics.
  const messaging = createMessaging({ driver: kafkajs(config), durability: 'off' })
  cleanups.push(() => messaging.close({ timeoutMs: 0 }))
  return messaging
}

const endOf = (sent: Promise<unknown>) =>
  sent.then(
    () => null,
    (error: TidemarkError & { outcome?: string }) => error,
  )

const plain = { mechanism: 'plain', username: 'u', password: 'p' }

describe('one broker of two that refuses the authentication', () => {
  it('does not stand for the cluster, wherever the first question goes', async () => {
    const brokers = await clusterOf('PLAIN', letIn, turnAway)
    for (let client = 0; client < 8; client += 1) {
      expect(await endOf(open(brokers, plain).producer().send(text, 'x'))).toBeNull()
    }
  })

  it('and both of them that do are told at once', async () => {
    const brokers = await clusterOf('PLAIN', turnAway, turnAway)
    const from = Date.now()
    const error = await endOf(open(brokers, plain).producer().connect())
    expect(error).toMatchObject({ code: 'refused', message: expect.stringContaining('config.sasl') as string })
    // And not when the time for it is up.
    expect(Date.now() - from).toBeLessThan(15_000)
  })
})

describe('a session that ends', () => {
  it('and is refused once when it is renewed fails no send: another one is opened', async () => {
    let asked = 0
    const shortLived: Authenticate = (request, broker) => {
      asked += 1
      broker.answerSaslAuthenticate(request, asked === 3 ? 58 : 0, Buffer.alloc(0), asked === 2 ? 200 : 0)
    }
    const brokers = await clusterOf('PLAIN', shortLived)
    const producer = open(brokers, plain).producer({ deliveryTimeoutMs: 10_000 })
    for (let record = 0; record < 4; record += 1) {
      expect(await endOf(producer.send(text, String(record)))).toBeNull()
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    expect(asked).toBeGreaterThan(3)
  })
})

describe('a token of OAUTHBEARER', () => {
  const challenge = Buffer.from('{"status":"invalid_token","scope":"kafka"}')
  /** As Kafka does: success, and a challenge that says why not. */
  const takes =
    (good: string): Authenticate =>
    (request, broker) => {
      const isGood = request.body.includes(`Bearer ${good}\u0001`)
      broker.answerSaslAuthenticate(request, 0, isGood ? Buffer.alloc(0) : challenge)
    }

  it('that is refused by a challenge is no success: its session is thrown away and a fresh one is asked for', async () => {
    const brokers = await clusterOf('OAUTHBEARER', takes('fresh'))
    let given = 0
    const oauthBearerProvider = () => Promise.resolve({ value: (given += 1) < 3 ? 'expired' : 'fresh' })
    const producer = open(brokers, { mechanism: 'oauthbearer', oauthBearerProvider }).producer()
    await producer.connect()
    expect(await endOf(producer.send(text, 'x'))).toBeNull()
    const passed = brokers[0]!.requests.filter(({ socket, api }) => api === 'produce' && !socket.destroyed)
    expect(passed).toHaveLength(1)
  })

  it('that stays refused is named, with the reason of the standard, and nothing is unknown', async () => {
    const brokers = await clusterOf('OAUTHBEARER', takes('fresh'))
    const oauthBearerProvider = () => Promise.resolve({ value: 'expired' })
    const messaging = open(brokers, { mechanism: 'oauthbearer', oauthBearerProvider })
    const error = await endOf(messaging.producer({ maxBlockMs: 500 }).send(text, 'x'))
    expect(error).toMatchObject({ outcome: 'not-stored' })
    expect(error?.message).toMatch(/refused the token of config.sasl \(invalid_token\)/)
    expect(error?.message).not.toContain('expired')
    expect(brokers[0]!.requests).toEqual([])
  })

  it('that is text instead of an object is told in words', async () => {
    const brokers = await clusterOf('OAUTHBEARER', takes('fresh'))
    const oauthBearerProvider = () => Promise.resolve('fresh')
    const error = await endOf(open(brokers, { mechanism: 'oauthbearer', oauthBearerProvider }).producer().connect())
    expect(error?.message).toMatch(/provider must give \{ value \}/)
    expect(error?.message).not.toContain('fresh')
  })
})
