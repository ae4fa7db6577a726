import { describe, expect, it } from 'vitest'
import type { FetchedBatch, FetchedPartition } from '../../../../src/connection/requests/fetch.js'
import { noHeaders, type ReceivedRecord } from '../../../../src/message/record.js'
import { readableBatches } from '../../../../src/protocol/fetch/readable-batches.js'
import { held } from '../cluster/scripted-cluster.js'

const record = (offset: number): ReceivedRecord => ({
  offset,
  timestamp: 0,
  key: null,
  value: null,
  headers: noHeaders,
})

function batch(offsets: number[], overrides: Partial<FetchedBatch> = {}): FetchedBatch {
  return {
    baseOffset: offsets[0] ?? 0,
    lastOffset: offsets.at(-1) ?? 0,
    leaderEpoch: 0,
    producerId: -1,
    isTransactional: false,
    control: 'none',
    ...held(offsets.map(record)),
    ...overrides,
  }
}

const transactional = (producerId: number, offsets: number[]) => batch(offsets, { producerId, isTransactional: true })
const marker = (producerId: number, offset: number, control: 'abort' | 'commit') =>
  batch([offset], { producerId, isTransactional: true, control, ...held([]) })

function answer(batches: FetchedBatch[], aborted: [producerId: number, firstOffset: number][] = []): FetchedPartition {
  return {
    topic: 't',
    partition: 0,
    errorCode: 0,
    highWatermark: 100,
    lastStableOffset: 100,
    logStartOffset: 0,
    abortedTransactions: aborted.map(([producerId, firstOffset]) => ({ producerId, firstOffset })),
    batches,
    unreadable: null,
    sizeBytes: 0,
  }
}

const read = (fetched: FetchedPartition, position: number, isolation: 'read-committed' | 'read-uncommitted') => {
  const { batches, nextOffset } = readableBatches(fetched, position, isolation)
  return { offsets: batches.flatMap((one) => one.decode()).map(({ offset }) => offset), nextOffset }
}

describe('readable batches', () => {
  it('hands on a whole batch as it is', () => {
    const only = batch([5, 6, 7])
    expect(readableBatches(answer([only]), 5, 'read-committed').batches[0]).toBe(only)
  })

  it('begins at the position when the batch begins before it, also where compaction left a hole', () => {
    expect(read(answer([batch([5, 6, 8, 9])]), 7, 'read-uncommitted')).toEqual({ offsets: [8, 9], nextOffset: 10 })
  })

  it('goes on after the last offset a batch covers, even when that record and all others are gone', () => {
    const compacted = batch([], { baseOffset: 5, lastOffset: 11 })
    expect(read(answer([compacted]), 5, 'read-uncommitted')).toEqual({ offsets: [], nextOffset: 12 })
  })

  it('never moves backwards for a batch that lies wholly before the position', () => {
    expect(read(answer([batch([1, 2]), batch([3, 4])]), 3, 'read-uncommitted')).toEqual({
      offsets: [3, 4],
      nextOffset: 5,
    })
  })

  it('stays where it is when there is nothing', () => {
    expect(read(answer([]), 42, 'read-committed')).toEqual({ offsets: [], nextOffset: 42 })
  })

  it('skips control batches and moves past them', () => {
    const fetched = answer([transactional(1, [0, 1]), marker(1, 2, 'commit'), batch([3])])
    expect(read(fetched, 0, 'read-uncommitted')).toEqual({ offsets: [0, 1, 3], nextOffset: 4 })
  })

  it('leaves out aborted records and keeps those of other producers in between', () => {
    const fetched = answer(
      [
        transactional(1, [0, 1]),
        batch([2], { producerId: 2 }),
        transactional(3, [3]),
        marker(1, 4, 'abort'),
        batch([5]),
      ],
      [[1, 0]],
    )
    expect(read(fetched, 0, 'read-committed')).toEqual({ offsets: [2, 3, 5], nextOffset: 6 })
    expect(read(fetched, 0, 'read-uncommitted').offsets).toEqual([0, 1, 2, 3, 5])
  })

  it('shows what a producer wrote after its aborted transaction ended', () => {
    const fetched = answer(
      [transactional(1, [0]), marker(1, 1, 'abort'), transactional(1, [2]), marker(1, 3, 'commit')],
      [[1, 0]],
    )
    expect(read(fetched, 0, 'read-committed').offsets).toEqual([2])
  })

  it('shows what a producer wrote before its aborted transaction began', () => {
    const fetched = answer(
      [transactional(1, [0]), marker(1, 1, 'commit'), transactional(1, [2]), marker(1, 3, 'abort')],
      [[1, 2]],
    )
    expect(read(fetched, 0, 'read-committed').offsets).toEqual([0])
  })

  it('follows several aborted transactions of one producer, in whatever order they are listed', () => {
    const batches = [
      transactional(1, [0]),
      marker(1, 1, 'abort'),
      transactional(1, [2]),
      marker(1, 3, 'commit'),
      transactional(1, [4]),
      marker(1, 5, 'abort'),
    ]
    for (const aborted of [
      [
        [1, 0],
        [1, 4],
      ],
      [
        [1, 4],
        [1, 0],
      ],
    ] as [number, number][][]) {
      // prettier-ignore
      expect(read(answer(batches, aborted), 0, 'read-committed').offsets).toEqual([2])
    }
  })

  it('leaves out an aborted transaction whose marker is not in this answer', () => {
    expect(read(answer([transactional(1, [0, 1])], [[1, 0]]), 0, 'read-committed')).toEqual({
      offsets: [],
      nextOffset: 2,
    })
  })

  it('keeps idempotent records of a producer that are not transactional, whatever it aborted', () => {
    const fetched = answer([batch([0], { producerId: 1 })], [[1, 0]])
    expect(read(fetched, 0, 'read-committed').offsets).toEqual([0])
  })
})
