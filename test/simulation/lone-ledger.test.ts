import { describe, expect, it } from 'vitest'
import type { HandlerContext } from '../../src/consumer/handling/handler.js'
import type { AssignedPartition } from '../../src/driver/consumer.js'
import { createMemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import type { Message } from '../../src/message/message.js'
import type { DrainReport } from '../../src/telemetry/drain-report.js'
import { Coverage } from './coverage.js'
import { FormerLogs } from './former-logs.js'
import { LoneLedger } from './lone-ledger.js'
import { planOf } from './plan.js'

const place = { topic: 'orders', partition: 0 }
const repeated = ['a reader without a group repeats only what is sought']

/** Readers of one partition, seen by their ledger. */
function readers() {
  const broken: string[] = []
  const cluster = createMemoryCluster()
  const report = (invariant: string) => void broken.push(invariant)
  const plan = { ...planOf(1), order: 'partition', reorder: null, delays: null } as const
  const ledger = new LoneLedger(
    cluster,
    plan,
    new FormerLogs(cluster),
    new Coverage(),
    () => false,
    () => [],
    report,
  )
  const { tenures } = ledger
  let epochs = 0
  const reads = (consumer: string, position: number) => {
    epochs += 1
    ledger.assigned(consumer, [{ ...place, epoch: epochs, position } as AssignedPartition])
  }
  const handles = (consumer: string, offset: number, end: 'done' | 'failed') => {
    const message = { ...place, offset, value: `order ${offset}`, key: null } as unknown as Message<string>
    const { signal } = new AbortController()
    tenures.ended(tenures.started(consumer, tenures.newCall(), message, { signal } as HandlerContext), end)
  }
  /** Its log was cut: it goes on from `to`, but reads again what it has not settled below the cut. */
  const isReset = (consumer: string, to: number) => {
    ledger.wasReset(consumer, place, { from: to, to, keptTo: to, reason: 'log-cut' })
    const told = { reason: 'reset', partitions: [place], abandoned: 0, possibleDuplicates: [], doneBeyond: [] }
    tenures.drained(consumer, told as unknown as DrainReport)
  }
  const brokenInTheEnd = () => {
    ledger.checkEnd()
    return broken
  }
  return { ledger, reads, handles, isReset, brokenInTheEnd }
}

describe("the simulation's ledger of readers without a group", () => {
  it('lets a record come again that had failed, with its dead letter not stored, when a reset came', () => {
    const { reads, handles, isReset, brokenInTheEnd } = readers()
    reads('one', 0)
    handles('one', 0, 'done')
    handles('one', 1, 'failed')
    isReset('one', 9)
    reads('one', 1)
    handles('one', 1, 'done')
    expect(brokenInTheEnd()).toEqual([])
  })

  it.each([
    ['that was done', 'done', false],
    ['whose dead letter was stored, as the next one shows', 'failed', true],
  ] as const)('does not let a record come again %s', (_, end, isNextBegun) => {
    const { reads, handles, isReset, brokenInTheEnd } = readers()
    reads('one', 0)
    handles('one', 1, end)
    if (isNextBegun) handles('one', 2, 'failed')
    isReset('one', 9)
    reads('one', 1)
    handles('one', 1, 'done')
    expect(brokenInTheEnd()).toEqual(repeated)
  })

  it('excuses no reader by the seek of another', () => {
    const { ledger, reads, handles, brokenInTheEnd } = readers()
    reads('one', 0)
    reads('other', 0)
    handles('one', 1, 'done')
    ledger.sought('other', place, 0)
    reads('one', 0)
    handles('one', 1, 'done')
    expect(brokenInTheEnd()).toEqual(repeated)
  })
})
