import { describe, expect, it } from 'vitest'
import { partitionKey } from '../../../../src/message/topic-partition.js'
import type { OwnedPartition } from '../../../../src/consumer/partition/owned-partition.js'
import type { Done } from '../../../../src/consumer/partition/settlement.js'
import type { Work } from '../../../../src/consumer/partition/work.js'
import { noCounts, type Ledger } from '../../../../src/consumer/settling/ledger.js'
import { ManualHandler, setUp } from '../consumer-setup.js'
import { records } from '../fake-driver.js'

/** Keeps what is done in a table of its own, as a database beside the handler's effects would. */
class TableLedger implements Ledger {
  readonly counts = noCounts
  readonly windowMs = 0
  readonly rows = new Map<string, number>()
  readonly log: string[] = []

  begins({ topic, partition }: OwnedPartition): void {
    this.log.push(`begins ${partitionKey(topic, partition)}`)
  }

  started(): void {}

  settled({ partition, firstRecord }: Work, { kind }: Done): void {
    this.log.push(`${kind} ${firstRecord.offset}`)
    this.#write(partition)
  }

  moved(partition: OwnedPartition): void {
    this.#write(partition)
  }

  beforeMove(): Promise<void> {
    return Promise.resolve()
  }
  flush(partitions: readonly OwnedPartition[]): Promise<void> {
    this.log.push('flush')
    for (const partition of partitions) this.#write(partition)
    return Promise.resolve()
  }

  confirmed(): Promise<boolean> {
    return Promise.resolve(true)
  }

  leastProgress({ topic, partition }: OwnedPartition) {
    const offset = this.rows.get(partitionKey(topic, partition))
    return offset === undefined ? null : { offset, completed: [] }
  }

  mayFallBack(): boolean {
    return false
  }

  close(): void {
    this.log.push('close')
  }

  #write({ topic, partition, tracker }: OwnedPartition): void {
    this.rows.set(partitionKey(topic, partition), tracker.committable)
  }
}

describe("a ledger that is not Kafka's commits", () => {
  it('is told everything that is done, and nothing is committed to the group', async () => {
    const table = new TableLedger()
    const { clock, driver, consumer } = setUp({ commit: 'each' }, { ledger: () => table })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(1_000)
    await clock.runUntil(consumer.stop())
    expect(table.log).toEqual(['handled 0', 'handled 1', 'handled 2', 'flush', 'close'])
    expect(table.rows).toEqual(new Map([['t-0', 3]]))
    expect(driver.commits).toEqual([])
  })

  it('says what the next owner finds done: the drain reports the rest as possible duplicates', async () => {
    const table = new TableLedger()
    const handler = new ManualHandler()
    const { clock, driver, consumer, drains } = setUp(
      { handle: handler.handle, order: 'none', drainMs: 100 },
      { ledger: () => table },
    )
    await consumer.start()
    const assigned = await driver.assign('t', 0, { position: 5 })
    driver.deliver(assigned, records(5, 8))
    await clock.advance(0)
    handler.end(6)
    await clock.advance(0)
    await clock.runUntil(driver.revoke(assigned, 10_000))
    expect(drains).toMatchObject([{ abandoned: 2, possibleDuplicates: [{ topic: 't', partition: 0, from: 5, to: 8 }] }])
  })

  it('is told where a partition begins when nobody would begin there again', async () => {
    const table = new TableLedger()
    const { driver, consumer } = setUp({ from: 'latest' }, { ledger: () => table })
    await consumer.start()
    await driver.assign('t', 0, { position: 100 })
    expect(table.log).toEqual(['begins t-0', 'flush'])
    expect(table.rows).toEqual(new Map([['t-0', 100]]))
  })
})

describe('without a group', () => {
  it('nothing is committed, and facts tell what is settled', async () => {
    const { clock, driver, consumer, drains } = setUp({ group: null, commit: 'each' })
    await consumer.start()
    driver.deliver(await driver.assign('t', 0), records(0, 3))
    await clock.advance(10_000)
    expect(consumer.facts().partitions[0]).toMatchObject({ settled: 3, committed: null, unsettled: 0 })
    await clock.runUntil(consumer.stop())
    expect(driver.commits).toEqual([])
    // Nobody goes on where it stopped, so a clean stop warns of no repeats.
    expect(drains).toMatchObject([{ abandoned: 0, possibleDuplicates: [] }])
  })
})
