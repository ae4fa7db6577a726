import type { Arrival } from '../../examples/alarm/access/arrivals.js'
import type { RuleBook } from '../../examples/alarm/detect/judge-batch.js'
import type { Store } from '../../examples/alarm/store/store.js'

/** The stages that both sides have, each with a store of its own. */
export type StageStores = Readonly<Record<'access' | 'detect' | 'alert', Store>>

/** What one run is given. */
export interface Task {
  readonly arrivals: readonly Arrival[]
  readonly book: RuleBook
  readonly stores: StageStores
}

/** What a run has done so far. */
export interface Progress {
  /** Points that detect has stored. */
  readonly judged: number
  /** Events that detect has sent to `alerts`, acknowledged. */
  readonly decided: number
  /** Events that alert has applied. */
  readonly applied: number
  /** Status changes that are committed and not sent yet. */
  readonly untold: () => Promise<number>
}

/** access → detect → alert → alert_status, with all readers running. */
export interface RunningStages {
  deliver(): Promise<unknown>
  progress(): Progress
  stop(): Promise<void>
}

/** All that came in is judged, all that was decided is applied, and all that became of it is told. */
export async function isThrough({ judged, decided, applied, untold }: Progress, rows: number): Promise<boolean> {
  return judged >= rows && applied >= decided && (await untold()) === 0
}
