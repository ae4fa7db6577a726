import { describe, expectTypeOf, it } from 'vitest'
import {
  bytes,
  createMessaging,
  defineProfile,
  defineTopic,
  json,
  SendError,
  string,
  type TidemarkError,
  type Receipt,
  type ValueOf,
} from 'tidemark'
import { memory } from 'tidemark/memory'
import type { Transaction } from 'tidemark/transactions'
import { z } from 'zod'

const Order = z.object({ id: z.string(), cents: z.number(), note: z.string().optional() })
const orders = defineTopic({ name: 'orders', key: 'id', value: json(Order) })
const notes = defineTopic({ name: 'notes', value: string() })
/** What is compiled here is never run. */
const never = (_compiled: () => unknown) => undefined
const messaging = createMessaging({ driver: memory() })

describe('a topic', () => {
  it('has the type of its values from its serde, and of its name from what is written', () => {
    expectTypeOf<ValueOf<typeof orders>>().toEqualTypeOf<{ id: string; cents: number; note?: string | undefined }>()
    expectTypeOf(orders.name).toEqualTypeOf<'orders'>()
  })

  it('takes as its key what is always there and may be a key', () => {
    never(() => defineTopic({ name: 'a', key: ({ id }) => `order ${id}`, value: json(Order) }))
    // @ts-expect-error no such field
    never(() => defineTopic({ name: 'a', key: 'customer', value: json(Order) }))
    // @ts-expect-error not always there
    never(() => defineTopic({ name: 'a', key: 'note', value: json(Order) }))
    // @ts-expect-error a schema is no serde
    never(() => defineTopic({ name: 'a', value: Order }))
  })

  it('lets nothing be sent that is not of its values', () => {
    const producer = messaging.producer()
    never(() => producer.send(orders, { id: 'o', cents: 1 }))
    // @ts-expect-error a field is missing
    never(() => producer.send(orders, { id: 'o' }))
    // @ts-expect-error text, not a value
    never(() => producer.send(orders, '{}'))
    // @ts-expect-error one of the values
    never(() => producer.sendMany(notes, ['a', 1]))
    // @ts-expect-error the name of a topic is none
    never(() => producer.send('orders', { id: 'o', cents: 1 }))
    // @ts-expect-error a header that is a number
    never(() => producer.send(notes, '', { headers: { attempt: 1 } }))
    never(() => expectTypeOf(producer.send(notes, 'a')).resolves.toEqualTypeOf<Receipt>())
  })
})

describe('a handler of several topics', () => {
  it('is given a union that the topic narrows', () => {
    never(() =>
      messaging.consumer({
        group: 'g',
        topics: [orders, notes],
        handle: (message) => {
          if (message.topic === 'orders') expectTypeOf(message.value.cents).toEqualTypeOf<number>()
          else expectTypeOf(message.value).toEqualTypeOf<string>()
          // @ts-expect-error not before it is known which
          never(() => message.value.cents)
          // @ts-expect-error no topic of these
          never(() => message.topic === 'bills')
        },
      }),
    )
  })
})

describe('a profile', () => {
  it('is overridden where no promise breaks, and else only by a word', () => {
    never(() => defineProfile('ap', { acks: 0 }))
    never(() => defineProfile('cp', { acks: 1, unsafe: true }))
    // @ts-expect-error what was acknowledged could be lost
    never(() => defineProfile('cp', { acks: 1 }))
    // @ts-expect-error what was sent once could be stored twice
    never(() => defineProfile('cp', { idempotent: false }))
  })
})

describe('a transaction', () => {
  it('sends and nothing else: it cannot be ended by hand, nor given away as its result', () => {
    expectTypeOf<Transaction>().not.toHaveProperty('commit')
    expectTypeOf<Transaction>().not.toHaveProperty('abort')
    never(() => messaging.transaction('id', async (transaction) => transaction.send(notes, 'a')))
    // @ts-expect-error of another topic's values
    never(() => messaging.transaction('id', (transaction) => transaction.send(notes, 1)))
  })
})

describe('an error', () => {
  it('has a code that a compiler offers, and an outcome of two', () => {
    expectTypeOf<'delivery-timeout' | 'invalid-config' | 'not-leader-or-follower'>().toExtend<TidemarkError['code']>()
    expectTypeOf<SendError['outcome']>().toEqualTypeOf<'not-stored' | 'unknown'>()
    never((error = new SendError('send-timeout', 'unknown', '')) =>
      // @ts-expect-error there is no third
      error.outcome === 'stored' ? bytes() : null,
    )
  })
})
