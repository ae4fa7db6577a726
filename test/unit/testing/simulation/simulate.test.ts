import { describe, expect, it } from 'vitest'
import { createMessaging } from '../../../../src/messaging.js'
import { string } from '../../../../src/serde/string.js'
import { simulate, SimulationError, type Simulation } from '../../../../src/testing/simulation/simulate.js'
import { defineTopic } from '../../../../src/topic/define-topic.js'

const orders = defineTopic({ name: 'orders', value: string() })

async function sendTen({ cluster, process, nemesis, clock }: Simulation): Promise<void> {
  cluster.createTopic('orders', { partitions: 2 })
  const messaging = createMessaging({ driver: process('shop').driver })
  const producer = messaging.producer()
  nemesis.start()
  for (let index = 0; index < 10; index += 1) {
    await producer.send(orders, `order ${index}`)
    await clock.sleep(200)
  }
  nemesis.heal()
  await messaging.close()
}

async function failureOf(scenario: (simulation: Simulation) => Promise<void>): Promise<SimulationError> {
  const failure: unknown = await simulate(7, scenario).then(
    () => null,
    (error: unknown) => error,
  )
  if (failure instanceof SimulationError) return failure
  throw new Error('the simulation should have failed')
}

describe('simulate', () => {
  it('repeats a disturbed run exactly, and another seed gives another run', async () => {
    const first = await simulate(1, sendTen)
    expect(first.disturbances).toBeGreaterThan(0)
    expect(await simulate(1, sendTen)).toEqual(first)
    expect((await simulate(2, sendTen)).hash).not.toBe(first.hash)
  })

  it.each([
    [[], 'seed: is missing; write a whole number from 0'],
    [[Number.NaN, sendTen], 'seed: is NaN; write a whole number from 0'],
    [[1], 'scenario: is missing; write async ({ process, cluster }) => { … }'],
    [[1, sendTen, null], 'options: is null; write an object with any of cluster, nemesis'],
    [[1, sendTen, { limitMs: Number.NaN }], 'limitMs: is NaN; write milliseconds above 0'],
    [[1, sendTen, { clusters: {} }], 'did you mean cluster?'],
    [[1, sendTen, { cluster: { broker: 1 } }], 'did you mean brokers?'],
  ])('says what it cannot run: %j', async (given, what) => {
    const run = (simulate as (...given: readonly unknown[]) => Promise<unknown>)(...given)
    await expect(run).rejects.toMatchObject({
      code: 'invalid-config',
      message: expect.stringContaining(what) as string,
    })
  })

  it('tells seed, reason and last events of a scenario that fails', async () => {
    const failure = await failureOf(({ note }) => {
      note('about to fail')
      throw new Error('two orders were lost')
    })
    expect(failure.seed).toBe(7)
    expect(failure.message).toContain('seed 7: two orders were lost')
    expect(failure.lastEvents.at(-1)).toBe('0 about to fail')
  })

  it('fails a scenario that gets stuck, in virtual time', async () => {
    const failure = await failureOf(async ({ clock }) => {
      for (;;) await clock.sleep(60_000)
    })
    expect(failure.reason).toContain('was not reached')
  })

  it('fails a scenario that leaves a client open', async () => {
    const failure = await failureOf(async ({ cluster, process }) => {
      cluster.createTopic('orders')
      await createMessaging({ driver: process('shop').driver })
        .producer()
        .send(orders, 'one')
    })
    expect(failure.reason).toContain('of shop are still open')
  })

  it('lets a crashed process neither hear nor do anything any more', async () => {
    await simulate(7, async ({ cluster, clock, process }) => {
      cluster.createTopic('orders')
      const shop = process('shop')
      const producer = createMessaging({ driver: shop.driver }).producer()
      await producer.send(orders, 'one')
      let ended = 'no'
      void producer.send(orders, 'two').finally(() => (ended = 'yes'))
      shop.crash()
      await clock.sleep(600_000)
      expect(ended).toBe('no')
      expect(cluster.records('orders', 0)).toHaveLength(1)
    })
  })

  it('lets a process that stood still go on where it was', async () => {
    await simulate(7, async ({ cluster, clock, process }) => {
      cluster.createTopic('orders')
      const shop = process('shop')
      const messaging = createMessaging({ driver: shop.driver })
      const producer = messaging.producer()
      await producer.send(orders, 'one')
      shop.freeze(3_000)
      const frozenAt = clock.now()
      await producer.send(orders, 'two')
      expect(clock.now() - frozenAt).toBeGreaterThanOrEqual(3_000)
      await messaging.close()
    })
  })
})
