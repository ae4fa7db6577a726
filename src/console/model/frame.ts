import type { Cost, Sight } from './sight.js'
import type { Verdict } from './verdict.js'

/** What stands around every view. */
export interface Frame {
  readonly at: number
  /** When it was sent: clocks of browsers differ. */
  readonly ageMs: number
  /** How long the console has watched. */
  readonly watchedMs: number
  /** Of the cluster: its id, and the ids of its brokers; `null` as long as it was never seen. */
  readonly cluster: {
    readonly name: string
    readonly brokers: readonly number[]
    readonly down: readonly number[]
  } | null
  /** Why the last look failed; what is shown is that old. */
  readonly failure: string | null
  readonly cost: Cost
}

export function frameOf({ at, watchedSince, cluster, failure, cost }: Sight, now: number): Frame {
  const { clusterId, brokers, down } = cluster ?? { clusterId: null, brokers: [], down: [] }
  const shown = cluster === null ? null : { name: clusterId ?? 'cluster', brokers, down }
  return { at, ageMs: Math.max(0, now - at), watchedMs: at - watchedSince, cluster: shown, failure, cost }
}

/** One line of a list of verdicts, and where it leads. */
export interface Headline extends Verdict {
  /** In the page: `group/billing`. */
  readonly link: string
}

/** Of a name from outside; the page takes it apart again. */
export function linkOf(view: string, ...names: readonly (string | number)[]): string {
  return [view, ...names.map((name) => encodeURIComponent(String(name)))].join('/')
}
