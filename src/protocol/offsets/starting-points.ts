import type { AssignedPartition, ConsumerSettings, StartPosition } from '../../driver/consumer.js'
import type { DriverError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import type { EpochRange } from '../../offsets/leader-epochs.js'
import { originOf } from '../../offsets/log-identity.js'
import { partitionsAtFirst } from '../../offsets/partitions-at-first.js'
import { pause } from '../../runtime/pause.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { ClientContext } from '../cluster/client-context.js'
import type { Cluster } from '../cluster/cluster.js'
import { CoordinatorLine } from '../cluster/coordinator-line.js'
import { Denials } from '../cluster/denials.js'
import type { CommittedPartition } from '../../connection/requests/offsets.js'
import { commitPlace } from './commit-place.js'
import { fetchCommitted, type CommitFinding } from './committed.js'
import type { CountsAtFirst } from './counts-at-first.js'
import { lookUpOffsets, timestampOf } from './look-up.js'
import { madeAnew, tellMadeAnew } from './made-anew.js'

/** Where one partition starts; `error` when nobody may or can tell. */
export type StartingPoint = Pick<AssignedPartition, 'topic' | 'partition' | 'position' | 'committed'> & {
  readonly topicId: string | null
  /** Of the record before the position; -1 when unknown. */
  readonly leaderEpoch: number
  /** Who wrote what is done. */
  readonly epochs: readonly EpochRange[]
  readonly error: DriverError | null
}

type SearchContext = ClientContext<
  Pick<
    ConsumerSettings,
    | 'groupId'
    | 'isolation'
    | 'onOutOfRange'
    | 'requestTimeoutMs'
    | 'sessionTimeoutMs'
    | 'logger'
    | 'metrics'
    | 'onEvent'
  >
>

interface Search {
  /** Where to start what was never committed, and everything where there is no group. */
  readonly from: StartPosition
  /** Those of them that start at their beginning, whatever `from` says. */
  readonly companions: { has(topic: string): boolean }
  /** How many partitions the topics had when their group started, as far as that is on record: learnt here. */
  readonly atFirst: CountsAtFirst
  /** What was decided for partitions without a commit while this process lives, by partition: kept here until one is found. */
  readonly decided: Map<string, StartingPoint>
  /** Was the topic made anew since this member began? With the former one Kafka forgot what was committed of it. */
  isMadeAnew(topic: string): boolean
  /** Some are still unknown after so many rounds. */
  later(rounds: number): void
  /** Is the partition still ours to start? */
  isWanted(at: TopicPartition): boolean
  /** Aborts when none is wanted any more. */
  readonly signal: AbortSignal
}

interface Round {
  readonly denials: Denials
  readonly signal: AbortSignal
}

/** Committed in a log that is gone. */
interface FormerCommit extends TopicPartition {
  readonly committed: NonNullable<AssignedPartition['committed']>
}

/** Never committed: what the group has stored may lie anywhere. */
const unknown = -1

/**
 * Committed offset, else `from`. What was committed in a former log of the topic starts the new one from its beginning, or
 * stops its partition, as `onOutOfRange` says. Yields what is known after each round of questions, so a partition without
 * a leader (or with an open transaction over its commit) delays no other. Ends when all that are wanted are known.
 */
export async function* findStartingPoints(
  context: SearchContext,
  partitions: readonly TopicPartition[],
  { from, companions, atFirst, decided, isMadeAnew, later, isWanted, signal }: Search,
): AsyncGenerator<readonly StartingPoint[], void, void> {
  const { runtime, settings } = context
  let uncertain: readonly TopicPartition[] = settings.groupId === null ? [] : partitions
  let uncommitted: readonly TopicPartition[] = settings.groupId === null ? partitions : []
  let former: readonly FormerCommit[] = []
  let counts: 'unknown' | 'learnt' = settings.groupId === null ? 'learnt' : 'unknown'
  const denials = new Denials(context)
  for (let round = 1; !signal.aborted; round += 1) {
    const points: StartingPoint[] = []
    if (uncertain.length > 0) {
      const commits = await readCommits(context, uncertain, { atFirst, decided, denials, signal })
      points.push(...commits.points)
      uncertain = commits.uncertain
      uncommitted = [...uncommitted, ...commits.uncommitted]
      former = [...former, ...commits.former]
    }
    if (former.length > 0 && !signal.aborted) {
      const found = await lookUpStart(context, former, 'earliest', { denials, signal })
      points.push(...found.points)
      former = found.unknown
    }
    if (uncommitted.length > 0 && !signal.aborted) {
      counts = counts === 'learnt' || from === 'earliest' ? 'learnt' : await readCounts(context, atFirst, signal)
      if (counts === 'learnt') {
        // Looked at once: the topic may be made anew while brokers are asked.
        const wasAdded = ({ topic, partition }: TopicPartition) =>
          companions.has(topic) ||
          partition >= (atFirst.of(context.cluster.topic(topic)) ?? Infinity) ||
          isMadeAnew(topic)
        const appeared = new Set(uncommitted.filter(wasAdded))
        const others = uncommitted.filter((at) => !appeared.has(at))
        const added = await lookUpStart(context, [...appeared], 'earliest', { denials, signal })
        const found = await lookUpStart(context, others, from, { denials, signal })
        points.push(...added.points, ...found.points)
        if (settings.groupId !== null && from !== 'earliest') keep(decided, found.points)
        uncommitted = [...added.unknown, ...found.unknown]
      }
    }
    if (points.length > 0 && !signal.aborted) yield points
    if (uncertain.length + uncommitted.length + former.length === 0) return
    later(round)
    await pause(runtime.clock, brokerBackoff(round, runtime.random), signal)
    uncertain = uncertain.filter(isWanted)
    uncommitted = uncommitted.filter(isWanted)
    former = former.filter(isWanted)
  }
}

/** What commits of any partition of the group say of their topics. */
async function readCounts(
  context: SearchContext,
  atFirst: CountsAtFirst,
  signal: AbortSignal,
): Promise<'unknown' | 'learnt'> {
  const { cluster, settings } = context
  const line = new CoordinatorLine(context, settings.groupId ?? '')
  const { all, each } = await fetchCommitted(line, null, Infinity, signal)
  // Refused: what is told for single partitions decides.
  if (all !== null) return all.kind === 'not-yet' ? 'unknown' : 'learnt'
  for (const finding of each.values()) {
    if (finding.kind === 'committed') noteCount(cluster, atFirst, finding.committed)
  }
  return 'learnt'
}

function noteCount(cluster: Cluster, atFirst: CountsAtFirst, { topic, metadata }: CommittedPartition): void {
  const count = partitionsAtFirst(metadata)
  const known = cluster.topic(topic)
  if (count === null || known === undefined) return
  if (originOf(metadata, cluster.logOf(topic)) === 'this-log') atFirst.note(known, count)
}

async function readCommits(
  context: SearchContext,
  partitions: readonly TopicPartition[],
  { atFirst, decided, denials, signal }: Round & Pick<Search, 'atFirst' | 'decided'>,
) {
  const { cluster, settings } = context
  const { groupId, logger } = settings
  await learnTopics(context, partitions)
  const former: FormerCommit[] = []
  const points: StartingPoint[] = []
  const uncertain: TopicPartition[] = []
  const uncommitted: TopicPartition[] = []
  const line = new CoordinatorLine(context, groupId ?? '')
  const { all, each } = await fetchCommitted(line, partitions, Infinity, signal)
  const unsure = await lookAgainForFormer(context, [...each.values()], signal)
  for (const { topic, partition } of partitions) {
    const finding = all ??
      each.get(partitionKey(topic, partition)) ?? { kind: 'not-yet', reason: 'no answer', held: false }
    switch (finding.kind) {
      case 'committed': {
        const { offset, metadata } = finding.committed
        noteCount(cluster, atFirst, finding.committed)
        decided.delete(partitionKey(topic, partition))
        const committed = { offset, metadata }
        const place = commitPlace(finding.committed, cluster)
        if (place.kind === 'here') {
          const { leaderEpoch, epochs } = place
          const topicId = idOf(cluster, topic)
          points.push({ topic, partition, position: offset, committed, topicId, leaderEpoch, epochs, error: null })
        } else if (unsure.has(topic)) {
          logger.debug({ topic, partition }, 'nobody tells yet which log the committed offset counts in')
          uncertain.push({ topic, partition })
        } else if (settings.onOutOfRange === 'stop') {
          points.push(nowhere(cluster, { topic, partition }, madeAnew({ topic, partition }, offset)))
        } else {
          tellMadeAnew(settings, { topic, partition }, offset)
          former.push({ topic, partition, committed })
        }
        break
      }
      case 'nothing': {
        const before = decided.get(partitionKey(topic, partition))
        // What was written since then would be passed over.
        if (before !== undefined && before.topicId === idOf(cluster, topic)) points.push(before)
        else uncommitted.push({ topic, partition })
        break
      }
      case 'refused':
        if (isRefused({ topic, partition }, finding.error, denials)) {
          points.push(nowhere(cluster, { topic, partition }, finding.error))
        } else uncertain.push({ topic, partition })
        break
      case 'not-yet':
        logger.debug({ topic, partition, reason: finding.reason }, 'committed offset is not known yet')
        uncertain.push({ topic, partition })
    }
  }
  return { points, uncertain, uncommitted, former }
}

/** A topic whose id is not known yet could not be told from a former one. What cannot be learnt is unknown. */
async function learnTopics(
  { cluster, runtime, settings }: SearchContext,
  partitions: readonly TopicPartition[],
): Promise<void> {
  const topics = [...new Set(partitions.map(({ topic }) => topic))].filter(
    (topic) => cluster.topic(topic) === undefined,
  )
  if (topics.length === 0) return
  await cluster.refresh(topics, runtime.clock.now() + settings.requestTimeoutMs).catch(() => undefined) // without it nothing is known
}

/**
 * A commit of another log may be of the log of now, and what we know of the topic too old: members that read nothing of it
 * learn late that it was made anew. Resolves to the topics that could not be looked at again.
 */
async function lookAgainForFormer(
  { cluster, runtime, settings }: SearchContext,
  findings: readonly CommitFinding[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const topics = new Set<string>()
  for (const finding of findings) {
    if (finding.kind !== 'committed') continue
    if (commitPlace(finding.committed, cluster).kind === 'in-former-log') topics.add(finding.committed.topic)
  }
  if (topics.size === 0 || signal.aborted) return topics
  try {
    await cluster.refresh([...topics], runtime.clock.now() + settings.requestTimeoutMs)
    return new Set([...topics].filter((topic) => cluster.isDisputed(topic)))
  } catch {
    return topics // asked again in the next round
  }
}

function keep(decided: Map<string, StartingPoint>, points: readonly StartingPoint[]): void {
  for (const point of points) if (point.error === null) decided.set(partitionKey(point.topic, point.partition), point)
}

function idOf(cluster: Cluster, topic: string): string | null {
  return cluster.topic(topic)?.topicId ?? null
}

function isRefused({ topic, partition }: TopicPartition, error: DriverError, denials: Denials): boolean {
  return denials.isFinal(`the starting point of ${topic}-${partition}`, error)
}

function nowhere(cluster: Cluster, { topic, partition }: TopicPartition, error: DriverError): StartingPoint {
  const topicId = idOf(cluster, topic)
  return { topic, partition, position: unknown, committed: null, topicId, leaderEpoch: -1, epochs: [], error }
}

async function lookUpStart<At extends TopicPartition & Partial<FormerCommit>>(
  context: SearchContext,
  partitions: readonly At[],
  from: StartPosition,
  { denials, signal }: Round,
) {
  const { cluster, settings } = context
  const points: StartingPoint[] = []
  const stillUnknown: At[] = []
  const questions = partitions.map(({ topic, partition }) => ({ topic, partition, timestamp: timestampOf(from) }))
  // As they were asked: an offset of a topic that is made anew meanwhile is then seen to be of another log.
  const askedIds = partitions.map(({ topic }) => idOf(cluster, topic))
  const findings = await lookUpOffsets(context, questions, Infinity, signal)
  for (const [index, at] of partitions.entries()) {
    const { topic, partition, committed = null } = at
    const finding = findings[index]
    if (finding?.kind === 'found') {
      const { offset: position, leaderEpoch } = finding
      const topicId = askedIds[index] ?? idOf(cluster, topic)
      points.push({ topic, partition, position, committed, topicId, leaderEpoch, epochs: [], error: null })
    } else if (finding?.kind === 'refused' && isRefused(at, finding.error, denials)) {
      points.push(nowhere(cluster, at, finding.error))
    } else {
      const reason = finding?.kind === 'refused' ? finding.error.code : finding?.reason
      settings.logger.debug({ topic, partition, reason }, 'first offset is not known yet')
      stillUnknown.push(at)
    }
  }
  return { points, unknown: stillUnknown }
}
