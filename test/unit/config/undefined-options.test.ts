import { describe, expect, it } from 'vitest'
import { createMessaging } from 'tidemark'
import { memory } from 'tidemark/memory'
import { resolveConsumerOptions, type MessagingConsumerOptions } from '../../../src/config/consumer-config.js'
import { defineProfile } from '../../../src/config/define-profile.js'
import { messagingOptionsSchema, resolveMessagingOptions } from '../../../src/config/messaging-options.js'
import { resolveProducerOptions } from '../../../src/config/producer-config.js'
import { consumerShape } from '../../../src/consumer/options/consumer-schema.js'
import { producerOptionsSchema } from '../../../src/producer/producer-options.js'
import { string } from '../../../src/serde/string.js'
import { simulate, type Simulation } from '../../../src/testing/simulation/simulate.js'
import { defineTopic } from '../../../src/topic/define-topic.js'

/** Nothing in it is the default of the options. */
const profile = defineProfile('ap', {
  isolation: 'read-committed',
  onOutOfRange: 'latest',
  commitEveryMs: 1_234,
  deliveryTimeoutMs: 4_321,
})

const consumer: MessagingConsumerOptions = {
  group: 'g',
  topics: [defineTopic({ name: 't', value: string() })],
  handle: () => undefined,
  highMark: { records: 10 },
  sessionTimeoutMs: 900,
}

const optionalOfConsumer = ['deadLetter', 'profile', ...Object.keys(consumerShape)].filter(
  (name) => !(name in consumer),
)

describe('an option that is undefined counts as left out', () => {
  it.each(optionalOfConsumer)('of a consumer: %s', (name) => {
    const left = resolveConsumerOptions(consumer, profile)
    const given = resolveConsumerOptions({ ...consumer, [name]: undefined }, profile)
    expect(given).toEqual(left)
    expect(given.options).toMatchObject({ isolation: 'read-committed', onOutOfRange: 'latest' })
  })

  it('inside the groups of a consumer’s options, where the profile and other options have their say', () => {
    const left = resolveConsumerOptions(consumer, profile).options
    const groups = {
      commit: { everyMs: undefined, everyMessages: undefined },
      lowMark: { records: undefined, bytes: undefined },
      highMark: { records: 10, bytes: undefined },
      fetch: { maxWaitMs: undefined, minBytes: undefined, maxBytes: undefined, partitionMaxBytes: undefined },
    }
    const given = resolveConsumerOptions({ ...consumer, ...groups }, profile).options
    expect(given).toEqual(left)
    expect(given).toMatchObject({ commit: { everyMs: 1_234 }, lowMark: { records: 5 } })
  })

  it('and a commit policy by number of messages keeps the profile’s time', () => {
    const { options } = resolveConsumerOptions({ ...consumer, commit: { everyMessages: 7 } }, profile)
    expect(options.commit).toEqual({ everyMs: 1_234, everyMessages: 7 })
  })

  it.each(['profile', ...Object.keys(producerOptionsSchema.in.shape)])('of a producer: %s', (name) => {
    const given = resolveProducerOptions({ [name]: undefined }, profile)
    expect(given).toEqual(resolveProducerOptions({}, profile))
    expect(given.options.deliveryTimeoutMs).toBe(4_321)
  })

  it('of a messaging', () => {
    const driver = memory()
    const names = Object.keys(messagingOptionsSchema.shape).filter((name) => name !== 'driver')
    const nothing = Object.fromEntries(names.map((name) => [name, undefined]))
    expect(resolveMessagingOptions({ driver, ...nothing })).toEqual(resolveMessagingOptions({ driver }))
  })

  it('of a simulation and its cluster', async () => {
    const scenario = async ({ process, cluster }: Simulation) => {
      cluster.createTopic('t')
      const messaging = createMessaging({ driver: process('p').driver })
      await messaging.producer().send(defineTopic({ name: 't', value: string() }), 'v')
      await messaging.close()
    }
    const cluster = { brokers: undefined, latencyMs: undefined, minSessionTimeoutMs: undefined, partitions: undefined }
    const options = { cluster, nemesis: undefined, limitMs: undefined, onEvent: undefined }
    const given = await simulate(1, scenario, options)
    expect(given).toEqual(await simulate(1, scenario))
    expect(given.virtualMs).toBeGreaterThan(0)
  })
})
