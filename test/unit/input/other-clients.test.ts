import { describe, expect, it } from 'vitest'
import { resolveConsumerOptions } from '../../../src/config/consumer-config.js'
import { resolveMessagingOptions } from '../../../src/config/messaging-options.js'
import { resolveProducerOptions } from '../../../src/config/producer-config.js'
import { profiles } from '../../../src/config/profiles.js'
import { ConfigError } from '../../../src/errors.js'
import { counterpartOf } from '../../../src/input/other-clients.js'
import { textTopic } from '../consumer/consumer-setup.js'

function fixOf(option: string, act: () => unknown): string | undefined {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).issues.find(({ path }) => path === option)?.fix
  }
  throw new Error('expected a ConfigError')
}

const least = { group: 'g', topics: [textTopic('t')], handle: () => undefined }
const consumerFix = (option: string) =>
  fixOf(option, () => resolveConsumerOptions({ ...least, [option]: 1 } as typeof least, profiles.cp))

describe('an option of another client', () => {
  it.each([
    ['eachMessage', /^write handle:/],
    ['eachBatch', /^write handleBatch:/],
    ['groupId', /^write group$/],
    ['group.id', /^write group$/],
    ['fromBeginning', /^write from: 'earliest'/],
    ['auto.offset.reset', /^write from .* onOutOfRange/],
    ['autoCommit', /^take it out: .* committed/],
    ['enable.auto.commit', /^take it out: .* committed/],
    ['autoCommitInterval', /^write commit: \{ everyMs \}$/],
    ['autoCommitThreshold', /^write commit: \{ everyMessages \}$/],
    ['partitionsConsumedConcurrently', /^write concurrency/],
    ['max.poll.records', /^write batchMessages/],
    ['maxWaitTimeInMs', /^write fetch: \{ maxWaitMs \}$/],
    ['maxBytesPerPartition', /^write fetch: \{ partitionMaxBytes \}$/],
    ['readUncommitted', /^write isolation:/],
    ['partitionAssigners', /^write assignors$/],
    ['partition.assignment.strategy', /^write assignors$/],
    ['group.remote.assignor', /^write remoteAssignor$/],
    ['client.rack', /^write rackId$/],
    ['transactionalId', /^write groupInstanceId: /],
    ['transaction.timeout.ms', /^write transaction: \{ timeoutMs \}$/],
    ['exactlyOnce', /profile: 'transactional'/],
  ])('%s of a consumer is met with what to write here', (option, fix) => {
    expect(consumerFix(option)).toMatch(fix)
  })

  it('those of consumers and of connections are sent where they go when createMessaging is given them', () => {
    const fix = (option: string) => fixOf(option, () => resolveMessagingOptions({ [option]: 'a' } as never))
    for (const option of ['groupInstanceId', 'rackId', 'assignors', 'group']) {
      expect(fix(option)).toBe(`take it out, and write messaging.consumer({ ${option}, … })`)
    }
    expect(fix('client.rack')).toContain('messaging.consumer({ rackId, … })')
    for (const option of ['sasl', 'ssl']) expect(fix(option)).toBe('write driver: kafkajs({ brokers, ssl, sasl })')
  })

  it('brokers of createMessaging are met with the driver that takes them', () => {
    for (const option of ['brokers', 'bootstrap.servers']) {
      expect(fixOf(option, () => resolveMessagingOptions({ [option]: ['a:1'] } as never))).toMatch(/driver: kafkajs\(/)
    }
  })

  it('those of transactions are met with where they go, in createMessaging and in producers', () => {
    for (const option of ['transactionalId', 'transactional.id']) {
      expect(fixOf(option, () => resolveMessagingOptions({ [option]: 'a' } as never))).toMatch(/transaction\(id, …\)/)
    }
    const ofProducer = fixOf('transactionTimeout', () =>
      resolveProducerOptions({ transactionTimeout: 1 } as never, profiles.cp),
    )
    expect(ofProducer).toMatch(/transaction\(id, handle, \{ timeoutMs \}\)/)
    expect(fixOf('transactional', () => resolveMessagingOptions({ transactional: true } as never))).toBe(
      "write profile: 'transactional'",
    )
  })

  it('counts only where its counterpart is an option, and never by a name that every object has', () => {
    expect(counterpartOf('brokers', ['cluster', 'runtime'])).toBeUndefined()
    expect(counterpartOf('constructor', ['constructor'])).toBeUndefined()
  })
})
