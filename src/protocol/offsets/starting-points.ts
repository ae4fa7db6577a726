import type { IsolationLevel } from '../../connection/requests/fetch.js'
import type { AssignedPartition, StartPosition } from '../../driver/consumer.js'
import type { DriverError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { pause } from '../../runtime/pause.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Logger } from '../../telemetry/logger.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { Cluster } from '../cluster/cluster.js'
import { fetchCommitted } from './committed.js'
import { lookUpOffsets, timestampOf } from './look-up.js'

/** Where one partition starts; `error` when nobody may or can tell. */
export type StartingPoint = Pick<AssignedPartition, 'topic' | 'partition' | 'position' | 'committed'> & {
  readonly error: DriverError | null
}

interface StartingPointSettings {
  /** `null`: there is no group, every partition starts at `from`. */
  readonly groupId: string | null
  readonly isolation: IsolationLevel
  readonly requestTimeoutMs: number
  readonly logger: Logger
}

/** Never committed: what the group has stored may lie anywhere. */
const unknown = -1

/**
 * Committed offset, else `from`. Yields what is known after each round of questions, so a partition without a leader (or
 * with an open transaction over its commit) delays no other. Ends when all are known or `signal` aborts.
 */
export async function* findStartingPoints(
  cluster: Cluster,
  runtime: Runtime,
  settings: StartingPointSettings,
  partitions: readonly TopicPartition[],
  from: StartPosition,
  signal: AbortSignal,
): AsyncGenerator<readonly StartingPoint[], void, void> {
  let uncertain: readonly TopicPartition[] = settings.groupId === null ? [] : partitions
  let uncommitted: readonly TopicPartition[] = settings.groupId === null ? partitions : []
  for (let round = 1; !signal.aborted; round += 1) {
    const points: StartingPoint[] = []
    if (uncertain.length > 0) {
      const commits = await readCommits(cluster, runtime, settings, uncertain, signal)
      points.push(...commits.points)
      uncertain = commits.uncertain
      uncommitted = [...uncommitted, ...commits.uncommitted]
    }
    if (uncommitted.length > 0 && !signal.aborted) {
      const found = await lookUpStart(cluster, runtime, settings, uncommitted, from, signal)
      points.push(...found.points)
      uncommitted = found.uncommitted
    }
    if (points.length > 0 && !signal.aborted) yield points
    if (uncertain.length === 0 && uncommitted.length === 0) return
    await pause(runtime.clock, brokerBackoff(round, runtime.random), signal)
  }
}

async function readCommits(
  cluster: Cluster,
  runtime: Runtime,
  { groupId, requestTimeoutMs, logger }: StartingPointSettings,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
) {
  const points: StartingPoint[] = []
  const uncertain: TopicPartition[] = []
  const uncommitted: TopicPartition[] = []
  const context = { cluster, runtime, groupId: groupId ?? '', requestTimeoutMs }
  const { all, each } = await fetchCommitted(context, partitions, Infinity, signal)
  for (const { topic, partition } of partitions) {
    const finding = all ?? each.get(partitionKey(topic, partition)) ?? { kind: 'not-yet', reason: 'no answer' }
    switch (finding.kind) {
      case 'committed': {
        const { offset, metadata } = finding.committed
        points.push({ topic, partition, position: offset, committed: { offset, metadata }, error: null })
        break
      }
      case 'nothing':
        uncommitted.push({ topic, partition })
        break
      case 'refused':
        points.push({ topic, partition, position: unknown, committed: null, error: finding.error })
        break
      case 'not-yet':
        logger.debug({ topic, partition, reason: finding.reason }, 'committed offset is not known yet')
        uncertain.push({ topic, partition })
    }
  }
  return { points, uncertain, uncommitted }
}

async function lookUpStart(
  cluster: Cluster,
  runtime: Runtime,
  { isolation, requestTimeoutMs, logger }: StartingPointSettings,
  partitions: readonly TopicPartition[],
  from: StartPosition,
  signal: AbortSignal,
) {
  const points: StartingPoint[] = []
  const uncommitted: TopicPartition[] = []
  const questions = partitions.map(({ topic, partition }) => ({ topic, partition, timestamp: timestampOf(from) }))
  const findings = await lookUpOffsets({ cluster, runtime, isolation, requestTimeoutMs }, questions, Infinity, signal)
  for (const [index, { topic, partition }] of partitions.entries()) {
    const finding = findings[index]
    if (finding?.kind === 'found') {
      points.push({ topic, partition, position: finding.offset, committed: null, error: null })
    } else if (finding?.kind === 'refused') {
      points.push({ topic, partition, position: unknown, committed: null, error: finding.error })
    } else {
      logger.debug({ topic, partition, reason: finding?.reason }, 'first offset is not known yet')
      uncommitted.push({ topic, partition })
    }
  }
  return { points, uncommitted }
}
