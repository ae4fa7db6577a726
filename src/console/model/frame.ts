import type { Cost, Sight } from './sight.js'
import type { Verdict } from './verdict.js'

/** What stands around every view. */
export interface Frame {
  readonly at: number
  /** How long the console has watched. */
  readonly watchedMs: number
  /** Of the cluster: its id, and the ids of its brokers. */
  readonly cluster: { readonly name: string; readonly brokers: readonly number[] }
  /** Why the last look failed; what is shown is that old. */
  readonly failure: string | null
  readonly cost: Cost
}

export function frameOf({ at, watchedSince, cluster, failure, cost }: Sight): Frame {
  const name = cluster?.clusterId ?? 'cluster'
  return { at, watchedMs: at - watchedSince, cluster: { name, brokers: cluster?.brokers ?? [] }, failure, cost }
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
