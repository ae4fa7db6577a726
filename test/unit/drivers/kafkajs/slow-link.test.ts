import { afterEach, expect, it } from 'vitest'
import { createMessaging } from '../../../../src/messaging.js'
import { kafkajs } from '../../../../src/kafkajs.js'
import { bytes } from '../../../../src/serde/bytes.js'
import { defineTopic } from '../../../../src/topic/define-topic.js'
import { ScriptedBroker, type Seen } from './scripted-broker.js'

const topic = defineTopic({ name: 't', value: bytes() })
const stored = { baseOffset: 0, logAppendTime: -1, logStartOffset: 0, recordErrors: [], errorMessage: null }
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** One broker that leads the only partition and says where the records went. */
function leader(request: Seen, self: ScriptedBroker): void {
  if (request.api === 'metadata') {
    const partitions = [{ errorCode: 0, partition: 0, leader: 1, leaderEpoch: 0, replicas: [1], isr: [1] }]
    self.answer<'metadata'>(request, {
      throttleTimeMs: 0,
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: self.port, rack: null }],
      clusterId: 'c',
      controllerId: 1,
      topics: [{ errorCode: 0, name: 't', topicId: null, isInternal: false, partitions }],
    })
  } else if (request.api === 'produce') {
    self.answer<'produce'>(request, {
      throttleTimeMs: 0,
      partitions: [{ topic: 't', partition: 0, errorCode: 0, ...stored }],
    })
  }
}

it('a large request that is still going out over a slow link is waited for and not sent again', async () => {
  const broker = await ScriptedBroker.start(leader)
  cleanups.push(() => broker.stop())
  // What the broker's side reads at a time, and how often.
  const slow = setInterval(() => {
    for (const socket of broker.sockets.filter(({ bytesRead }) => bytesRead > 100_000)) {
      socket.resume()
      setImmediate(() => socket.pause())
    }
  }, 10)
  cleanups.push(() => Promise.resolve(clearInterval(slow)))
  const messaging = createMessaging({ driver: kafkajs({ brokers: [broker.address] }), profile: 'ap' })
  cleanups.push(() => messaging.close({ timeoutMs: 0 }))
  const limits = { maxRequestBytes: 26_000_000, bufferBytes: 60_000_000, deliveryTimeoutMs: 60_000 }
  const producer = messaging.producer({ ...limits, requestTimeoutMs: 1_000 })
  const from = Date.now()
  await producer.send(topic, Buffer.alloc(24_000_000, 7), { partition: 0 })
  expect(Date.now() - from).toBeGreaterThan(2_000)
  expect(broker.requests.filter(({ api }) => api === 'produce')).toHaveLength(1)
}, 60_000)
