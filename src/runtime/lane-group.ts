import { LaneTable, type InTable } from './lane-table.js'
import { LinkedQueue } from './linked-queue.js'

/** Work of a lane. `next` belongs to the lanes while the task waits: tasks are linked, so waiting costs no memory of its own. */
export interface LaneTask<Task> {
  next: Task | null
  /** Whether it takes a place of `concurrency`; set by the lanes. */
  hasPlace: boolean
  /** Where it runs, while it does; set by the lanes. */
  lane: object | null
}

/** Where further tasks of a group come from when none of those it has can start. */
export interface LaneSupply {
  /** Whether there is more, and pushing it now could let something start. Asked often: must be cheap. */
  readonly canRefill: () => boolean
  /** Pushes some more, or finds that there is none. Must not throw. */
  readonly refill: () => void
}

/** To one that waits at the gate: it may start alone, or it should look again. */
type Pass = 'alone' | 'look'

/**
 * Short tasks of one group that may follow each other before others have their turn. Each group's state is read from main
 * memory when there are many, which takes longer than a short task.
 */
const mostInRow = 31
/** The same, where what follows is made already: left for another turn it would wait as objects, in each of many groups. */
const mostMadeInRow = 2 * mostInRow

/** What a group asks of the lanes that own it. */
export interface Places<Task extends LaneTask<Task>> {
  ready(group: LaneGroup<Task>, turn: 'next' | 'last'): void
  giveBack(task: Task): void
  take(group: LaneGroup<Task>, task: Task): Promise<boolean>
  drop(group: LaneGroup<Task>): void
}

/**
 * Lanes that belong together. The group can be held (nothing new starts), narrowed (one thing starts at a time, each time it
 * is told) and closed (nothing waits any more). Holding goes before narrowing, closing before both.
 */
export class LaneGroup<Task extends LaneTask<Task>> {
  next: LaneGroup<Task> | null = null
  readonly #lanes = new LaneTable<KeyLane<Task>>()
  /** The lane that ran empty last, for the next key: making one costs more than a short task. */
  #spare: KeyLane<Task> | null = null
  readonly #readyLanes = new LinkedQueue<KeyLane<Task>>()
  readonly #supply: LaneSupply
  readonly #places: Places<Task>
  #announced = false
  /** The task that ended last took no turn of the event loop. */
  #areShort = false
  #inRow = 0
  #holds = 0
  /** Of what has not begun, how much may begin; `null` when not narrowed. */
  #passes: number | null = null
  #turn: 'waiting' | 'fresh' = 'waiting'
  #closed = false
  #running = 0
  #resting = 0
  #queued = 0
  #closing: AbortController | null = null
  #idleWaiters: (() => void)[] = []
  #gateWaiters: ((pass: Pass) => void)[] = []

  constructor(supply: LaneSupply, places: Places<Task>) {
    this.#supply = supply
    this.#places = places
  }

  get running(): number {
    return this.#running
  }

  /** Of those that run, how many gave their place back and wait for something. */
  get resting(): number {
    return this.#resting
  }

  get queued(): number {
    return this.#queued
  }

  /** Keys that have work waiting or running. */
  get lanes(): number {
    return this.#lanes.size
  }

