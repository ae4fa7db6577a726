import { describe, expect, it } from 'vitest'
import type { OffsetCommitAnswer, OffsetCommitRequest } from '../../src/connection/requests/offsets.js'
import type { SyncGroupAnswer, SyncGroupRequest } from '../../src/connection/requests/groups.js'
import type { HandlerContext } from '../../src/consumer/handling/handler.js'
import type { AssignedPartition } from '../../src/driver/consumer.js'
import { createMemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import type { Message } from '../../src/message/message.js'
import type { DrainReason, DrainReport } from '../../src/telemetry/drain-report.js'
import { CommitOwners } from './commit-owners.js'
import { Coverage } from './coverage.js'
import { FormerLogs } from './former-logs.js'
import { GroupLedger } from './group-ledger.js'
import { planOf } from './plan.js'
import type { Tenure } from './tenures.js'

const place = { topic: 'orders', partition: 0 }

/** A group of one partition, seen by its ledger. */
function groupOf() {
  const broken: string[] = []
  const cluster = createMemoryCluster()
  const former = new FormerLogs(cluster)
  const report = (invariant: string) => void broken.push(invariant)
  const ledger = new GroupLedger(
    'shop',
    cluster,
    { ...planOf(1), delays: null },
    former,
    new Coverage(),
    () => false,
    report,
  )
  let epochs = 0
  /** The group gives the partition to a member, which reads on from 10. */
  const given = (consumer: string, generationId: number) => {
    const request = { api: 'syncGroup', generationId } as SyncGroupRequest
    ledger.answered(consumer, request, {
      errorCode: 0,
      assignment: { partitions: [place] },
    } as unknown as SyncGroupAnswer)
    epochs += 1
    const assigned = { ...place, epoch: epochs, position: 10 } as AssignedPartition
    ledger.assigned(consumer, [assigned])
    return assigned
  }
  const handles = (consumer: string, offset: number) => {
    const { tenures } = ledger
    const { signal } = new AbortController()
    const message = { ...place, offset, value: 'an order', key: null } as unknown as Message<string>
    tenures.ended(tenures.started(consumer, tenures.newCall(), message, { signal } as HandlerContext), 'done')
  }
  const drains = (consumer: string, reason: DrainReason, duplicates: readonly (readonly [number, number])[]) => {
    const possibleDuplicates = duplicates.map(([from, to]) => ({ ...place, from, to }))
    const told = { reason, partitions: [place], abandoned: 0, possibleDuplicates, doneBeyond: [] }
    ledger.tenures.drained(consumer, told as unknown as DrainReport)
  }
  const brokenInTheEnd = () => {
    ledger.checkEnd()
    return broken
  }
  return { cluster, former, ledger, given, handles, drains, broken, brokenInTheEnd }
}

describe("the simulation's ledger of a group", () => {
  it('has a member that was replaced in its generation tell what it handles after its successor', () => {
    const { given, handles, drains, brokenInTheEnd } = groupOf()
    given('replaced', 4)
    given('successor', 4)
    handles('successor', 14)
    drains('successor', 'revoked', [])
    // The next of its generations; it is not heard yet that there is a successor.
    given('successor', 7)
    handles('replaced', 14)
    drains('replaced', 'lost', [[10, 15]])
    drains('successor', 'stopped', [])
    expect(brokenInTheEnd()).toEqual([])
  })

  it('takes no excuse for a repeat that a replaced member does not tell', () => {
    const { given, handles, drains, brokenInTheEnd } = groupOf()
    given('replaced', 4)
    given('successor', 4)
    handles('successor', 14)
    drains('successor', 'revoked', [])
    handles('replaced', 14)
    drains('replaced', 'lost', [])
    expect(brokenInTheEnd()).toEqual(['repeats lie in reported ranges'])
  })

  it('has the replaced member tell what its successor handles again, and nobody else', () => {
    const { given, handles, drains, brokenInTheEnd } = groupOf()
    given('replaced', 4)
    handles('replaced', 14)
    drains('replaced', 'lost', [])
    given('successor', 4)
    handles('successor', 14)
    drains('successor', 'stopped', [[10, 15]])
    expect(brokenInTheEnd()).toEqual(['repeats lie in reported ranges'])
  })
})

describe("the simulation's ledger of commits in a log that was cut", () => {
  /** Its records 0 and 1 were cut by a leader whose log was empty, and other records stand there now. */
  const cutGroup = () => {
    const { cluster, former, ledger, given, broken } = groupOf()
    cluster.createTopic(place.topic, { partitions: 1 })
    const cut = { ...place, from: 0, leaderEpoch: 1, reason: 'log-cut' } as const
    former.lost(cut, new Map())
    ledger.logLost(cut)
    const record = { key: null, value: Buffer.from('another order'), headers: [], timestamp: 0 }
    cluster.appendTransaction(place.topic, place.partition, [record, record], 'commit')
    given('next', 4)
    const commits = (leaderEpoch: number) => {
      const partitions = [{ ...place, topicId: null, offset: 2, leaderEpoch, metadata: null }]
      ledger.commitAsked('next', {
        ...{ api: 'offsetCommit', groupId: 'shop', generationId: 4, memberId: 'next', groupInstanceId: null },
        partitions,
      } as OffsetCommitRequest)
    }
    return { commits, broken }
  }

  it('accuses no owner that repeats the commit of the former log, whose leader it names', () => {
    const { commits, broken } = cutGroup()
    commits(0)
    expect(broken).toEqual([])
  })

  it('has nobody commit past a record of the new log that was not handled', () => {
    const { commits, broken } = cutGroup()
    commits(1)
    commits(-1)
    const past = 'committed never past unsettled work'
    expect(broken).toEqual([past, past])
  })
})

describe("the simulation's ledger of commits where the coordinator divides", () => {
  const tenures = ['former', 'next'].map((consumer) => ({ ...place, consumer, continues: null }) as unknown as Tenure)
  const asks = (owners: CommitOwners, tenure: Tenure) => {
    const request = {} as OffsetCommitRequest
    owners.asked(request, new Map([['orders-0', tenure]]))
    return (errorCode: number) =>
      owners.answered(request, { partitions: [{ ...place, errorCode }] } as unknown as OffsetCommitAnswer)
  }
  const ownersOf = (broken: string[]) =>
    new CommitOwners(
      () => tenures,
      new Coverage(),
      (invariant) => void broken.push(invariant),
    )

  it('has nobody commit a partition after its next owner did', () => {
    const broken: string[] = []
    const owners = ownersOf(broken)
    for (const tenure of [...tenures, tenures[0]!]) asks(owners, tenure)(0)
    expect(broken).toEqual(['one owner after the other commits a partition'])
  })

  it('accuses nobody whose commit was refused, or was on its way when the next owner committed', () => {
    const broken: string[] = []
    const owners = ownersOf(broken)
    const [former, next] = tenures as [Tenure, Tenure]
    const late = asks(owners, former)
    asks(owners, next)(0)
    late(0)
    asks(owners, former)(113)
    expect(broken).toEqual([])
  })
})
