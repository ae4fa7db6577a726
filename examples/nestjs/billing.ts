/** A NestJS microservice over tidemark: orders become bills, and who asks is told what a customer owes. */
import { Controller, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices'
import { bytes, DeadLetter, defineTopic, json, type Messaging } from 'tidemark'
import { z } from 'zod'
import { ErrorsAsThrown, TidemarkTransport, type TidemarkContext } from './tidemark-transport.js'

const Order = z.object({ id: z.string(), customer: z.string(), cents: z.int() })
type Order = z.infer<typeof Order>
const Question = z.object({ customer: z.string() })

export const orders = defineTopic({ name: 'orders', key: 'customer', value: json(Order) })
export const owed = defineTopic({ name: 'owed', value: json(Question) })
export const bills = defineTopic({ name: 'bills', key: 'id', value: json(Order) })
export const putAside = defineTopic({ name: 'orders.dlq', value: bytes(), deadLettersOf: orders })

@Controller()
class BillingController {
  readonly #owed = new Map<string, number>()

  @EventPattern(orders.name)
  async bill(@Payload() order: Order, @Ctx() context: TidemarkContext): Promise<void> {
    const [message, handling] = context.getArgs()
    if (order.cents < 0) throw new DeadLetter('a negative amount')
    await handling.send(bills, order, { id: `bill of ${message.topic} ${message.partition} ${message.offset}` })
    this.#owed.set(order.customer, (this.#owed.get(order.customer) ?? 0) + order.cents)
  }

  @MessagePattern(owed.name)
  owedBy(@Payload() { customer }: z.infer<typeof Question>): object {
    return { cents: this.#owed.get(customer) ?? 0 }
  }
}

@Module({ controllers: [BillingController] })
class BillingModule implements OnApplicationShutdown {
  constructor(@Inject('messaging') readonly messaging: Messaging) {}

  static over(messaging: Messaging): DynamicModule {
    return { module: BillingModule, providers: [{ provide: 'messaging', useValue: messaging }] }
  }

  /** After the transport has stopped: what is done is committed, what was sent is out. */
  async onApplicationShutdown(): Promise<void> {
    await this.messaging.close()
  }
}

/** Consumes when it resolves; `close` of what it resolves to ends it in order. */
export async function openBilling(messaging: Messaging) {
  await messaging.ensureTopics([orders, owed, bills, putAside])
  const app = await NestFactory.createMicroservice(BillingModule.over(messaging), {
    strategy: new TidemarkTransport(messaging, {
      group: 'billing-server',
      topics: [orders, owed],
      deadLetter: putAside,
    }),
  })
  app.useGlobalFilters(new ErrorsAsThrown())
  app.enableShutdownHooks()
  await app.listen()
  return app
}
