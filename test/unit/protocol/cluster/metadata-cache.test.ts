import { describe, expect, it } from 'vitest'
import type { PartitionMetadata, TopicMetadata } from '../../../../src/connection/requests/metadata.js'
import { MetadataCache } from '../../../../src/protocol/cluster/metadata-cache.js'

const partition = (number: number, leader: number, leaderEpoch: number): PartitionMetadata => ({
  partition: number,
  errorCode: 0,
  leader,
  leaderEpoch,
  replicas: [],
  isr: [],
})

function cacheOf() {
  const cache = new MetadataCache()
  const tell = (
    topicId: string | null,
    partitions: readonly PartitionMetadata[],
    rest: Partial<TopicMetadata> = {},
  ) => {
    const topic = { name: 't', topicId, errorCode: 0, isInternal: false, partitions, ...rest }
    cache.take({ throttleTimeMs: 0, brokers: [], clusterId: 'c', controllerId: 1, topics: [topic] })
  }
  const leaders = () => cache.topic('t')?.partitions.map(({ leader }) => leader)
  return { cache, tell, leaders }
}

describe('metadata of a broker that lags behind', () => {
  it('does not bring back a former leader', () => {
    const { tell, leaders } = cacheOf()
    tell('one', [partition(0, 1, 4), partition(1, 2, 4)])
    tell('one', [partition(0, 3, 5), partition(1, 2, 4)])
    tell('one', [partition(0, 1, 4), partition(1, 9, 6)])
    expect(leaders()).toEqual([3, 9])
  })

  it('does not take away partitions that were added', () => {
    const { tell, leaders } = cacheOf()
    tell('one', [partition(0, 1, 0)])
    tell('one', [partition(0, 1, 0), partition(1, 2, 0), partition(2, 3, 0)])
    tell('one', [partition(0, 1, 0)])
    expect(leaders()).toEqual([1, 2, 3])
  })

  it('does not bring back a former topic, however often it is told', () => {
    const { cache, tell, leaders } = cacheOf()
    tell('one', [partition(0, 1, 7), partition(1, 1, 7)])
    tell('two', [partition(0, 2, 0)])
    expect(leaders()).toEqual([2])
    tell('one', [partition(0, 1, 8), partition(1, 1, 8)])
    tell('two', [partition(0, 3, 1)])
    tell('one', [partition(0, 1, 9)])
    expect([cache.topic('t')?.topicId, leaders()]).toEqual(['two', [3]])
  })

  it('is not believed for ever when it was heard first: the topic that everyone tells of comes back', () => {
    const { cache, tell, leaders } = cacheOf()
    tell('two', [partition(0, 2, 0)])
    tell('one', [partition(0, 1, 7)])
    for (let times = 0; times < 2; times += 1) tell('two', [partition(0, 2, 0)])
    tell('one', [partition(0, 1, 7)])
    for (let times = 0; times < 3; times += 1) tell('two', [partition(0, 3, 1)])
    expect([cache.topic('t')?.topicId, leaders()]).toEqual(['two', [3]])
    tell('one', [partition(0, 1, 7)])
    expect(cache.topic('t')?.topicId).toBe('two')
  })

  it('does not make a topic forgotten that it does not know yet', () => {
    const { cache, tell, leaders } = cacheOf()
    tell('one', [partition(0, 1, 7)])
    tell(null, [], { errorCode: 3 })
    expect([cache.topic('t')?.errorCode, cache.topic('t')?.topicId, leaders()]).toEqual([3, 'one', [1]])
    tell('two', [partition(0, 2, 0)])
    expect([cache.topic('t')?.errorCode, cache.topic('t')?.topicId, leaders()]).toEqual([0, 'two', [2]])
  })
})

describe('metadata without topic ids', () => {
  it('are taken as they come: a topic made anew cannot be told from one that is there', () => {
    const { tell, leaders } = cacheOf()
    tell(null, [partition(0, 1, 7), partition(1, 1, 7)])
    tell(null, [partition(0, 2, 0)])
    expect(leaders()).toEqual([2])
  })
})