  /** Behind everything of this key; `null` is no key, such tasks wait for nothing but a free place. */
  push(key: Uint8Array | null, task: Task): void {
    if (this.#closed) return
    this.#queued += 1
    const lane = (key === null ? null : this.#lanes.find(key)) ?? this.#laneFor(key)
    if (lane.add(task)) this.#laneReady(lane)
  }

  #laneFor(key: Uint8Array | null): KeyLane<Task> {
    const lane = this.#spare ?? new KeyLane<Task>(this, key)
    this.#spare = null
    lane.key = key
    if (key !== null) this.#lanes.add(lane)
    return lane
  }

  /** The supply has more than when it was asked last. */
  supplied(): void {
    this.#announce()
  }

  /**
   * For a task that starts something new of its own: resolves to true when the group would let a task start, to false
   * when it is closed.
   */
  async mayStart(): Promise<boolean> {
    return (await this.#admission()) !== 'closed'
  }

  /** `alone`: let through while the group is narrow. */
  async #admission(): Promise<'open' | 'alone' | 'closed'> {
    while (!this.#closed) {
      if (this.#holds === 0 && this.#passes === null) return 'open'
      const pass = await new Promise<Pass>((resolve) => this.#gateWaiters.push(resolve))
      if (pass === 'alone' && !this.#closed) return 'alone'
    }
    return 'closed'
  }

  /** A running task that waits for something takes no place of `concurrency` meanwhile. Its lane waits for it still. */
  giveBack(task: Task): void {
    if (!task.hasPlace) return
    this.#resting += 1
    this.#places.giveBack(task)
  }

  /** Resolves to true when the group lets a task start and there is a place for it; to false when the group is closed. */
  async takeAgain(task: Task): Promise<boolean> {
    for (;;) {
      const admission = await this.#admission()
      if (admission === 'closed' || !(await this.#places.take(this, task))) return false
      this.#resting -= 1
      // While it waited for a place the group may have been held, narrowed or closed.
      const isNarrowAgain = this.#passes !== null && admission !== 'alone'
      if (this.#holds === 0 && !isNarrowAgain && !this.#closed) return true
      this.giveBack(task)
    }
  }

  /** Aborts when the group is closed, so that waits inside a task end. */
  get closing(): AbortSignal {
    if (this.#closing === null) {
      this.#closing = new AbortController()
      if (this.#closed) this.#closing.abort()
    }
    return this.#closing.signal
  }

  get isHeld(): boolean {
    return this.#holds > 0
  }

  /** Nothing new starts until every hold is released. */
  hold(): void {
    this.#holds += 1
  }

  release(): void {
    this.#holds -= 1
    if (this.#holds === 0) this.#openGate()
    this.#announce()
  }

  /** From now on one thing starts for each `letOne`. */
  narrow(): void {
    this.#passes = 0
    this.#turn = 'waiting'
  }

  widen(): void {
    this.#passes = null
    this.#openGate()
    this.#announce()
  }

  /**
   * While narrow: lets one thing start. What waits for another attempt and what has not begun take turns, the former among
   * themselves too, so nothing that never succeeds stands for all.
   */
  letOne(): void {
    this.#let(this.#turn)
  }

  /** The same, out of turn: what has not begun goes first. */
  letAnother(): void {
    this.#let('fresh')
  }

  #let(turn: 'waiting' | 'fresh'): void {
    if (this.#passes === null || this.#holds > 0 || this.#closed) return
    const hasFresh = !this.#readyLanes.isEmpty || this.#canRefill
    const waiting = turn === 'fresh' && hasFresh ? undefined : this.#gateWaiters.shift()
    if (waiting !== undefined) {
      this.#turn = 'fresh'
      waiting('alone')
    } else if (hasFresh) {
      this.#turn = 'waiting'
      this.#passes = 1
      this.#announce()
    }
  }

  /** Drops everything that waits; what runs goes on. Returns how many tasks were dropped. */
  close(): number {
    this.#closed = true
    this.#openGate()
    this.#places.drop(this)
    this.#closing?.abort()
    const dropped = this.#queued
    this.#queued = 0
    this.#readyLanes.clear()
    this.#lanes.clear((lane) => lane.clear())
    this.#spare = null
    return dropped
  }

  /** Resolves when no task of the group runs. */
  whenIdle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** The next lane to serve; called by the lanes that own this group. */
  takeLane(): KeyLane<Task> | null {
    // While it fills itself it is being served: in line already it would stop after the first of what came.
    if (!this.#isShut && this.#readyLanes.isEmpty && this.#canRefill) this.#supply.refill()
    this.#announced = false
    if (this.#isShut) return null
    const lane = this.#readyLanes.shift()
    // In line again: a refill that started nothing is one of several turns, not a loop of its own.
    if (lane === null) this.#announce()
    else if (this.#passes !== null) this.#passes -= 1
    return lane
  }

  begin(): void {
    this.#queued -= 1
    this.#running += 1
    this.#announce('goes-on')
  }

  /** @param isShort it took no turn of the event loop */
  end(lane: KeyLane<Task>, hasPlace: boolean, isShort: boolean): void {
    this.#running -= 1
    if (!hasPlace) this.#resting -= 1
    if (lane.rest()) this.#readyLanes.push(lane)
    else if (!this.#closed) this.#leave(lane)
    this.#areShort = isShort
    this.#announce('goes-on')
    if (this.#running === 0 && this.#idleWaiters.length > 0) this.#wakeIdleWaiters()
  }

  /** Its key goes too: it may be a piece of a large answer. */
  #leave(lane: KeyLane<Task>): void {
    if (lane.key !== null) this.#lanes.delete(lane)
    lane.key = null
    this.#spare = lane
  }

  /** To what has not begun. */
  get #isShut(): boolean {
    return this.#holds > 0 || this.#passes === 0
  }

  get #canRefill(): boolean {
    return !this.#closed && this.#supply.canRefill()
  }

  #laneReady(lane: KeyLane<Task>): void {
    this.#readyLanes.push(lane)
    this.#announce()
  }

  #announce(how: 'goes-on' | 'comes' = 'comes'): void {
    if (this.#announced || this.#isShut || (this.#readyLanes.isEmpty && !this.#canRefill)) return
    this.#announced = true
    const most = this.#readyLanes.isEmpty ? mostInRow : mostMadeInRow
    const isNext = how === 'goes-on' && this.#areShort && this.#inRow < most
    this.#inRow = isNext ? this.#inRow + 1 : 0
    this.#places.ready(this, isNext ? 'next' : 'last')
  }

  #openGate(): void {
    const waiters = this.#gateWaiters
    this.#gateWaiters = []
    for (const pass of waiters) pass('look')
  }

  #wakeIdleWaiters(): void {
    const waiters = this.#idleWaiters
    this.#idleWaiters = []
    for (const wake of waiters) wake()
  }
}

/** The tasks of one key: at most one runs. */
export class KeyLane<Task extends LaneTask<Task>> implements InTable<KeyLane<Task>> {
  next: KeyLane<Task> | null = null
  /** Its place in the table of lanes, which sets it. */
  hash = 0
  nextInSlot: KeyLane<Task> | null = null
  /** Turn of the event loop in which its task began; set by the lanes. */
  startedIn = 0
  readonly #tasks = new LinkedQueue<Task>()
  #state: 'empty' | 'ready' | 'running' = 'empty'

  constructor(
    readonly group: LaneGroup<Task>,
    /** `null` is no key. An empty lane may be given another one. */
    public key: Uint8Array | null,
  ) {}

  /** True when the lane became ready by it. */
  add(task: Task): boolean {
    this.#tasks.push(task)
    if (this.#state !== 'empty') return false
    this.#state = 'ready'
    return true
  }

  take(): Task {
    this.#state = 'running'
    return this.#tasks.shift() as Task
  }

  /** After a task: true when another one waits. */
  rest(): boolean {
    this.#state = this.#tasks.isEmpty ? 'empty' : 'ready'
    return this.#state === 'ready'
  }

  clear(): void {
    this.#tasks.clear()
  }
}
