import { describe, expect, it } from 'vitest'
import type { Batch } from '../../../src/consumer/handling/batch.js'
import { DeadLetter } from '../../../src/consumer/handling/fate.js'
import type { FailedRecord } from '../../../src/consumer/handling/failed-record.js'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { setUp, watched, type Options } from './consumer-setup.js'
import { record, records } from './fake-driver.js'

type World = ReturnType<typeof setUp>

/** A loop whose batches are kept; it asks for the next one when the test says so. */
class HeldLoop {
  readonly taken: Batch[] = []
  readonly #iterator: AsyncIterableIterator<Batch, undefined>
  end: 'going' | 'done' | Error = 'going'

  constructor({ consumer }: Pick<World, 'consumer'>) {
    this.#iterator = consumer.batches()
  }

  ask(): void {
    this.#iterator.next().then(
      ({ done, value }) => {
        if (done === true) this.end = 'done'
        else this.taken.push(value)
      },
      (error: Error) => (this.end = error),
    )
  }

  /** As `break` does. */
  leave(): Promise<unknown> {
    return this.#iterator.return!()
  }

  get last(): Batch {
    return this.taken.at(-1) as Batch
  }

  places(): string[] {
    return this.taken.map(({ topic, partition, messages }) => {
      return `${topic}-${partition}@${messages.map(({ offset }) => offset).join()}`
    })
  }
}

async function running(options: Options = {}, dependencies: Parameters<typeof setUp>[1] = {}) {
  const world = setUp({ loop: true, batchMessages: 2, commit: { everyMs: 3_600_000 }, ...options }, dependencies)
  await world.consumer.start()
  const assigned = await world.driver.assign('t', 0)
  const loop = new HeldLoop(world)
  return { ...world, assigned, loop }
}

describe('a loop over batches', () => {
  it('is given the next batch of a partition when the one before is settled, in order of offset', async () => {
    const { clock, driver, assigned, loop } = await running()
    driver.deliver(assigned, records(0, 5))
    loop.ask()
    loop.ask()
    await clock.advance(1_000)
    expect(loop.places()).toEqual(['t-0@0,1'])
    loop.last.done()
    await clock.advance(0)
    expect(loop.places()).toEqual(['t-0@0,1', 't-0@2,3'])
    loop.last.done()
    loop.ask()
    await clock.advance(0)
    expect(loop.places()).toEqual(['t-0@0,1', 't-0@2,3', 't-0@4'])
  })

  it('begins nothing that was not asked for: it is neither running nor in doubt', async () => {
    const { clock, driver, consumer, assigned, loop, drains } = await running({ handlerTimeoutMs: 5_000 })
    driver.deliver(assigned, records(0, 4))
    await clock.advance(60_000)
    expect(consumer.facts()).toMatchObject({ running: 0, inFlight: 4 })
    loop.ask()
    await clock.advance(4_999)
    expect(loop.last.signal.aborted).toBe(false)
    loop.last.done()
    await clock.advance(0)
    expect(consumer.facts()).toMatchObject({ running: 0, inFlight: 2 })
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains[0]).toMatchObject({ abandoned: 0, committed: [{ offset: 2 }], possibleDuplicates: [] })
  })

  it('holds several partitions at once when it asks before it has settled', async () => {
    const { clock, driver, assigned, loop } = await running()
    driver.deliver(assigned, records(0, 2))
    driver.deliver(await driver.assign('t', 1), records(0, 2))
    loop.ask()
    await clock.advance(0)
    loop.ask()
    await clock.advance(0)
    expect(loop.places().sort()).toEqual(['t-0@0,1', 't-1@0,1'])
  })

  it("gathers a partition's batches, in order, under order: 'none'", async () => {
    const { clock, driver, consumer, assigned, loop } = await running({ order: 'none' })
    driver.deliver(assigned, records(0, 6))
    for (let asked = 0; asked < 3; asked += 1) {
      loop.ask()
      await clock.advance(0)
    }
    expect(loop.places()).toEqual(['t-0@0,1', 't-0@2,3', 't-0@4,5'])
    await clock.runUntil(loop.taken[1]!.commit())
    expect(driver.committed('t', 0)?.nextOffset).toBe(0)
    for (const batch of loop.taken) batch.done()
    await clock.runUntil(consumer.commit())
    expect(driver.committed('t', 0)?.nextOffset).toBe(6)
  })

  it('is shared by several loops, each batch given to one', async () => {
    const world = await running()
    const { clock, driver, assigned } = world
    const others = [world.loop, new HeldLoop(world)]
    driver.deliver(assigned, records(0, 2))
    driver.deliver(await driver.assign('t', 1), records(0, 2))
    for (const loop of others) loop.ask()
    await clock.advance(0)
    expect(others.flatMap((loop) => loop.places()).sort()).toEqual(['t-0@0,1', 't-1@0,1'])
    expect(others.map(({ taken }) => taken.length)).toEqual([1, 1])
  })

  it('is kept to the marks like any handler', async () => {
    const { clock, driver, assigned, loop } = await running({ highMark: { records: 4 }, lowMark: { records: 2 } })
    driver.deliver(assigned, records(0, 6))
    await clock.advance(0)
    expect(driver.calls).toEqual(['pause t-0'])
    for (let asked = 0; asked < 2; asked += 1) {
      loop.ask()
      await clock.advance(0)
      loop.last.done()
      await clock.advance(0)
    }
    expect(driver.calls).toEqual(['pause t-0', 'resume t-0'])
  })

  it('that does not ask, or does not settle, is told as a stall that waits for the loop', async () => {
    const { clock, driver, consumer, assigned, loop } = await running()
    driver.deliver(assigned, records(0, 2))
    await clock.advance(1_000)
    expect(consumer.facts().partitions[0]?.waitsFor).toBe('loop')
    loop.ask()
    await clock.advance(1_000)
    expect(consumer.facts().partitions[0]?.waitsFor).toBe('loop')
  })

  it('is not for a consumer with a handler, and not before the start', async () => {
    expect(() => setUp().consumer.batches()).toThrow(/loop: true/)
    const { consumer } = setUp({ loop: true })
    await expect(consumer.batches().next()).rejects.toMatchObject({ code: 'wrong-state' })
  })
})

