import type { Connection, ConnectionFactory } from '../../src/connection/connection.js'
import type { AnswerTo, Request } from '../../src/connection/requests/apis.js'
import type { JoinGroupAnswer } from '../../src/connection/requests/groups.js'
import type {
  AssignedPartition,
  CommitOutcome,
  ConsumerListener,
  ConsumerSettings,
  DriverConsumer,
  FetchedRecords,
  OffsetToCommit,
} from '../../src/driver/consumer.js'
import type { Driver } from '../../src/driver/driver.js'
import type { TidemarkError } from '../../src/errors.js'
import { partitionKey } from '../../src/message/topic-partition.js'
import { silentLogger } from '../../src/telemetry/logger.js'
import { noMetrics } from '../../src/telemetry/metrics.js'
import { systemClock } from '../../src/runtime/clock.js'
import { delay } from './waiting.js'
import { Troubles } from '../../src/telemetry/troubles.js'

const defaults: ConsumerSettings = {
  clientId: 'tidemark',
  logger: silentLogger,
  metrics: noMetrics,
  troubles: new Troubles(systemClock),
  groupId: null,
  groupInstanceId: null,
  topics: [],
  assignors: ['range'],
  sessionTimeoutMs: 6_000,
  rebalanceTimeoutMs: 20_000,
  heartbeatIntervalMs: 300,
  requestTimeoutMs: 5_000,
  isolation: 'read-committed',
  from: 'earliest',
  onOutOfRange: 'stop',
  fetch: { maxWaitMs: 250, minBytes: 1, maxBytes: 10_000_000, partitionMaxBytes: 1_000_000 },
  metadataMaxAgeMs: 60_000,
}

/** A commit that is pending is tried again after so long, and so often. */
const putOffMs = 20
const mostPutOff = 250

export interface HandledRecord {
  /** As `topic-partition`. */
  readonly from: string
  readonly offset: number
  readonly value: string
}

export interface TidemarkMember {
  readonly consumer: DriverConsumer
  /** As `topic-partition`, sorted. */
  readonly assigned: readonly string[]
  readonly records: readonly HandledRecord[]
  /** What the listener was told by `failed` and `partitionFailed`. */
  readonly problems: readonly TidemarkError[]
  /** Fates of commits that are final, other than `committed`, and of those that were pending for long. */
  readonly commitFailures: readonly CommitOutcome[]
  start(withinMs?: number): Promise<void>
  stop(withinMs?: number): Promise<void>
}

/** A consumer at the driver port that notes every record at once and commits it, like a handler with nothing to do. */
export function tidemarkMember(driver: Driver, settings: Partial<ConsumerSettings>): TidemarkMember {
  const records: HandledRecord[] = []
  const problems: TidemarkError[] = []
  const commitFailures: CommitOutcome[] = []
  const toCommit = new Map<string, OffsetToCommit>()
  let committing: Promise<void> | null = null

  const commitAll = (): Promise<void> => (committing ??= commitUntilNothingIsLeft().finally(() => (committing = null)))

  async function commitUntilNothingIsLeft(): Promise<void> {
    for (let putOff = 0; toCommit.size > 0;) {
      const offsets = [...toCommit.values()]
      toCommit.clear()
      const outcomes = await consumer.commit(offsets, systemClock.now() + 5_000)
      // While the group rebalances it takes none.
      const mayWait = putOff < mostPutOff
      commitFailures.push(...outcomes.filter((fate) => fate !== 'committed' && !(fate === 'pending' && mayWait)))
      const pending = offsets.filter((_, at) => outcomes[at] === 'pending')
      if (pending.length === 0 || !mayWait) continue
      putOff += 1
      await delay(putOffMs)
      for (const offset of pending) {
        const from = partitionKey(offset.topic, offset.partition)
        if (!toCommit.has(from) && isOurs(offset)) toCommit.set(from, offset)
      }
    }
  }

  const isOurs = ({ topic, partition, epoch }: OffsetToCommit) =>
    consumer.assignment().some((one) => one.topic === topic && one.partition === partition && one.epoch === epoch)

  const listener: ConsumerListener = {
    assigned: () => Promise.resolve(),
    records({ topic, partition, epoch, batches, nextOffset }: FetchedRecords) {
      const from = partitionKey(topic, partition)
      for (const { offset, value } of batches.flatMap((batch) => batch.decode())) {
        records.push({ from, offset, value: String(value) })
      }
      toCommit.set(from, { topic, partition, epoch, nextOffset, metadata: '' })
      if (settings.groupId) void commitAll()
    },
    revoked: () => commitAll(),
    reset: () => toCommit.clear(),
    lost: () => toCommit.clear(),
    partitionFailed: (_partition: AssignedPartition, error) => void problems.push(error),
    failed: (error) => void problems.push(error),
  }
  const consumer = driver.createConsumer({ ...defaults, ...settings }, listener)
  return {
    consumer,
    get assigned() {
      return consumer
        .assignment()
        .map(({ topic, partition }) => partitionKey(topic, partition))
        .sort()
    },
    records,
    problems,
    commitFailures,
    start: (withinMs = 60_000) => consumer.start(systemClock.now() + withinMs),
    stop: (withinMs = 30_000) => consumer.stop(systemClock.now() + withinMs),
  }
}

/** Lets a test see the answers to JoinGroup, which tell who leads. */
export function watchJoins(
  connections: ConnectionFactory,
  joined: (answer: JoinGroupAnswer) => void,
): ConnectionFactory {
  const watched = (connection: Connection): Connection => ({
    async request<R extends Request>(...call: Parameters<typeof connection.request<R>>): Promise<AnswerTo<R>> {
      const answer = await connection.request<R>(...call)
      if (call[2].api === 'joinGroup') joined(answer as JoinGroupAnswer)
      return answer
    },
    lastSign: (...place) => connection.lastSign(...place),
    close: () => connection.close(),
  })
  return { name: connections.name, open: (owner, clientId) => watched(connections.open(owner, clientId)) }
}
