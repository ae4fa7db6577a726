import type { DrainReport } from '../../src/telemetry/drain-report.js'
import type { AssignorName, CommitOutcome } from '../../src/driver/consumer.js'

/** What a member process is told to do. */
export interface MemberTask {
  readonly name: string
  readonly brokers: readonly string[]
  readonly topic: string
  readonly group: string
  readonly logFile: string
  readonly seed: number
  /** A handler works up to so long. */
  readonly handlerMs: number
  /** This share of the records takes longer. */
  readonly long: { readonly share: number; readonly ms: number } | null
  /** Most time to close after SIGTERM. */
  readonly closeMs: number
  readonly options: MemberOptions
}

export interface MemberOptions {
  readonly order: 'key' | 'partition' | 'none'
  readonly concurrency: number
  /** Absent: as the version has it, or the broker. */
  readonly sessionTimeoutMs?: number
  readonly heartbeatIntervalMs?: number
  readonly assignors?: readonly AssignorName[]
  readonly groupProtocol?: 'classic' | 'consumer'
  readonly rebalanceTimeoutMs: number
  readonly drainMs: number
  /** Absent: as the profile says. */
  readonly commit?: { readonly everyMs: number; readonly everyMessages: number }
  readonly fetch: { readonly maxWaitMs: number; readonly partitionMaxBytes: number }
}

interface AboutRecord {
  readonly at: number
  readonly partition: number
  readonly offset: number
  /** Counts the assignments of this partition to this member, from 0. */
  readonly tenure: number
}

export type MemberEvent =
  | ({ readonly kind: 'started'; readonly key: string } & AboutRecord)
  /** `late`: the partition had been given up before; `aborted`: the handler's signal says so. */
  | ({ readonly kind: 'ended'; readonly late: boolean; readonly aborted: boolean } & AboutRecord)
  /** The group answered that it stored commits of this member. */
  | { readonly kind: 'committed'; readonly at: number }
  | { readonly kind: 'drained'; readonly at: number; readonly report: DrainReport }
  | {
      readonly kind: 'facts'
      readonly at: number
      readonly generation: number
      readonly state: string
      readonly partitions: number
      readonly late: number
      readonly commits: Readonly<Record<CommitOutcome, number>>
    }
  /** What may not happen, whatever the faults. */
  | { readonly kind: 'broken'; readonly at: number; readonly message: string }
  /** May happen to one that is told to leave before it has joined. */
  | { readonly kind: 'not-started'; readonly at: number; readonly message: string }
  | { readonly kind: 'warned'; readonly at: number; readonly message: string }

/** The same clock in every process of this machine. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** One line. The kinds that come for every record or commit are short. */
export function lineOf(event: MemberEvent): string {
  switch (event.kind) {
    case 'started':
      return `s\t${event.at}\t${event.partition}\t${event.offset}\t${event.tenure}\t${event.key}\n`
    case 'ended':
      return `e\t${event.at}\t${event.partition}\t${event.offset}\t${event.tenure}\t${event.late}\t${event.aborted}\n`
    case 'committed':
      return `c\t${event.at}\n`
    default:
      return `${JSON.stringify(event)}\n`
  }
}

/** The events of a log; a last line that is cut off (its writer was killed) is none. */
export function parseLog(text: string): MemberEvent[] {
  const lines = text.split('\n')
  lines.pop()
  return lines.map(parseLine)
}

function parseLine(line: string): MemberEvent {
  if (line.startsWith('{')) return JSON.parse(line) as MemberEvent
  const [kind, at, partition, offset, tenure, fifth = '', sixth] = line.split('\t')
  if (kind === 'c') return { kind: 'committed', at: Number(at) }
  const about = { at: Number(at), partition: Number(partition), offset: Number(offset), tenure: Number(tenure) }
  if (kind === 's') return { kind: 'started', ...about, key: fifth }
  return { kind: 'ended', ...about, late: fifth === 'true', aborted: sixth === 'true' }
}
