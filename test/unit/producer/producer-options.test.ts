import { expect, test } from 'vitest'
import { producerOptionsSchema, type ProducerOptions } from '../../../src/producer/producer-options.js'
import { resolve } from './scripted-driver.js'

test('without options a producer keeps the promise of cp', () => {
  expect(resolve({})).toMatchObject({
    acks: -1,
    idempotent: true,
    lingerMs: 0,
    maxRequestBytes: 1_048_576,
    batchBytes: 1_048_576,
    bufferBytes: 33_554_432,
    deliveryTimeoutMs: 120_000,
  })
})

test('acks 1 and 0 are not idempotent unless said so, and that is refused', () => {
  expect(resolve({ acks: 1 })).toMatchObject({ acks: 1, idempotent: false })
  expect(resolve({ acks: 'all' })).toMatchObject({ acks: -1, idempotent: true })
})

test('batchBytes follows a smaller maxRequestBytes', () => {
  expect(resolve({ maxRequestBytes: 10_000 })).toMatchObject({ batchBytes: 10_000 })
})

test.each<[ProducerOptions, string]>([
  [{ acks: 1, idempotent: true }, 'idempotent'],
  [{ acks: 0, idempotent: true }, 'idempotent'],
  [{ batchBytes: 2_000_000 }, 'batchBytes'],
  [{ bufferBytes: 1_000 }, 'bufferBytes'],
  [{ lingerMs: 120_000 }, 'lingerMs'],
  [{ deliveryTimeoutMs: 0 }, 'deliveryTimeoutMs'],
  [{ maxRequestBytes: NaN }, 'maxRequestBytes'],
  [{ compression: 'zip' as never }, 'compression'],
  [{ acks: 2 as never }, 'acks'],
])('%j is refused at %s', (options, path) => {
  const result = producerOptionsSchema.safeParse(options)
  expect(result.error?.issues.map((issue) => issue.path.join('.'))).toContain(path)
})

test('all problems of one set of options are told at once', () => {
  const result = producerOptionsSchema.safeParse({ idempotent: true, acks: 0, lingerMs: 200_000, bufferBytes: 5 })
  expect(result.error?.issues).toHaveLength(3)
})
