/** How such a service is tested: all of it, on a Kafka inside the process. */
import 'reflect-metadata'
import { createMessaging, json, defineTopic } from 'tidemark'
import { memory } from 'tidemark/memory'
import { recordsOf, untilIdle } from 'tidemark/testing'
import { expect, test } from 'vitest'
import { bills, openBilling, orders, owed, putAside } from './billing.js'

const answers = defineTopic({ name: 'owed.reply', value: json<{ cents: number }>(), partitions: 3 })

test('orders become bills, what cannot be billed is put aside alone, and questions are answered', async () => {
  const messaging = createMessaging({ driver: memory() })
  const app = await openBilling(messaging)
  const producer = messaging.producer()
  await producer.send(orders, { id: 'o-1', customer: 'ada', cents: 100 })
  await producer.send(orders, { id: 'o-2', customer: 'ada', cents: -1 })
  await producer.send(orders, { id: 'o-3', customer: 'ada', cents: 50 })
  await untilIdle(messaging)
  expect((await recordsOf(messaging, bills)).map(({ value }) => value.id).sort()).toEqual(['o-1', 'o-3'])
  const letters = await recordsOf(messaging, putAside)
  expect(letters.map(({ headers }) => headers.get('td-reason'))).toEqual(['rejected'])

  // As the ClientKafka of a service asks that is still on kafkajs.
  await messaging.ensureTopics([answers])
  const headers = { kafka_replyTopic: answers.name, kafka_replyPartition: '2', kafka_correlationId: 'q-1' }
  await producer.send(owed, { customer: 'ada' }, { headers })
  await untilIdle(messaging)
  const [answer] = await recordsOf(messaging, answers)
  expect([answer?.value, answer?.partition, answer?.headers.get('kafka_correlationId')]).toEqual([
    { cents: 150 },
    2,
    'q-1',
  ])
  await app.close()
})
