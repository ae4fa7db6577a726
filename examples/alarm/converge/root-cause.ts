import type { Topology } from './converge-rules.js'

export interface Member {
  readonly alert_id: string
  readonly target: string
  readonly severity: number
  readonly begin_time: number
}

/**
 * The alert that the others come of: of those upstream of another member, or of all when none is, the most severe, then the
 * earliest, then the one with the least id. So it does not depend on the order in which they came.
 */
export function rootCause(members: readonly Member[], topology: Topology): Member | null {
  const upstream = new Set<string>()
  for (const { target } of members) walk(target, topology, upstream)
  const causes = members.filter(({ target }) => upstream.has(target))
  const [cause = null] = (causes.length > 0 ? causes : [...members]).sort(
    (one, other) =>
      one.severity - other.severity ||
      one.begin_time - other.begin_time ||
      (one.alert_id < other.alert_id ? -1 : Number(one.alert_id > other.alert_id)),
  )
  return cause
}

/** A circle ends where it began. */
function walk(target: string, topology: Topology, upstream: Set<string>): void {
  for (const next of topology[target] ?? []) {
    if (upstream.has(next)) continue
    upstream.add(next)
    walk(next, topology, upstream)
  }
}