describe('batch.commit()', () => {
  it('is bounded by its time also while sends of the batch are under way', async () => {
    const all = setUp({ loop: true }, { send: () => new Promise(() => undefined) })
    await all.consumer.start()
    all.driver.deliver(await all.driver.assign('t', 0), records(0, 2))
    const next = all.consumer.batches().next()
    await all.clock.advance(0)
    const batch = (await next).value!
    void batch.send({ name: 'x' } as never, 1)
    const commit = watched(batch.commit({ timeoutMs: 500 }))
    await all.clock.advance(600)
    expect(commit.end).toMatchObject({ code: 'commit-timeout' })
    await all.clock.runUntil(all.consumer.stop({ force: true }))
  })

  it('settles the batch and resolves when the broker has confirmed it, not before', async () => {
    const { clock, driver, assigned, loop } = await running()
    driver.deliver(assigned, records(0, 4))
    loop.ask()
    await clock.advance(0)
    driver.commitMs = 300
    const commit = watched(loop.last.commit())
    await clock.advance(299)
    expect(commit.end).toBe('open')
    await clock.advance(2)
    expect(commit.end).toBe('resolved')
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
  })

  it('a second time, or after done(), settles nothing more and waits for the same', async () => {
    const { clock, driver, consumer, assigned, loop } = await running()
    driver.deliver(assigned, records(0, 2))
    loop.ask()
    await clock.advance(0)
    // Taken out of it, as whoever destructures it does.
    const { done, commit } = loop.last
    done()
    done()
    await clock.runUntil(Promise.all([commit(), commit()]))
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
    expect(consumer.facts().inFlight).toBe(0)
  })

  it('of a batch whose partition was revoked, and its time to finish is over, rejects and commits nothing', async () => {
    const { clock, driver, assigned, loop, drains } = await running({ drainMs: 1_000 })
    driver.deliver(assigned, records(0, 2))
    loop.ask()
    await clock.advance(0)
    const revoked = driver.revoke(assigned, 10_000)
    await clock.advance(999)
    expect(loop.last.signal.aborted).toBe(false)
    await clock.runUntil(revoked)
    expect(loop.last.signal.aborted).toBe(true)
    await expect(loop.last.commit()).rejects.toMatchObject({ code: 'partition-gone', topic: 't', partition: 0 })
    loop.last.done()
    await clock.advance(1_000)
    expect(driver.committed('t', 0)?.nextOffset).toBe(0)
    expect(drains[0]).toMatchObject({ abandoned: 2, possibleDuplicates: [{ from: 0, to: 2 }] })
  })

  it('within the time that a revoke leaves is part of what the partition is given up with', async () => {
    const { clock, driver, assigned, loop, drains } = await running()
    driver.deliver(assigned, records(0, 4))
    loop.ask()
    await clock.advance(0)
    const revoked = driver.revoke(assigned, 30_000)
    await clock.advance(500)
    const commit = watched(loop.last.commit())
    await clock.runUntil(revoked)
    expect(commit.end).toBe('resolved')
    expect(drains[0]).toMatchObject({ abandoned: 0, committed: [{ offset: 2 }], possibleDuplicates: [] })
  })

  it('that waits when its partition goes lost rejects', async () => {
    const { clock, driver, assigned, loop } = await running()
    driver.deliver(assigned, records(0, 2))
    loop.ask()
    await clock.advance(0)
    driver.commitMs = 3_600_000
    const commit = watched(loop.last.commit())
    await clock.advance(10)
    driver.lose(assigned)
    await clock.advance(0)
    expect(commit.end).toMatchObject({ code: 'partition-gone' })
  })

  it('that still works for a batch of a partition that was lost and is ours again is given the next only then', async () => {
    const { clock, driver, assigned, loop, ...world } = await running()
    driver.deliver(assigned, records(0, 2))
    loop.ask()
    await clock.advance(0)
    driver.lose(assigned)
    driver.deliver(await driver.assign('t', 0), records(0, 2))
    const other = new HeldLoop(world)
    other.ask()
    await clock.advance(1_000)
    expect(other.places()).toEqual([])
    loop.ask()
    await clock.advance(0)
    expect(other.places()).toEqual(['t-0@0,1'])
  })

  it('waits for what the batch sent; a send that failed unseen fails it', async () => {
    const sends: { resolve: (receipt: never) => void; reject: (error: Error) => void }[] = []
    const send = () => new Promise<never>((resolve, reject) => sends.push({ resolve, reject }))
    const { clock, driver, assigned, loop, stopped } = await running({}, { send })
    driver.deliver(assigned, records(0, 4))
    loop.ask()
    await clock.advance(0)
    void loop.last.send({ name: 'x' } as never, 1)
    const first = watched(loop.last.commit())
    await clock.advance(1_000)
    expect(first.end).toBe('open')
    sends[0]!.resolve({} as never)
    await clock.advance(100)
    expect(first.end).toBe('resolved')
    loop.ask()
    await clock.advance(0)
    void loop.last.send({ name: 'x' } as never, 1)
    const second = watched(loop.last.commit())
    sends[1]!.reject(new Error('no'))
    await clock.advance(100)
    expect(second.end).toMatchObject({ code: 'batch-failed' })
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
    expect(stopped).toMatchObject([{ error: { code: 'handler-failed' } }])
  })

  it('is refused without a group, where done() is all there is', async () => {
    const { clock, driver, consumer, assigned, loop } = await running({ group: null })
    driver.deliver(assigned, records(0, 2))
    loop.ask()
    await clock.advance(0)
    const commit = watched(loop.last.commit())
    await clock.advance(0)
    expect(commit.end).toMatchObject({ code: 'no-group' })
    expect(consumer.facts().inFlight).toBe(0)
  })
})

