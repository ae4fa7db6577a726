import { partitionTerms, niceCount, type PartitionTerm } from './partitions.js'
import { resolveWorkload, type ResolvedWorkload, type Workload } from './workload.js'

/** What a plan warns of; more may come. */
export type CapacityWarningCode =
  | 'few-replicas'
  | 'brokers-fewer-than-replicas'
  | 'keyed-without-growth'
  | 'little-headroom'
  | 'processes-too-few'
  | 'outage-outlives-records'
  | 'never-catches-up'
  | 'partition-too-large'
  | 'brokers-too-few'

/** Members may be added. */
export interface CapacityWarning {
  readonly code: CapacityWarningCode
  /** What would happen, and what to do. */
  readonly message: string
}

/** How much of a limit of the brokers is used while one of them is down. */
export interface LimitUse {
  readonly limit: 'disk' | 'network' | 'replicas'
  /** 1 is all of it. */
  readonly used: number
  readonly formula: string
}

/** How much a workload needs, and what decides it. */
export interface CapacityPlan {
  /** How many the topic should have: at least what `terms` ask for, and a number that many counts of members divide. */
  readonly partitions: number
  /** Of them, the greatest decides. */
  readonly terms: readonly PartitionTerm[]
  readonly binding: PartitionTerm
  /** Processes that are needed for all messages; `null` where neither `perProcess` nor `handler` says what one can do. */
  readonly processes: number | null
  /** Handlers that run at once, on average; `null` without `handler`. */
  readonly inFlight: number | null
  /** Of all replicas, with headroom. */
  readonly storageBytes: number
  /** Of all brokers together, with headroom: what is written, and what followers and groups read. */
  readonly inBytesPerSecond: number
  readonly outBytesPerSecond: number
  /** The use of each limit that is known, the tightest first. */
  readonly limits: readonly LimitUse[]
  /** Brokers that bear it while one of them is down. */
  readonly brokers: number
  /** Until nothing of the outage is left; `null`: never. */
  readonly catchUpMs: number | null
  /** Of one process that reads all in order of event time. */
  readonly reorderBytes: number
  readonly formulas: readonly string[]
  readonly warnings: readonly CapacityWarning[]
}

/** Beyond it a partition takes long to move and to recover. */
const mostPartitionBytes = 100e9

/**
 * How many partitions, brokers and processes a workload needs, and how much disk and network: the formulas, which of them
 * decides, and what to mind. Pure arithmetic over what it is given, for one topic: measure the rates of your own machines.
 *
 * @example
 * const plan = planCapacity({ messagesPerSecond: 20_000, messageBytes: 700, retentionMs: 72 * 3_600_000, perProcess: 3_000 })
 * plan.partitions // 12
 * @throws ConfigError that tells all that is wrong with the workload
 */
export function planCapacity(workload: Workload): CapacityPlan {
  const of = resolveWorkload(workload)
  const terms = partitionTerms(of)
  const binding = terms.reduce((most, term) => (term.partitions > most.partitions ? term : most))
  const partitions = niceCount(binding.partitions)
  const written = of.messagesPerSecond * of.messageBytes * (1 + of.headroom)
  const { replicationFactor: replicas, groups } = of
  const sizes = {
    storageBytes: (written * of.retentionMs * replicas) / 1_000,
    inBytesPerSecond: written * replicas,
    outBytesPerSecond: written * (replicas - 1 + groups),
  }
  const limitsOf = (brokers: number) => limitUses(of, partitions, sizes, brokers)
  const brokers = leastBrokers(of, limitsOf)
  const catchUp = catchUpOf(of, partitions)
  return {
    partitions,
    terms,
    binding,
    processes: processesFor(of),
    inFlight: of.handler === null ? null : (of.messagesPerSecond * of.handler.ms) / 1_000,
    ...sizes,
    limits: limitsOf(of.brokers.count),
    brokers,
    catchUpMs: catchUp,
    reorderBytes: (of.messagesPerSecond * of.messageBytes * of.reorderMs) / 1_000,
    formulas: formulasOf(of),
    warnings: warningsOf(of, { partitions, brokers, catchUp, storageBytes: sizes.storageBytes }),
  }
}

function processesFor({ messagesPerSecond, headroom, perProcess, handler }: ResolvedWorkload): number | null {
  const rate = perProcess ?? (handler === null ? null : (handler.atOnce * 1_000) / handler.ms)
  return rate === null ? null : Math.ceil((messagesPerSecond * (1 + headroom)) / rate)
}

type Sizes = Pick<CapacityPlan, 'storageBytes' | 'inBytesPerSecond' | 'outBytesPerSecond'>

