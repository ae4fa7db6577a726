import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import type { OwnedPartition } from '../../../src/consumer/partition/owned-partition.js'
import { Contributions } from '../../../src/transaction/contributions.js'

it('transactions that wait for what joined leave nothing behind at a partition, however many there were', async () => {
  const { signal } = new AbortController()
  const partition = { topic: 'orders', partition: 0, signal, isGone: false } as unknown as OwnedPartition
  for (let offset = 0; offset < 50; offset += 1) {
    const contributions = new Contributions()
    contributions.add(partition, offset, 1)
    const settled = contributions.whenSettled()
    contributions.settled(partition, offset)
    await settled
  }
  expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1)
})
