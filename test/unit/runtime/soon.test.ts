import { describe, expect, it } from 'vitest'
import { Soon, tellWhenThere, type Listener } from '../../../src/runtime/soon.js'

function listening() {
  const heard: unknown[] = []
  const listener: Listener<number> = {
    came: (value) => heard.push(value),
    failed: (error) => heard.push((error as Error).message),
  }
  return { heard, listener }
}

describe('what comes soon', () => {
  it('is told at once, value or failure', () => {
    const { heard, listener } = listening()
    const [well, badly] = [new Soon<number>(), new Soon<number>()]
    tellWhenThere(well, listener)
    tellWhenThere(badly, listener)
    expect(heard).toEqual([])
    well.came(1)
    badly.failed(new Error('no'))
    expect(heard).toEqual([1, 'no'])
  })

  it('is told of a promise too, in its turn', async () => {
    const { heard, listener } = listening()
    tellWhenThere(Promise.resolve(1), listener)
    tellWhenThere(Promise.reject(new Error('no')), listener)
    expect(heard).toEqual([])
    await Promise.resolve()
    expect(heard).toEqual([1, 'no'])
  })

  it('is kept for who listens late', async () => {
    const { heard, listener } = listening()
    const [well, badly, other] = [new Soon<number>(), new Soon<number>(), new Soon<number>()]
    well.came(1)
    badly.failed(new Error('no'))
    tellWhenThere(well, listener)
    tellWhenThere(badly, listener)
    expect(heard).toEqual([1, 'no'])
    const returned = (async () => other)()
    other.came(2)
    expect(await returned).toBe(2)
  })

  it('is a promise to whoever awaits it', async () => {
    const [well, badly] = [new Soon<number>(), new Soon<number>()]
    const awaited = (async () => (await well) + 1)()
    const caught = badly.then(
      () => 'well',
      (error: unknown) => (error as Error).message,
    )
    await Promise.resolve()
    well.came(1)
    badly.failed(new Error('no'))
    expect([await awaited, await caught]).toEqual([2, 'no'])
  })
})
