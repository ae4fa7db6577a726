import { describe, expect, it } from 'vitest'
import type { Missing } from '../../../../src/serde/serde.js'
import type { ClientEvent } from '../../../../src/telemetry/events.js'
import { deferred } from '../../../../src/runtime/deferred.js'
import { ManualHandler, routeFailing, setUp, textTopic, type Options } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

/** A keeper of schemas: each value needs the one of its offset's number, `v3` schema 3. */
class Keeper {
  readonly known = new Set<string>()
  readonly asked: string[] = []
  /** What asking ends with. */
  answer: (value: string) => Promise<void> = (value) => {
    this.known.add(value)
    return Promise.resolve()
  }

  missing(bytes: Buffer | null): Missing | null {
    const value = String(bytes)
    if (this.known.has(value)) return null
    return {
      what: `schema of ${value}`,
      load: () => {
        this.asked.push(value)
        return this.answer(value)
      },
    }
  }

  topic<const Name extends string>(name: Name) {
    const plain = textTopic(name)
    return { ...plain, value: { ...plain.value, reading: { missing: (bytes: Buffer | null) => this.missing(bytes) } } }
  }
}

async function reading(keeper: Keeper, options: Options = {}) {
  const events: ClientEvent[] = []
  const letters = routeFailing(0)
  const all = setUp(
    { topics: [keeper.topic('t'), textTopic('u')], order: 'none', ...options },
    { deadLetter: letters.route, onEvent: (event) => events.push(event) },
  )
  await all.consumer.start()
  const assigned = await all.driver.assign('t', 0)
  return { ...all, assigned, events, letters }
}

describe('records whose schema is not there yet', () => {
  it('wait for it in order, and what was read before them is handled meanwhile', async () => {
    const keeper = new Keeper()
    keeper.known.add('v0').add('v2')
    const told = deferred<void>()
    keeper.answer = async (value) => {
      await told.promise
      keeper.known.add(value)
    }
    const handled: number[] = []
    const { clock, driver, assigned, consumer } = await reading(keeper, {
      handle: ({ offset }) => void handled.push(offset),
    })
    driver.deliver(assigned, records(0, 3))
    await clock.advance(5_000)
    expect(handled).toEqual([0])
    expect(consumer.facts().partitions[0]).toMatchObject({ waitsFor: 'schema', unsettled: 2 })
    told.resolve()
    await clock.advance(10)
    expect(handled).toEqual([0, 1, 2])
    expect(keeper.asked).toEqual(['v1'])
    expect(consumer.facts().partitions[0]).toMatchObject({ waitsFor: null, unsettled: 0 })
  })

  it('hold up no other partition', async () => {
    const keeper = new Keeper()
    keeper.answer = () => new Promise(() => undefined)
    const handled: string[] = []
    const { clock, driver, assigned } = await reading(keeper, {
      handle: ({ topic, offset }) => void handled.push(`${topic}${offset}`),
    })
    const other = await driver.assign('u', 0)
    driver.deliver(assigned, records(0, 1))
    driver.deliver(other, records(0, 2))
    await clock.advance(10)
    expect(handled).toEqual(['u0', 'u1'])
  })

  it('are given up by no outage of the registry: it is told once, asked again, and they are handled when it is back', async () => {
    const keeper = new Keeper()
    let isDown = true
    keeper.answer = (value) => {
      if (isDown) return Promise.reject(new Error('registry down'))
      keeper.known.add(value)
      return Promise.resolve()
    }
    const handled: number[] = []
    const { clock, driver, assigned, events, letters } = await reading(keeper, {
      handle: ({ offset }) => void handled.push(offset),
    })
    driver.deliver(assigned, records(0, 2))
    await clock.advance(60_000)
    expect(handled).toEqual([])
    expect(keeper.asked.length).toBeGreaterThan(5)
    expect(keeper.asked.length).toBeLessThan(30)
    isDown = false
    await clock.advance(10_000)
    expect(handled).toEqual([0, 1])
    expect(letters.given).toEqual([])
    expect(events.filter(({ kind }) => kind === 'decoding-held-up')[0]).toMatchObject({
      topic: 't',
      partition: 0,
      offset: 0,
      what: 'schema of v0',
    })
    expect(events.filter(({ kind }) => kind === 'decoding-goes-on')).toHaveLength(1)
    expect(events.filter(({ kind }) => kind === 'stalled')).toEqual([])
  })

  it('are asked for again after a while when the keeper never answers', async () => {
    const keeper = new Keeper()
    keeper.answer = () => new Promise(() => undefined)
    const { clock, driver, assigned, events } = await reading(keeper, {})
    driver.deliver(assigned, records(0, 1))
    await clock.advance(31_000)
    expect(events).toContainEqual(expect.objectContaining({ kind: 'decoding-held-up' }))
    expect(keeper.asked.length).toBe(2)
  })

  it('are not asked for in a circle by a serde that says they are there and misses them still', async () => {
    const keeper = new Keeper()
    keeper.answer = () => Promise.resolve()
    const { clock, driver, assigned } = await reading(keeper, {})
    driver.deliver(assigned, records(0, 1))
    await clock.advance(1_000)
    expect(keeper.asked.length).toBeLessThan(8)
  })

  it('go with their partition: what is told afterwards is handled by nobody here', async () => {
    const keeper = new Keeper()
    const told = deferred<void>()
    keeper.answer = async (value) => {
      await told.promise
      keeper.known.add(value)
    }
    const handler = new ManualHandler()
    const { clock, driver, assigned, events } = await reading(keeper, { handle: handler.handle })
    driver.deliver(assigned, records(0, 2))
    await clock.advance(10)
    const revoked = driver.revoke(assigned, 1_000)
    await clock.advance(1_000)
    await revoked
    told.resolve()
    await clock.advance(60_000)
    expect(handler.started).toEqual([])
    expect(events.filter(({ kind }) => kind === 'decoding-goes-on')).toEqual([])
  })

  it('go to the dead letters when the serde cannot even say what it misses, and cannot decode them', async () => {
    const keeper = new Keeper()
    const topic = keeper.topic('t')
    topic.value.reading.missing = () => {
      throw new Error('defect')
    }
    topic.value.decode = () => {
      throw new Error('no schema')
    }
    const { clock, driver, assigned, letters } = await reading(keeper, { topics: [topic, textTopic('u')] })
    driver.deliver(assigned, records(0, 1))
    await clock.advance(1_000)
    expect(letters.given).toHaveLength(1)
  })
})
