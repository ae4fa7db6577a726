import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../../src/errors.js'
import { memory } from '../../../../src/drivers/memory/memory.js'
import { createMemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'

/** Types may have been cast away. */
type Loose = (...given: readonly unknown[]) => unknown

function refusal(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).message
  }
  return 'accepted'
}

describe('createMemoryCluster', () => {
  it.each([
    [null, 'options: is null; write an object with any of brokers'],
    [3, 'options: is 3; write an object with any of brokers'],
    [{ brokers: 0 }, 'brokers: is 0; write a whole number from 1'],
    [{ brokers: -1 }, 'brokers: is -1; write a whole number from 1'],
    [{ brokers: Number.NaN }, 'brokers: is NaN; write a whole number from 1'],
    [{ brokers: '3' }, 'brokers: is a string; write a whole number from 1'],
    [{ partitions: 0 }, 'partitions: is 0; write a whole number from 1'],
    [{ minInsyncReplicas: 0 }, 'minInsyncReplicas: is 0; write a whole number from 1'],
    [{ replicationFactor: 4 }, 'replicationFactor: is 4, and there are 3 brokers; write at most as many'],
    [{ brokers: 1, replicationFactor: 2 }, 'replicationFactor: is 2, and there are 1 brokers; write at most as many'],
    [{ latencyMs: [5, 1] }, 'latencyMs: is a list of 2; write milliseconds'],
    [{ latencyMs: -1 }, 'latencyMs: is -1; write milliseconds'],
    [{ failoverMs: Number.NaN }, 'failoverMs: is NaN; write milliseconds'],
    [{ runtime: { clock: {} } }, 'runtime: is an object; write a runtime: { clock, random }'],
    [{ racks: 'a' }, 'racks: is a string; write a list of names, one for each broker'],
    [{ racks: [''] }, 'racks: is a list of 1; write a list of names, one for each broker'],
    [{ broker: 3 }, 'broker: is not an option; did you mean brokers?'],
  ])('says what is wrong with %j', (options, what) => {
    const message = refusal(() => (createMemoryCluster as Loose)(options))
    expect(message).toMatch(/^createMemoryCluster: /)
    expect(message).toContain(what)
  })

  it('tells all that is wrong at once, and takes what fits', () => {
    expect(refusal(() => createMemoryCluster({ brokers: 0, partitions: 0 }))).toContain('2 invalid option(s)')
    const options = { brokers: 2, replicationFactor: 2, latencyMs: [0, 3] as const, failoverMs: 0.5, partitions: 7 }
    expect(refusal(() => createMemoryCluster(options))).toBe('accepted')
  })

  it.each([
    [undefined, {}, 'name: is missing'],
    ['t', null, 'options: is null'],
    ['t', { partition: 2 }, 'partition: is not an option; did you mean partitions?'],
    ['t', { partitions: Number.NaN }, 'partitions: is NaN; write a whole number from 1'],
    ['t', { configs: 'compact' }, 'configs: is a string'],
  ])('makes no topic of %j with %j', (name, options, what) => {
    const cluster = createMemoryCluster()
    expect(refusal(() => cluster.createTopic(name as never, options as never))).toContain(what)
    expect(cluster.topicNames()).toEqual([])
  })
})

describe('memory', () => {
  it.each([
    [null, 'options: is null; write an object with any of cluster, runtime'],
    [{ clusters: 1 }, 'clusters: is not an option; did you mean cluster?'],
    [{ brokers: 1 }, 'brokers: is not an option; take it out; options are cluster, runtime'],
    [{ cluster: {} }, 'cluster: is an object; write what createMemoryCluster returned'],
    [{ runtime: 'virtual' }, 'runtime: is a string; write a runtime'],
  ])('says what is wrong with %j', (options, what) => {
    const message = refusal(() => (memory as Loose)(options))
    expect(message).toMatch(/^memory: /)
    expect(message).toContain(what)
  })
})
