import { describe, expect, it } from 'vitest'
import { HeldMemory } from '../../../src/transaction/held-memory.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

function world(bufferBytes = 10) {
  const clock = virtualClock()
  const memory = new HeldMemory({ bufferBytes, maxBlockMs: 1_000 }, clock)
  const told: string[] = []
  const take = (holder: object, bytes: number, name: string) => {
    if (memory.tryTake(holder, bytes)) told.push(`${name} has room`)
    else
      memory.wait(
        holder,
        bytes,
        'out',
        () => told.push(`${name} came in`),
        ({ code, retriable }) => told.push(`${name} ${code} ${retriable}`),
      )
  }
  return { clock, memory, told, take }
}

describe('what handlers hold', () => {
  it('waits for room in the order in which it came', () => {
    const { memory, told, take } = world()
    const [one, two, three] = [{}, {}, {}]
    take(one, 10, 'one')
    take(two, 6, 'two')
    take(three, 1, 'three')
    expect(told).toEqual(['one has room'])
    memory.release(one, 10)
    expect(told).toEqual(['one has room', 'two came in', 'three came in'])
    expect(memory.usedBytes).toBe(7)
  })

  it('never waits for each other in a ring: who holds something for longest has room', () => {
    const { memory, told, take } = world()
    const [one, two] = [{}, {}]
    take(one, 5, 'one')
    take(two, 5, 'two')
    take(two, 5, 'two again')
    take(one, 5, 'one again')
    expect(told).toEqual(['one has room', 'two has room', 'one again has room'])
    memory.release(one, 10)
    expect(told.at(-1)).toBe('two again came in')
  })

  it('of a call that waits is let in once it is the one that holds for longest', () => {
    const { memory, told, take } = world(20)
    const [one, two, three] = [{}, {}, {}]
    take(one, 8, 'one')
    take(two, 8, 'two')
    take(three, 13, 'three')
    take(two, 7, 'two again')
    memory.release(one, 8)
    expect(told).toEqual(['one has room', 'two has room', 'two again came in'])
  })

  it('fails after maxBlockMs, and what a failed call waits for is given up', async () => {
    const { clock, memory, told, take } = world()
    const [one, two, three] = [{}, {}, {}]
    take(one, 10, 'one')
    take(two, 5, 'two')
    await clock.advance(500)
    take(three, 5, 'three')
    await clock.advance(500)
    expect(told).toEqual(['one has room', 'two buffer-full true'])
    memory.release(three, 0)
    memory.release(one, 10)
    await clock.advance(1_000)
    expect(told).toHaveLength(2)
    expect(memory.usedBytes).toBe(0)
  })

  it('is refused at once when as much waits already as there may be', () => {
    const { told, take } = world()
    take({}, 10, 'one')
    take({}, 8, 'two')
    take({}, 8, 'three')
    expect(told).toEqual(['one has room', 'three buffer-full true'])
  })
})
