import 'reflect-metadata'
import { Controller, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { EventPattern, Payload, Transport } from '@nestjs/microservices'
import { bytes, createMessaging, DeadLetter, defineTopic, json } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { recordsOf, untilIdle } from 'tidemark/testing'
import { expect, inject, it } from 'vitest'
import { ErrorsAsThrown, TidemarkTransport } from '../../examples/nestjs/tidemark-transport.js'

const name = `nest-orders-${process.pid}`
const orders = defineTopic({ name, value: json<{ id: number }>(), partitions: 3, replicationFactor: 1 })
const putAside = defineTopic({ name: `${name}.dlq`, value: bytes(), deadLettersOf: orders, replicationFactor: 1 })
const handled: number[] = []

@Controller()
class Billing {
  @EventPattern(name)
  bill(@Payload() order: { id: number }): void {
    if (order.id === 15) throw new DeadLetter('cannot be billed')
    handled.push(order.id)
  }
}

@Module({ controllers: [Billing] })
class BillingModule {}

it('a NestJS service that is moved goes on in its group where Nest and kafkajs committed', async () => {
  const brokers = [...inject('kafkaBrokers')]
  const messaging = createMessaging({ driver: kafkajs({ brokers }), clientId: 'billing', durability: 'off' })
  await messaging.ensureTopics([orders, putAside])
  const producer = messaging.producer()
  const send = (ids: readonly number[]) =>
    producer.sendMany(
      orders,
      ids.map((id) => ({ id })),
    )
  const firstTen = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  await send(firstTen)

  const before = await NestFactory.createMicroservice(BillingModule, {
    transport: Transport.KAFKA,
    logger: false,
    options: { client: { brokers, logLevel: 0 }, consumer: { groupId: name }, subscribe: { fromBeginning: true } },
  })
  await before.listen()
  await expect.poll(() => handled.length, { timeout: 60_000 }).toBe(10)
  await before.close()

  await send([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
  const group = `${name}-server`
  const strategy = new TidemarkTransport(messaging, { group, topics: [orders], deadLetter: putAside })
  const after = await NestFactory.createMicroservice(BillingModule, { strategy, logger: false })
  after.useGlobalFilters(new ErrorsAsThrown())
  await after.listen()
  await untilIdle(messaging, { timeoutMs: 60_000 })
  await after.close()

  expect([...handled].sort((a, b) => a - b)).toEqual([...firstTen, 10, 11, 12, 13, 14, 16, 17, 18, 19])
  expect((await recordsOf(messaging, putAside)).map(({ headers }) => headers.get('td-reason'))).toEqual(['rejected'])
  const committed = await messaging.admin.committedOffsets(group)
  expect(committed.reduce((sum, { offset }) => sum + (offset ?? 0), 0)).toBe(20)
  await messaging.close()
})
