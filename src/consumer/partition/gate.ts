/** `fetch`: the broker is asked for more. `start`: handlers begin. `flow`: they begin by themselves, not one by one as probes. */
export type Door = 'fetch' | 'start' | 'flow'

/**
 * Why a partition rests, and which doors each reason closes. What runs goes on; a door is open when no reason closes it.
 *
 * | reason        | until |
 * |---------------|-------|
 * | `user`        | `resume`, over seeks, resets and rebalances |
 * | `marks`       | what is held is below the low mark |
 * | `dead-letter` | the dead-letter topic can be written again |
 * | `outage`      | something succeeds again |
 * | `delay-topic` | the delay topic can be written again |
 * | `put-off`     | it is known which of its keys wait in delay topics |
 * | `stage-full`  | its stage has let records go |
 * | `reorder`     | other partitions have caught up in event time, or there is room again |
 * | `schema`      | what its next record is decoded with is there: marks bound what is fetched meanwhile |
 * | `commit`      | the commit of its last record is confirmed (`commit: 'confirmed'`), or there is no such partition |
 * | `hook`        | `onAssigned` has said where it starts |
 * | `former`      | handlers that began before it was given up, or sought away, have ended, or had `drainMs` for it |
 * | `stopped`     | `restart` or `seek` |
 * | `seek`        | the new place is reached |
 */
const doorsOf = {
  user: ['fetch', 'start'],
  marks: ['fetch'],
  'dead-letter': ['start'],
  outage: ['flow'],
  'delay-topic': ['start'],
  'put-off': ['start'],
  'stage-full': ['fetch'],
  reorder: ['fetch'],
  schema: [],
  commit: ['start'],
  hook: ['fetch', 'start'],
  former: ['start'],
  stopped: ['fetch', 'start'],
  seek: ['fetch', 'start'],
} as const satisfies Readonly<Record<PauseReason, readonly Door[]>>

/** Why nothing of a partition is fetched or started. More may come. */
export type PauseReason =
  | 'user'
  | 'marks'
  | 'dead-letter'
  | 'outage'
  | 'delay-topic'
  | 'put-off'
  | 'stage-full'
  | 'reorder'
  | 'schema'
  | 'commit'
  | 'hook'
  | 'former'
  | 'stopped'
  | 'seek'

/** What closing and opening a door does. */
export type DoorActions = Readonly<Record<Door, { close(): void; open(): void }>>

/** The two doors of a partition. */
export class PartitionGate {
  readonly #actions: DoorActions
  /** A reason may stand several times, as when several records wait for the dead-letter topic. */
  readonly #standing = new Map<PauseReason, number>()
  readonly #closings: Record<Door, number> = { fetch: 0, start: 0, flow: 0 }

  constructor(actions: DoorActions) {
    this.#actions = actions
  }

  /** Each call is undone by one `lift`. */
  close(reason: PauseReason): void {
    this.#standing.set(reason, (this.#standing.get(reason) ?? 0) + 1)
    for (const door of doorsOf[reason]) {
      this.#closings[door] += 1
      if (this.#closings[door] === 1) this.#actions[door].close()
    }
  }

  /** Changes nothing when the reason does not stand. */
  lift(reason: PauseReason): void {
    const times = this.#standing.get(reason)
    if (times === undefined) return
    if (times === 1) this.#standing.delete(reason)
    else this.#standing.set(reason, times - 1)
    for (const door of doorsOf[reason]) {
      this.#closings[door] -= 1
      if (this.#closings[door] === 0) this.#actions[door].open()
    }
  }

  isClosedBy(reason: PauseReason): boolean {
    return this.#standing.has(reason)
  }

  isOpen(door: Door): boolean {
    return this.#closings[door] === 0
  }

  get reasons(): PauseReason[] {
    return [...this.#standing.keys()]
  }
}
