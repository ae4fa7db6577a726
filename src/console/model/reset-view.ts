import type { OffsetReset } from '../../operations/group-offsets.js'
import { linkOf } from './frame.js'
import { countText, type Verdict } from './verdict.js'

/** Where a group would go on. Nothing was changed. */
export interface ResetView {
  readonly group: string
  readonly verdict: Verdict
  readonly rows: readonly (OffsetReset & { readonly link: string; readonly change: number | null })[]
  readonly partitions: number
  /** What does it, for a terminal. */
  readonly command: string
}

const mostRows = 200

/** @param to as the command line takes it */
export function resetView(
  group: string,
  to: string,
  resets: readonly OffsetReset[],
  members: readonly string[],
): ResetView {
  const changes = resets.map(({ from, offset }) => (from === null ? null : offset - from))
  const again = changes.reduce<number>((sum, change) => sum - Math.min(0, change ?? 0), 0)
  const skipped = changes.reduce<number>((sum, change) => sum + Math.max(0, change ?? 0), 0)
  const would = `${group} would read ${countText(again, 'record')} again and skip ${countText(skipped, 'record')} on ${countText(resets.length, 'partition')}`
  return {
    group,
    verdict: verdictOf(group, would, skipped, resets.length, members),
    rows: resets.slice(0, mostRows).map((one, index) => ({
      ...one,
      link: linkOf('partition', group, one.topic, one.partition),
      change: changes[index] ?? null,
    })),
    partitions: resets.length,
    command: `tidemark group reset ${quoted(group)} --to ${to}`,
  }
}

function verdictOf(
  group: string,
  would: string,
  skipped: number,
  partitions: number,
  members: readonly string[],
): Verdict {
  if (partitions === 0) {
    return { level: 'unjudged', text: `${group} has committed nothing that could be reset`, action: null }
  }
  if (members.length > 0) {
    const who =
      members.length > 5 ? `${members.slice(0, 5).join(', ')} and ${members.length - 5} more` : members.join(', ')
    const text = `${would}; refused while ${countText(members.length, 'member is', 'members are')} active`
    return { level: 'watch', text, action: `stop ${who} first` }
  }
  return { level: skipped > 0 ? 'watch' : 'ok', text: would, action: 'run the command to do it' }
}

/** As a shell takes it, whatever the name is. */
function quoted(name: string): string {
  return /^[a-zA-Z0-9._-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`
}
