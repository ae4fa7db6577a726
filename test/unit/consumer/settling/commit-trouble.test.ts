import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import { ManualHandler, setUp } from '../consumer-setup.js'
import { records } from '../fake-driver.js'
import { logged, open, put, simulated, t } from '../simulated.js'

describe('a commit that is too large as a whole', () => {
  it('goes in parts, with all its metadata, and the next ones too', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer } = setUp({
      handle: handler.handle,
      order: 'none',
      concurrency: 100,
      commit: 'closely',
    })
    await consumer.start()
    const assigned = []
    for (let partition = 0; partition < 4; partition++) assigned.push(await driver.assign('t', partition))
    for (const one of assigned) driver.deliver(one, records(0, 3))
    await clock.advance(0)
    driver.outcomes.push(...Array.from({ length: 4 }, () => 'commit-too-large' as const))
    for (let partition = 0; partition < 4; partition++) {
      handler.end(0, 't', partition)
      handler.end(2, 't', partition)
    }
    await clock.advance(50)
    expect(driver.commits.map(({ offsets }) => offsets.length)).toEqual([4, 2, 2])
    for (let partition = 0; partition < 4; partition++) {
      expect(driver.committed('t', partition)).toMatchObject({ nextOffset: 1, metadata: expect.stringContaining('c:') })
    }
    for (let partition = 0; partition < 4; partition++) handler.end(1, 't', partition)
    await clock.advance(200)
    expect(driver.commits.map(({ offsets }) => offsets.length)).toEqual([4, 2, 2, 2, 2])
    expect(consumer.facts().partitions.map(({ committed }) => committed)).toEqual([3, 3, 3, 3])
  })

  it('ends with less metadata when one offset alone is too large', async () => {
    const handler = new ManualHandler()
    const options = { handle: handler.handle, order: 'none', concurrency: 10, commit: 'closely' } as const
    const { clock, driver, consumer } = setUp(options)
    await consumer.start()
    driver.outcomes.push('commit-too-large')
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(0)
    handler.end(0)
    handler.end(2)
    await clock.advance(1_000)
    const tried = driver.commits.flatMap(({ offsets }) => offsets.map(({ metadata }) => metadata.includes('c:')))
    expect(tried).toEqual([true, false])
    expect(consumer.facts().partitions[0]?.committed).toBe(1)
  })
})

describe('a commit that is answered late', () => {
  it('keeps no news waiting: what was settled meanwhile is committed without anything more being settled', async () => {
    const { clock, driver, consumer } = setUp({ commit: 'closely', handle: () => undefined })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.commitMs = 25_000
    driver.deliver(assigned, records(0, 1))
    await clock.advance(1_000)
    expect(driver.commits).toHaveLength(1)
    driver.commitMs = 0
    driver.deliver(assigned, records(1, 2))
    await clock.advance(60_000)
    expect(consumer.facts().partitions[0]?.committed).toBe(2)
  })
})

describe('commits that are not authorised', () => {
  it('are told once, however many partitions and tries there are, and again after they were allowed', () =>
    simulated(async ({ cluster, clock, process }) => {
      cluster.createTopic('t', { partitions: 10 })
      for (let partition = 0; partition < 10; partition++) put(cluster, ['a'], 't', partition)
      const { logger, lines } = logged()
      const messaging = open(process('one'), { logger })
      const consumer = messaging.consumer({ group: 'g', topics: [t], sessionTimeoutMs: 6_000, handle: () => undefined })
      const refuse = (times: number) => {
        for (let i = 0; i < times; i++) {
          cluster.faults.failNext({ api: 'offsetCommit' }, brokerCode.TOPIC_AUTHORIZATION_FAILED)
        }
      }
      const told = () => lines.filter(({ message }) => message.includes('not authorised')).length
      refuse(5)
      await consumer.start()
      await clock.sleep(60_000)
      expect(told()).toBe(1)
      refuse(2)
      put(cluster, ['b'])
      await clock.sleep(60_000)
      expect(told()).toBe(2)
      await messaging.close()
    }))
})

describe('a drain report', () => {
  it('names what is done beyond the committed offset: another kind of client handles it again', async () => {
    const handler = new ManualHandler()
    const { clock, driver, consumer, drains } = setUp({ handle: handler.handle, order: 'none', drainMs: 100 })
    await consumer.start()
    const assigned = await driver.assign('t', 0)
    driver.deliver(assigned, records(0, 4))
    await clock.advance(0)
    for (const offset of [0, 2, 3]) handler.end(offset)
    await clock.advance(0)
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains).toMatchObject([
      {
        committed: [{ offset: 1 }],
        possibleDuplicates: [{ from: 1, to: 2 }],
        doneBeyond: [{ topic: 't', partition: 0, from: 2, to: 4 }],
      },
    ])
  })
})