/** With one broker down the others bear its part, unless there is only one. */
function limitUses(
  { brokers, replicationFactor }: ResolvedWorkload,
  partitions: number,
  sizes: Sizes,
  count: number,
): LimitUse[] {
  const up = Math.max(1, count - 1)
  const uses: LimitUse[] = []
  if (brokers.diskBytes !== null)
    uses.push({
      limit: 'disk',
      used: sizes.storageBytes / up / brokers.diskBytes,
      formula: `storage ÷ ${up} ÷ disk of a broker`,
    })
  if (brokers.bytesPerSecond !== null) {
    const busier = Math.max(sizes.inBytesPerSecond, sizes.outBytesPerSecond)
    uses.push({
      limit: 'network',
      used: busier / up / brokers.bytesPerSecond,
      formula: `the greater of in and out ÷ ${up} ÷ network of a broker`,
    })
  }
  const replicas = partitions * replicationFactor
  uses.push({
    limit: 'replicas',
    used: replicas / up / brokers.replicas,
    formula: `partitions × replicas ÷ ${up} ÷ replicas of a broker`,
  })
  return uses.sort((one, other) => other.used - one.used)
}

function leastBrokers(
  { replicationFactor }: ResolvedWorkload,
  limitsOf: (brokers: number) => readonly LimitUse[],
): number {
  // The use of a limit by one broker that is alone tells how many must be up.
  const alone = Math.max(...limitsOf(1).map(({ used }) => used))
  return Math.max(replicationFactor, Math.ceil(alone) + 1)
}

/** Messages pile up at the peak rate, and come at it while they are made up for. */
function catchUpOf(of: ResolvedWorkload, partitions: number): number | null {
  const spare = readingRate(of, partitions) - of.messagesPerSecond
  return spare <= 0 ? null : (of.outageMs * of.messagesPerSecond) / spare
}

/** Messages per second that all processes together can handle. */
function readingRate(of: ResolvedWorkload, partitions: number): number {
  const { handler, perProcess, consumedPerPartition, messageBytes } = of
  const processes = of.processes ?? (processesFor(of) ?? partitions) + 1
  const rates = [(consumedPerPartition / messageBytes) * partitions]
  if (handler !== null) rates.push(((handler.atOnce * 1_000) / handler.ms) * partitions)
  if (perProcess !== null) rates.push(perProcess * Math.min(processes, partitions))
  return Math.min(...rates)
}

function formulasOf({ replicationFactor, groups, headroom }: ResolvedWorkload): readonly string[] {
  const peak = `messages/s × bytes × ${1 + headroom}`
  return [
    `written = ${peak}`,
    `storage = written × retention × ${replicationFactor} replicas`,
    `in = written × ${replicationFactor} replicas`,
    `out = written × (${replicationFactor - 1} followers + ${groups} group(s))`,
    'catching up = outage × messages/s ÷ (what consumers can do − messages/s)',
  ]
}

interface Found {
  readonly partitions: number
  readonly brokers: number
  readonly catchUp: number | null
  readonly storageBytes: number
}

function warningsOf(of: ResolvedWorkload, { partitions, brokers, catchUp, storageBytes }: Found): CapacityWarning[] {
  const { replicationFactor, keyed, growth, headroom, processes, retentionMs, outageMs } = of
  const needed = processesFor(of)
  const partitionBytes = storageBytes / replicationFactor / partitions
  const found: readonly (readonly [boolean, CapacityWarningCode, string])[] = [
    [
      replicationFactor < 3,
      'few-replicas',
      `with ${replicationFactor} replica(s) a broker that is down stops writes with acks=all, or loses records; use 3`,
    ],
    [
      of.brokers.count < replicationFactor,
      'brokers-fewer-than-replicas',
      `${of.brokers.count} broker(s) cannot hold ${replicationFactor} replicas of a partition; add brokers`,
    ],
    [
      keyed && growth === 1,
      'keyed-without-growth',
      'more partitions later move keys to other partitions, where their order begins anew: plan 2 to 3 times (growth); ' +
        'partitions are added by altering the topic, not by reassignment, which moves only replicas',
    ],
    [
      headroom < 0.3,
      'little-headroom',
      `a headroom of ${headroom} leaves no room for a broker that is down; use 0.3 to 0.5`,
    ],
    [
      processes !== null && needed !== null && processes < needed,
      'processes-too-few',
      `${processes} process(es) do not keep up with the peak; ${needed} do`,
    ],
    [
      outageMs >= retentionMs,
      'outage-outlives-records',
      'records are deleted before consumers are back from such an outage; keep them longer than that, and than a weekend',
    ],
    [
      catchUp === null,
      'never-catches-up',
      'consumers are no faster than the peak, so what piled up stays; add processes or partitions',
    ],
    [
      partitionBytes > mostPartitionBytes,
      'partition-too-large',
      `a partition would have ${Math.round(partitionBytes / 1e9)} GB, more than 100 GB: it takes long to move; add partitions or keep less`,
    ],
    [
      of.brokers.count < brokers,
      'brokers-too-few',
      `while one broker is down the others do not bear it: ${brokers} brokers do`,
    ],
  ]
  return found.filter(([is]) => is).map(([, code, message]) => ({ code, message }))
}
