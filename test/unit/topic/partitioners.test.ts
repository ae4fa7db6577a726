import fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { messageHeaders } from '../../../src/message/headers.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { kafkajsLegacy } from '../../../src/topic/kafkajs-legacy.js'
import { murmur2Partition } from '../../../src/topic/murmur2.js'
import type { ChoosePartition, PartitionInput } from '../../../src/topic/partitioner.js'
import { murmur2, roundRobin, spread } from '../../../src/topic/partitioners.js'

const record = (fields: Partial<PartitionInput> = {}): PartitionInput => ({
  topic: 't',
  key: null,
  headers: messageHeaders([]),
  value: null,
  partitionCount: 8,
  sizeBytes: 100,
  isAvailable: () => true,
  ...fields,
})
const choices = (choose: ChoosePartition, count: number, input = record()) =>
  Array.from({ length: count }, () => choose(input))

describe('murmur2 by something else than the key', () => {
  it('puts each record where that would be as a key, tombstones of it too', () => {
    const choose = murmur2({ by: (value: string | null) => value ?? 'none' }).create(seededRandom(1))
    for (const value of ['a', 'b', 'c', null]) {
      const partition = choose(record({ value, key: Buffer.from([0, 0, 0, 0, 1, 2]) }))
      expect(partition).toBe(murmur2Partition(Buffer.from(value ?? 'none'), 8))
    }
    expect(() => murmur2({ by: 'id' } as never)).toThrow('by: is a string; write a function of the value')
  })
})

