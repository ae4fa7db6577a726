import type { DrainReport } from '../../src/telemetry/drain-report.js'
import type { MemberEvent } from './member-log.js'
import type { MemberFate, MemberProcess, MemberVersion } from './member-process.js'

/** One call of a handler. */
export interface Run {
  readonly tenure: Tenure
  readonly offset: number
  readonly key: string
  readonly startedAt: number
  /** `Infinity` when it never ended. */
  endedAt: number
  /** Its partition had been given up before it ended. */
  late: boolean
  aborted: boolean
}

/** One assignment of a partition to a member. */
export interface Tenure {
  readonly member: MemberHistory
  readonly partition: number
  readonly number: number
  readonly runs: Run[]
  /** How it ended; absent when the member was killed. */
  report: { readonly at: number; readonly drain: DrainReport } | null
}

export interface MemberHistory {
  readonly name: string
  readonly version: MemberVersion
  readonly fate: MemberFate
  readonly exitCode: number | null
  readonly pauses: readonly { readonly from: number; readonly to: number }[]
  readonly tenures: readonly Tenure[]
  readonly events: readonly MemberEvent[]
}

/** What a member's log says, put in order. */
export async function historyOf(
  member: Pick<MemberProcess, 'name' | 'version' | 'fate' | 'exitCode' | 'pauses' | 'events'>,
): Promise<MemberHistory> {
  const events = await member.events()
  const tenures = new Map<string, Tenure>()
  const running = new Map<string, Run>()
  const { name, version, fate, exitCode, pauses } = member
  const history: MemberHistory = {
    name,
    version,
    fate,
    exitCode,
    pauses,
    get tenures() {
      return [...tenures.values()]
    },
    events,
  }
  const tenureOf = (partition: number, number: number): Tenure => {
    const id = `${partition}/${number}`
    const known = tenures.get(id)
    if (known !== undefined) return known
    const tenure: Tenure = { member: history, partition, number, runs: [], report: null }
    tenures.set(id, tenure)
    return tenure
  }
  const givenUp = new Map<number, number>()
  for (const event of events) {
    if (event.kind === 'started') {
      const tenure = tenureOf(event.partition, event.tenure)
      const { offset, key, at } = event
      const run: Run = { tenure, offset, key, startedAt: at, endedAt: Infinity, late: false, aborted: false }
      tenure.runs.push(run)
      running.set(`${event.partition}/${event.tenure}/${offset}`, run)
    } else if (event.kind === 'ended') {
      const id = `${event.partition}/${event.tenure}/${event.offset}`
      const run = running.get(id)
      if (run === undefined) throw new Error(`${name}: a handler ended that never started: ${id}`)
      running.delete(id)
      run.endedAt = event.at
      run.late = event.late
      run.aborted = event.aborted
    } else if (event.kind === 'drained') {
      for (const { partition } of event.report.partitions) {
        const number = givenUp.get(partition) ?? 0
        tenureOf(partition, number).report = { at: event.at, drain: event.report }
        givenUp.set(partition, number + 1)
      }
    }
  }
  return history
}

/** The member itself said that the record may be handled again. */
export function isReported({ tenure, offset }: Run): boolean {
  const ranges = tenure.report?.drain.possibleDuplicates ?? []
  return ranges.some(({ partition, from, to }) => partition === tenure.partition && offset >= from && offset < to)
}

/** The member was killed while it had the partition, so nobody could report. */
export function wasKilled({ report, member }: Tenure): boolean {
  return report === null && member.fate.kind === 'killed'
}

export function wasLost({ report }: Tenure): boolean {
  return report?.drain.reason === 'lost'
}

/**
 * The handler ended while the partition was the member's, so its record may be committed. What a member did after a pause
 * in which it lost its partitions is late too, though it could not know.
 */
export function counts({ tenure, endedAt, late }: Run): boolean {
  if (late || endedAt === Infinity) return false
  if (!wasLost(tenure)) return true
  const began = tenure.runs[0]?.startedAt ?? 0
  return !tenure.member.pauses.some(({ from }) => from > began && from < endedAt)
}
