import { describe, expect, expectTypeOf, it } from 'vitest'
import type { HandlerContext } from '../../../../src/consumer/handling/handler.js'
import type { ConsumerOptions, MessageOf } from '../../../../src/consumer/options/consumer-options.js'
import { consumerSchema } from '../../../../src/consumer/options/consumer-schema.js'
import type { Message } from '../../../../src/message/message.js'
import type { Topic } from '../../../../src/topic/topic.js'
import { setUp, textTopic } from '../consumer-setup.js'

const topics = [textTopic('t')]
const handle = () => undefined

describe('consumer options', () => {
  it('need a group, topics and a handler only; everything else has a default', () => {
    expect(consumerSchema.parse({ group: 'g', topics, handle })).toMatchObject({
      order: 'partition',
      concurrency: 64,
      commit: { everyMs: 5_000, everyMessages: 1_000 },
      from: 'earliest',
      onOutOfRange: 'stop',
      heartbeatIntervalMs: 1_000,
      fetch: { maxWaitMs: 250 },
      groupInstanceId: null,
    })
  })

  it('report what cannot work, all at once and by path', () => {
    const result = consumerSchema.safeParse({
      group: 'g',
      topics: [...topics, ...topics],
      handle,
      handleBatch: handle,
      order: 'key',
      lowMark: { records: 200_000 },
      heartbeatIntervalMs: 30_000,
    })
    expect(result.error?.issues.map(({ path }) => path.join('.'))).toEqual([
      'handleBatch',
      'order',
      'lowMark.records',
      'heartbeatIntervalMs',
      'topics',
    ])
    expect(consumerSchema.safeParse({ group: 'g', topics }).error?.issues[0]?.path).toEqual(['handle'])
    expect(consumerSchema.safeParse({ group: '', topics: [], handle }).success).toBe(false)
  })

  it.each(['zone-a', undefined])('tell the driver that the consumer is in rack %s', async (rackId) => {
    const { clock, driver, consumer } = setUp({ rackId })
    await clock.runUntil(consumer.start())
    expect(driver.settings.rackId).toBe(rackId)
    await clock.runUntil(consumer.stop())
  })

  it('have no rack without a name', () => {
    const { error } = consumerSchema.safeParse({ group: 'g', topics, handle, rackId: '' })
    expect(error?.issues.map(({ path }) => path.join('.'))).toEqual(['rackId'])
  })

  it('type the handler by the topics: a union that `topic` tells apart', () => {
    type A = Topic<{ a: number }, 'one'>
    type B = Topic<string, 'two'>
    type Options = ConsumerOptions<readonly [A, B]>
    expectTypeOf<MessageOf<A | B>>().toEqualTypeOf<Message<{ a: number }, 'one'> | Message<string, 'two'>>()
    const options: Pick<Options, 'handle'> = {
      handle: (message, context) => {
        expectTypeOf(context).toEqualTypeOf<HandlerContext>()
        if (message.topic === 'one') expectTypeOf(message.value).toEqualTypeOf<{ a: number }>()
        else expectTypeOf(message.value).toEqualTypeOf<string>()
      },
    }
    expect(options.handle).toBeTypeOf('function')
    // @ts-expect-error exactly one of handle and handleBatch
    const both: Options = { group: 'g', topics: [] as never, handle: () => undefined, handleBatch: () => undefined }
    // @ts-expect-error one of them is needed
    const none: Options = { group: 'g', topics: [] as never }
    expect([both, none]).toHaveLength(2)
  })
})