describe('every partitioner', () => {
  it('chooses an integer in range, also while the partition count changes', () => {
    const input = fc.record({
      key: fc.option(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
      value: fc.record({ series: fc.oneof(fc.string(), fc.integer()) }),
      partitionCount: fc.integer({ min: 1, max: 60 }),
      sizeBytes: fc.nat(40_000),
    })
    const by = (value: { series: string | number }) => value.series
    for (const partitioner of [murmur2(), roundRobin(), kafkajsLegacy(), spread({ over: 7, by })]) {
      fc.assert(
        fc.property(fc.array(input), fc.integer(), fc.boolean(), (inputs, seed, available) => {
          const choose = partitioner.create(seededRandom(seed))
          for (const one of inputs) {
            const partition = choose(record({ ...one, isAvailable: () => available }))
            expect(Number.isInteger(partition) && partition >= 0 && partition < one.partitionCount).toBe(true)
          }
        }),
      )
    }
  })

  it.each([murmur2({ stickyBytes: 1 }), roundRobin(), kafkajsLegacy()])(
    'puts records without a key where there is a leader, and evenly: $name',
    (partitioner) => {
      const isAvailable = (partition: number) => partition % 3 === 0
      const chosen = choices(partitioner.create(seededRandom(3)), 3_000, record({ isAvailable }))
      const counts = [0, 1, 2, 3, 4, 5, 6, 7].map((at) => chosen.filter((partition) => partition === at).length)
      counts.forEach((count, at) => {
        if (isAvailable(at)) expect(count).toBeGreaterThan(850)
        else expect(count).toBe(0)
      })
    },
  )

  it('repeats its choices with the same seed', () => {
    for (const partitioner of [murmur2({ stickyBytes: 150 }), roundRobin()]) {
      const run = (seed: number) => choices(partitioner.create(seededRandom(seed)), 50)
      expect(run(4)).toEqual(run(4))
      expect(run(4)).not.toEqual(run(5))
    }
  })
})

describe('murmur2', () => {
  it('keeps a key on the partition of its hash, whatever keyless records do', () => {
    const choose = murmur2().create(seededRandom(1))
    const key = Buffer.from('tenant-1')
    const expected = murmur2Partition(key, 8)
    for (let index = 0; index < 500; index++) {
      choose(record())
      expect(choose(record({ key }))).toBe(expected)
    }
  })

  it.each([0, -1, Number.NaN, '16384'])('refuses %o sticky bytes', (stickyBytes) => {
    expect(() => murmur2({ stickyBytes: stickyBytes as number })).toThrow(/stickyBytes: is .*; write a number/)
  })

  it('sticks to a partition for a batch of keyless bytes, then takes another', () => {
    const chosen = choices(murmur2({ stickyBytes: 1_000 }).create(seededRandom(7)), 100)
    for (let batch = 0; batch < 10; batch++) {
      expect(new Set(chosen.slice(batch * 10, batch * 10 + 10)).size).toBe(1)
      if (batch > 0) expect(chosen[batch * 10]).not.toBe(chosen[batch * 10 - 1])
    }
  })

  it('leaves a partition that is there no more', () => {
    const chosen = Array.from({ length: 50 }, (_, seed) => {
      const choose = murmur2().create(seededRandom(seed))
      choose(record({ partitionCount: 60 }))
      return choose(record({ partitionCount: 2 }))
    })
    expect(new Set(chosen)).toEqual(new Set([0, 1]))
  })

  it('gives every partition its share of keyless records over time', () => {
    const chosen = choices(murmur2({ stickyBytes: 100 }).create(seededRandom(3)), 8_000)
    for (let partition = 0; partition < 8; partition++) {
      const share = chosen.filter((one) => one === partition).length
      expect(share).toBeGreaterThan(850)
      expect(share).toBeLessThan(1_150)
    }
  })

  it('starts at random, so that many producers do not all begin with one partition', () => {
    const starts = Array.from({ length: 100 }, (_, seed) => murmur2().create(seededRandom(seed))(record()))
    expect(new Set(starts).size).toBe(8)
  })
})

describe('roundRobin', () => {
  it('takes one partition after the other from a random start, keys or not', () => {
    const choose = roundRobin().create(seededRandom(2))
    const first = choose(record())
    const next = choices(choose, 16, record({ key: Buffer.from('same') }))
    expect(next).toEqual(next.map((_, index) => (first + 1 + index) % 8))
  })
})

describe('spread', () => {
  const by = (value: { series: string }) => value.series
  const place = (key: string | null, series: string) =>
    spread({ over: 4, by }).create(seededRandom(1))(
      record({ key: key === null ? null : Buffer.from(key), value: { series }, partitionCount: 32 }),
    )

  it('keeps a series of a tenant on one partition, for every producer', () => {
    for (let index = 0; index < 50; index++) expect(place('t1', `s${index}`)).toBe(place('t1', `s${index}`))
  })

  it('spreads one tenant over as many sub-keys as asked for, placed by key#index', () => {
    const used = new Set(Array.from({ length: 200 }, (_, index) => place('t1', `s${index}`)))
    const allowed = [0, 1, 2, 3].map((index) => murmur2Partition(Buffer.from(`t1#${index}`), 32))
    expect([...used].sort()).toEqual([...new Set(allowed)].sort())
    expect(used.size).toBeGreaterThan(1)
  })

  it('places records without a key by the series alone, over all partitions', () => {
    const used = new Set(Array.from({ length: 500 }, (_, index) => place(null, `s${index}`)))
    expect(used.size).toBe(32)
  })

  it('refuses a series that is missing, without showing the value', () => {
    const choose = spread<{ series?: string }>({ over: 4, by: (value) => value.series as string }).create(
      seededRandom(1),
    )
    expect(() => choose(record({ key: Buffer.from('t1'), value: {} }))).toThrow(/spread\(\{ by \}\).*undefined/)
  })

  it('says what is missing when it is given nothing', () => {
    expect(() => spread(undefined as never)).toThrow(/over: .*\n.*by: is undefined/)
  })

  it('reports all impossible options at once', () => {
    const wrong = { over: 0, by: 'series' } as unknown as { over: number; by: () => string }
    expect(() => spread(wrong)).toThrow(/over:.*\n.*by: is string/)
  })
})

describe('kafkajsLegacy', () => {
  it('puts every key where kafkajs puts it', () => {
    const metadata = (count: number) => Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 1 }))
    const theirs = Partitioners.LegacyPartitioner()
    const choose = kafkajsLegacy().create(seededRandom(1))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 200 }), (key, count) => {
        const asked = {
          topic: 't',
          partitionMetadata: metadata(count),
          message: { key: Buffer.from(key), value: null },
        }
        expect(choose(record({ key: Buffer.from(key), partitionCount: count }))).toBe(theirs(asked as never))
      }),
      { numRuns: 3_000 },
    )
  })

  it('is another one than the default: a topic filled under it needs it', () => {
    const keys = Array.from({ length: 100 }, (_, index) => Buffer.from(`tenant-${index}`))
    const legacy = kafkajsLegacy().create(seededRandom(1))
    expect(keys.filter((key) => legacy(record({ key })) === murmur2Partition(key, 8)).length).toBeLessThan(50)
  })
})
