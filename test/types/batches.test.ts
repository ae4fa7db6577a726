import { describe, expectTypeOf, it } from 'vitest'
import { createMessaging, defineTopic, json, string, type Batch, type Consumer, type Message } from 'tidemark'
import { memory } from 'tidemark/memory'
import { z } from 'zod'

const orders = defineTopic({ name: 'orders', value: json(z.object({ total: z.number() })) })
const notes = defineTopic({ name: 'notes', value: string() })
const messaging = createMessaging({ driver: memory() })
const made = () => messaging.consumer({ group: 'g', topics: [orders, notes], loop: true })

describe('the batches of a loop', () => {
  it('are a union over the topics that the name of the topic tells apart', () => {
    const use = async () => {
      for await (const batch of made().batches()) {
        if (batch.topic === 'orders') {
          expectTypeOf(batch.messages).toEqualTypeOf<readonly Message<{ total: number }, 'orders'>[]>()
        } else expectTypeOf(batch).toEqualTypeOf<Batch<string, 'notes'>>()
      }
    }
    expectTypeOf(use).returns.resolves.toEqualTypeOf<void>()
  })

  it('belong to a consumer that may be passed on as any consumer', () => {
    expectTypeOf(made).returns.toExtend<Consumer>()
  })

  it('are of a consumer without a handler', () => {
    // @ts-expect-error a handler and a loop at once
    const both = () => messaging.consumer({ group: 'g', topics: [notes], loop: true, handle: () => undefined })
    // @ts-expect-error neither
    const neither = () => messaging.consumer({ group: 'g', topics: [notes] })
    expectTypeOf(both).returns.toExtend<Consumer>()
    expectTypeOf(neither).returns.toExtend<Consumer>()
  })
})
