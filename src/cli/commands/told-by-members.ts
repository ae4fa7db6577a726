import type { AskedProcess, MemberPartition, MemberReason } from '../../members/process-facts.js'
import { momentText, timeText } from '../../text/figures.js'
import type { Paint } from '../paint.js'
import { table, type Cell } from '../table.js'

/** A process that was asked, and why it is not healthy. */
export interface ToldProcess {
  readonly address: string
  readonly failure: string | null
  /** `null` where it did not answer. */
  readonly status: string | null
  /** Of the groups that were asked for, and of the process itself. */
  readonly reasons: readonly MemberReason[]
}

/** What a process tells of its partitions in a group. */
export function partitionsTold({ told }: AskedProcess, group: string): readonly MemberPartition[] {
  return told?.facts.consumers.filter((one) => one.group === group).flatMap(({ partitions }) => partitions) ?? []
}

export function processOf({ address, told, failure }: AskedProcess, groups: readonly string[]): ToldProcess {
  const reasons = told?.health.reasons.filter(({ group }) => group === null || groups.includes(group)) ?? []
  return { address, failure, status: told?.health.status ?? null, reasons }
}

export const toldTitles = ['IN FLIGHT', 'WAITS FOR', 'STANDS STILL FOR']

export function toldCells(told: MemberPartition | null): readonly Cell[] {
  if (told === null) return [null, null, null]
  const { unsettled, waitsFor, stalledMs, stoppedBy } = told
  const waits: Cell = stoppedBy === null ? waitsFor : { text: `stopped: ${stoppedBy.code}`, tone: 'bad' }
  return [unsettled, waits, stalledMs === 0 ? null : timeText(stalledMs)]
}

export function processesText(paint: Paint, processes: readonly ToldProcess[]): string {
  const rows = processes.flatMap(({ address, failure, status, reasons }): Cell[][] => {
    if (failure !== null) return [[address, { text: failure, tone: 'bad' }, null, null, null]]
    if (reasons.length === 0) return [[address, { text: status ?? 'healthy', tone: 'good' }, null, null, null]]
    return reasons.map(({ code, since, topic, partition, remedy }) => [
      address,
      { text: code, tone: 'warning' },
      since === null ? null : momentText(since),
      topic === null ? null : partition === null ? topic : `${topic}-${partition}`,
      remedy,
    ])
  })
  return table(paint, ['PROCESS', 'SAYS', 'SINCE', 'WHERE', 'MEND'], rows, 'No process was asked.')
}
