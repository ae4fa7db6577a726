import { expect, test } from 'vitest'
import { LastStored } from '../../../../src/protocol/produce/last-stored.js'
import { PartitionSequence } from '../../../../src/protocol/produce/partition-sequence.js'

const fresh = (producerEpoch = 0) => {
  const state = new PartitionSequence()
  state.adopt({ producerId: 7, producerEpoch })
  return state
}

test('sequences wrap from 2^31 - 1 to 0, also inside a batch', () => {
  const state = fresh()
  state.stored(2 ** 31 - 1)
  expect(state.stamp().baseSequence).toBe(2_147_483_647)
  state.stored(1)
  expect(state.stamp().baseSequence).toBe(0)
  state.stored(2 ** 31 - 2)
  state.stored(5)
  expect(state.stamp().baseSequence).toBe(3)
})

test('looking at the next sequence does not use it up', () => {
  const state = fresh()
  state.stamp()
  expect(state.stamp()).toEqual({ producerId: 7, producerEpoch: 0, baseSequence: 0 })
})

test('a raised epoch keeps the id and begins at sequence 0', () => {
  const state = fresh()
  state.stored(9)
  state.raiseEpoch()
  expect(state.stamp()).toEqual({ producerId: 7, producerEpoch: 1, baseSequence: 0 })
})

test('epoch 32767 is the last of an id: raised once more, there is no identity', () => {
  const state = fresh(32_766)
  state.raiseEpoch()
  expect(state.identity).toEqual({ producerId: 7, producerEpoch: 32_767 })
  state.raiseEpoch()
  expect(state.identity).toBeNull()
  expect(() => state.stamp()).toThrow('without a producer id')
})

test('an offset goes back when it does not lie behind the whole former batch', () => {
  const state = new LastStored()
  expect(state.wentBack(0, 10)).toBe(false)
  expect(state.wentBack(10, 1)).toBe(false)
  expect(state.wentBack(10, 1)).toBe(true)
  expect(state.wentBack(3, 1)).toBe(true)
  expect(state.wentBack(4, 1)).toBe(false)
})
