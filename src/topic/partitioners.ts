import { ConfigError } from '../errors.js'
import { optionProblem, type Rules } from '../input/option-rules.js'
import { keyBytes, type Key } from './key.js'
import { murmur2 as murmur2Hash, murmur2Partition } from './murmur2.js'
import type { Partitioner } from './partitioner.js'
import { stickyChooser } from './sticky.js'

/** A partitioner that reads the value, so it fits only topics of that value. */
export interface ValuePartitioner<Value> extends Partitioner {
  readonly by?: ((value: Value) => Key) | undefined
}

/** How records without a key are spread. */
export interface StickyOptions {
  /** Bytes of records without a key that go to one partition before the next is chosen. Default 16,384, as in Java. */
  readonly stickyBytes?: number | undefined
}

const defaultStickyBytes = 16_384

const murmur2Rules: Rules<StickyOptions & { readonly by?: unknown }> = {
  stickyBytes: { expected: 'a number of at least 1', accepts: (value) => typeof value === 'number' && value >= 1 },
  by: { expected: 'a function of the value', accepts: (value) => typeof value === 'function' },
}

/**
 * The default: records with a key go where Java's default partitioner sends them, so both may write to one topic; records
 * without a key stick to a partition for a batch's worth of bytes, and then go to another one that has a leader.
 *
 * With `by` all records go where a key would that is what `by` gives, as text; what is stored as key changes nothing. So a
 * topic whose keys become Avro keeps each of them in its partition: `murmur2({ by: (order: Order) => order.id })`.
 */
export function murmur2(options?: StickyOptions): Partitioner
export function murmur2<Value>(options: StickyOptions & { readonly by: (value: Value) => Key }): ValuePartitioner<Value>
export function murmur2(
  options: StickyOptions & { readonly by?: ((value: unknown) => Key) | undefined } = {},
): ValuePartitioner<unknown> {
  const problem = optionProblem('murmur2()', options, murmur2Rules)
  if (problem !== null) throw problem
  const { stickyBytes = defaultStickyBytes, by } = options
  if (by !== undefined) {
    return {
      name: 'murmur2',
      by,
      create:
        () =>
        ({ value, partitionCount }) =>
          murmur2Partition(keyBytes(by(value), 'murmur2({ by })'), partitionCount),
    }
  }
  return {
    name: 'murmur2',
    create(random) {
      const chooseSticky = stickyChooser(random, stickyBytes)
      return ({ key, partitionCount, sizeBytes, isAvailable }) =>
        key === null ? chooseSticky(partitionCount, sizeBytes, isAvailable) : murmur2Partition(key, partitionCount)
    },
  }
}

/**
 * One partition after the other that has a leader, whatever the key: an even spread, and no order between records of a key.
 * Starts at random.
 */
export function roundRobin(): Partitioner {
  return {
    name: 'round-robin',
    create(random) {
      let next = -1
      return ({ partitionCount, isAvailable }) => {
        next = next === -1 ? Math.floor(random.next() * partitionCount) : (next + 1) % partitionCount
        for (let passed = 1; passed < partitionCount && !isAvailable(next); passed += 1)
          next = (next + 1) % partitionCount
        return next
      }
    },
  }
}

/** How `spread` divides a key that is too hot for one partition. */
export interface SpreadOptions<Value> {
  /** How many sub-keys one key is spread over; at most so many partitions hold it. */
  readonly over: number
  /** What must stay together and in order, for example the series of a tenant. */
  readonly by: (value: Value) => Key
}

/**
 * For a key too hot for one partition: places a record by `key#(hash(by) mod over)`, so that a key is spread over `over`
 * sub-keys while all records of one key and one `by` stay on one partition, in order. The stored key stays as it is; order
 * between different `by` of a key is given up. Records without a key are placed by `by` alone.
 *
 * @example
 * spread({ over: 8, by: (event: RawEvent) => event.series })
 */
export function spread<Value>(options: SpreadOptions<Value>): ValuePartitioner<Value> {
  const { over, by } = checkedSpread(options)
  const suffixes = Array.from({ length: over }, (_, index) => Buffer.from(`#${index}`))
  return {
    name: `spread over ${over}`,
    by,
    create:
      () =>
      ({ key, value, partitionCount }) => {
        const hash = murmur2Hash(keyBytes(by(value as Value), 'spread({ by })')) & 0x7fffffff
        if (key === null) return hash % partitionCount
        return murmur2Partition(Buffer.concat([key, suffixes[hash % over] as Buffer]), partitionCount)
      },
  }
}

function checkedSpread<Value>(options: SpreadOptions<Value>): SpreadOptions<Value> {
  // Types may have been cast away.
  const { over, by } = (options as Partial<SpreadOptions<Value>> | undefined) ?? {}
  const issues = []
  if (!Number.isInteger(over) || (over as number) < 1 || (over as number) > 10_000) {
    issues.push({ path: 'over', message: 'is not a count of sub-keys', fix: 'write an integer from 1 to 10000' })
  }
  if (typeof by !== 'function') {
    issues.push({
      path: 'by',
      message: `is ${typeof by}`,
      fix: 'write a function of the value, for example (event) => event.series',
    })
  }
  if (issues.length > 0) throw new ConfigError('spread()', issues)
  return options
}