describe('a batch that fails', () => {
  const failed: FailedRecord[] = []
  const deadLetter = (one: FailedRecord) => {
    failed.push(one)
    return Promise.resolve()
  }

  it('by fail() goes the way of what a handler throws: taken apart, and what fails alone is a dead letter', async () => {
    failed.length = 0
    const { clock, driver, assigned, loop } = await running({}, { deadLetter })
    driver.deliver(assigned, records(0, 4))
    loop.ask()
    await clock.advance(0)
    loop.last.fail(new Error('one of them'))
    // Nobody has asked yet, so no time of the next one runs.
    await clock.advance(3_600_000)
    loop.ask()
    await clock.advance(0)
    expect(loop.places()).toEqual(['t-0@0,1', 't-0@0'])
    expect(loop.last.signal.aborted).toBe(false)
    loop.last.done()
    loop.ask()
    await clock.advance(0)
    loop.last.fail(new DeadLetter('not this one'))
    loop.ask()
    await clock.advance(0)
    expect(loop.places()).toEqual(['t-0@0,1', 't-0@0', 't-0@1', 't-0@2,3'])
    expect(failed.map(({ record: { offset } }) => offset)).toEqual([1])
  })

  it('by its time, without done() or commit(), has failed as a handler would have, and its commit says so', async () => {
    failed.length = 0
    const told: string[] = []
    const warn = (fields: object, line: string) => {
      if ((fields as { event?: string }).event === 'handler-overruns') told.push(line)
    }
    const { clock, driver, consumer, assigned, loop } = await running(
      { handlerTimeoutMs: 1_000 },
      { deadLetter, logger: { ...silentLogger, warn } },
    )
    driver.deliver(assigned, records(0, 1))
    loop.ask()
    await clock.advance(1_000)
    expect(loop.last.signal.aborted).toBe(true)
    await expect(loop.last.commit()).rejects.toMatchObject({
      code: 'handler-timeout',
      message: expect.stringMatching(
        /not settled by done\(\), commit\(\) or fail\(\) within 1000 ms; settle every batch/,
      ),
    })
    await clock.advance(6_000)
    expect(failed).toMatchObject([{ reason: 'timeout' }])
    expect(told).toEqual([expect.stringMatching(/a loop holds a batch .* without done\(\), commit\(\) or fail\(\)/)])
    expect(consumer.facts().overrunning).toBe(1)
    loop.ask()
    await clock.advance(0)
    expect(consumer.facts().overrunning).toBe(0)
  })

  it('to be decoded never comes to the loop', async () => {
    failed.length = 0
    const { clock, driver, assigned, loop } = await running({}, { deadLetter })
    driver.deliver(assigned, [record(0), record(1, null, 'bad'), record(2)])
    for (let asked = 0; asked < 2; asked += 1) {
      loop.ask()
      await clock.advance(0)
      loop.last.done()
      await clock.advance(0)
    }
    expect(loop.places()).toEqual(['t-0@0', 't-0@2'])
    expect(failed.map(({ record: { offset } }) => offset)).toEqual([1])
  })
})

