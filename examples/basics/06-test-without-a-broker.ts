/** Faults and long waits in a unit test: a Kafka in this process, and time that moves when told. Repeats exactly. */
import assert from 'node:assert/strict'
import { createMessaging, defineTopic, SendError, string } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { seededRandom, virtualClock } from 'tidemark/testing'

const orders = defineTopic({ name: 'orders', value: string() })
const clock = virtualClock()
const cluster = createMemoryCluster({ brokers: 3, runtime: { clock, random: seededRandom(1) } })
cluster.createTopic('orders')
const stored = () => cluster.records('orders', 0).map(({ value }) => String(value))
const seconds = (since: number) => Math.round((clock.now() - since) / 1_000)

async function scenario(): Promise<void> {
  const messaging = createMessaging({ driver: memory({ cluster }) })
  const producer = messaging.producer()

  // The broker stored it and its answer was lost: the producer sends again, and the broker knows it by its number.
  cluster.faults.loseNextAnswer({ api: 'produce' })
  await producer.send(orders, 'first')
  assert.deepEqual(stored(), ['first'])
  console.log('an answer was lost: stored once')

  cluster.faults.moveLeader('orders', 0)
  await producer.send(orders, 'second')
  assert.deepEqual(stored(), ['first', 'second'])
  console.log('the leader moved: stored in order')

  // Nobody answers any more. Two minutes pass in an instant.
  for (const node of [0, 1, 2]) cluster.faults.silence(node)
  const since = clock.now()
  const error = await producer.send(orders, 'third').catch((failure: unknown) => failure)
  assert(error instanceof SendError)
  console.log(`all brokers silent: after ${seconds(since)} s the outcome is ${error.outcome}`)

  for (const node of [0, 1, 2]) cluster.faults.endSilence(node)
  await producer.send(orders, 'fourth')
  assert.equal(stored().at(-1), 'fourth')
  assert(stored().filter((value) => value === 'third').length <= 1)
  console.log('they answer again: the producer goes on')
  await messaging.close()
}

await clock.runUntil(scenario())