describe('the end of a loop', () => {
  it('comes when the consumer stops, and what it holds may still be committed', async () => {
    const { clock, driver, consumer, assigned, loop } = await running()
    driver.deliver(assigned, records(0, 4))
    loop.ask()
    await clock.advance(0)
    const stopped = consumer.stop()
    loop.ask()
    await clock.advance(100)
    expect(loop.end).toBe('done')
    expect(driver.calls).not.toContain('left')
    const commit = watched(loop.last.commit())
    await clock.runUntil(stopped)
    expect(commit.end).toBe('resolved')
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
  })

  it('by break stops the consumer: what is settled is committed, the open batch is not', async () => {
    const { clock, driver, consumer, assigned, loop, drains } = await running()
    driver.deliver(assigned, records(0, 6))
    loop.ask()
    await clock.advance(0)
    loop.last.done()
    loop.ask()
    await clock.advance(0)
    const begun = clock.now()
    await clock.runUntil(loop.leave())
    expect(clock.now() - begun).toBeLessThan(100)
    expect(consumer.state).toBe('stopped')
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
    expect(drains[0]).toMatchObject({ abandoned: 2, possibleDuplicates: [{ from: 2, to: 4 }] })
    expect(loop.last.signal.aborted).toBe(true)
    await expect(loop.last.commit()).rejects.toMatchObject({ code: 'loop-left' })
  })

  it('by a throw in its body is no commit, and the error is the one that was thrown', async () => {
    const { clock, driver, consumer, assigned } = await running()
    driver.deliver(assigned, records(0, 4))
    const run = async () => {
      for await (const batch of consumer.batches()) {
        if (batch.messages[0]?.offset === 2) throw new Error('the database is gone')
        await batch.commit()
      }
    }
    await expect(clock.runUntil(run())).rejects.toThrow('the database is gone')
    expect(driver.committed('t', 0)?.nextOffset).toBe(2)
    expect(consumer.state).toBe('stopped')
  })

  it('is the error that the consumer fails with', async () => {
    const { clock, driver, loop } = await running()
    loop.ask()
    const error = Object.assign(new Error('fenced'), { code: 'fenced' })
    driver.listener.failed(error as never)
    await clock.advance(0)
    expect(loop.end).toBe(error)
    loop.end = 'going'
    loop.ask()
    await clock.advance(0)
    expect(loop.end).toBe(error)
  })

  it('of one of several loops lets the others finish what they hold', async () => {
    const world = await running()
    const { clock, driver, assigned, loop, drains } = world
    const other = new HeldLoop(world)
    driver.deliver(assigned, records(0, 4))
    driver.deliver(await driver.assign('t', 1), records(0, 4))
    loop.ask()
    other.ask()
    await clock.advance(0)
    const left = loop.leave()
    await clock.advance(1_000)
    other.last.done()
    other.ask()
    await clock.runUntil(left)
    expect(other.end).toBe('done')
    expect(drains[0]).toMatchObject({ drained: 2, abandoned: 2 })
    expect(driver.committed('t', other.last.partition)?.nextOffset).toBe(2)
  })
})
