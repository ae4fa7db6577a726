import type { Clock } from './clock.js'

/** Work of a lane. `next` belongs to the lanes while the task waits: tasks are linked, so waiting costs no memory of its own. */
export interface LaneTask<Task> {
  next: Task | null
}

export interface KeyedLanesOptions<Task> {
  /** Most tasks that run at the same time, over all groups. */
  readonly concurrency: number
  /** Does one task. Ending synchronously (returning `undefined`) is the fast way. Must not throw or reject. */
  readonly run: (task: Task) => Promise<void> | undefined
  /** `run` threw or rejected all the same: a defect. The lane goes on. */
  readonly onDefect: (error: unknown) => void
  readonly clock: Clock
}

/** Where further tasks of a group come from when none of those it has can start. */
export interface LaneSupply {
  /** Whether there is more, and pushing it now could let something start. Asked often: must be cheap. */
  readonly canRefill: () => boolean
  /** Pushes some more, or finds that there is none. Must not throw. */
  readonly refill: () => void
}

const noSupply: LaneSupply = { canRefill: () => false, refill: () => undefined }

/** Tasks started in one turn of the event loop, and the time they may take, before timers and sockets get their turn. */
const tasksPerTurn = 1024
const turnMs = 10
const timeCheckMask = 15

/**
 * Runs tasks of one key in order and tasks of different keys side by side, up to a limit. Groups with work take turns, and
 * within a group its keys take turns, so neither a busy group nor a busy key starves another. Every step is O(1); a key
 * without work leaves nothing behind.
 */
export class KeyedLanes<Task extends LaneTask<Task>> {
  readonly #options: KeyedLanesOptions<Task>
  readonly #readyGroups = new LinkedQueue<LaneGroup<Task>>()
  #running = 0
  #pumping = false
  #turn: 'none' | 'open' | 'used-up' = 'none'
  #turnTasks = 0
  #turnStartedAt = 0

  constructor(options: KeyedLanesOptions<Task>) {
    this.#options = options
  }

  /** Tasks running now. */
  get running(): number {
    return this.#running
  }

  /** A set of lanes of its own: equal keys of two groups never share a lane. */
  group(supply: LaneSupply = noSupply): LaneGroup<Task> {
    return new LaneGroup<Task>(supply, (group) => this.#groupReady(group))
  }

  #groupReady(group: LaneGroup<Task>): void {
    this.#readyGroups.push(group)
    if (!this.#pumping) this.#openTurn()
  }

  #openTurn(): void {
    if (this.#turn !== 'none') return
    this.#turn = 'open'
    this.#resetTurn()
    this.#options.clock.defer(this.#onTurn)
  }

  readonly #onTurn = (): void => {
    this.#turn = 'none'
    this.#resetTurn()
    this.#pump()
  }

  #resetTurn(): void {
    this.#turnTasks = 0
    this.#turnStartedAt = this.#options.clock.now()
  }

  #pump(): void {
    // A task that ends synchronously, or calls back into the lanes, is seen by the loop that runs already.
    if (this.#pumping || this.#turn === 'used-up') return
    this.#pumping = true
    while (this.#running < this.#options.concurrency) {
      const group = this.#readyGroups.shift()
      if (group === null) break
      const lane = group.takeLane()
      if (lane !== null) this.#start(group, lane)
      if (this.#turnUsedUp()) break
    }
    this.#pumping = false
  }

  #turnUsedUp(): boolean {
    this.#turnTasks += 1
    const tired =
      this.#turnTasks >= tasksPerTurn ||
      ((this.#turnTasks & timeCheckMask) === 0 && this.#options.clock.now() - this.#turnStartedAt > turnMs)
    if (!tired) return false
    // The next turn is ordered before this one is marked, else nothing would ever lift the mark.
    this.#openTurn()
    this.#turn = 'used-up'
    return true
  }

  #start(group: LaneGroup<Task>, lane: KeyLane<Task>): void {
    const task = lane.take()
    group.begin()
    this.#running += 1
    let end: Promise<void> | undefined
    try {
      end = this.#options.run(task)
    } catch (error) {
      this.#options.onDefect(error)
    }
    if (end === undefined) this.#release(group, lane)
    else void this.#finish(group, lane, end)
  }

  async #finish(group: LaneGroup<Task>, lane: KeyLane<Task>, end: Promise<void>): Promise<void> {
    try {
      await end
    } catch (error) {
      this.#options.onDefect(error)
    }
    this.#release(group, lane)
    this.#openTurn()
    this.#pump()
  }

  #release(group: LaneGroup<Task>, lane: KeyLane<Task>): void {
    this.#running -= 1
    group.end(lane)
  }
}

/** Lanes that belong together. It can be held (nothing new starts) and closed (nothing waits any more). */
export class LaneGroup<Task extends LaneTask<Task>> {
  next: LaneGroup<Task> | null = null
  readonly #lanes = new Map<string, KeyLane<Task>>()
  readonly #readyLanes = new LinkedQueue<KeyLane<Task>>()
  readonly #supply: LaneSupply
  readonly #onReady: (group: LaneGroup<Task>) => void
  #announced = false
  #holds = 0
  #closed = false
  #running = 0
  #queued = 0
  #idleWaiters: (() => void)[] = []
  #gateWaiters: (() => void)[] = []

  constructor(supply: LaneSupply, onReady: (group: LaneGroup<Task>) => void) {
    this.#supply = supply
    this.#onReady = onReady
  }

  get running(): number {
    return this.#running
  }

  get queued(): number {
    return this.#queued
  }

  /** Keys that have work waiting or running. */
  get lanes(): number {
    return this.#lanes.size
  }

  /** Behind everything of this key; `null` is no key, such tasks wait for nothing but a free place. */
  push(key: string | null, task: Task): void {
    if (this.#closed) return
    this.#queued += 1
    let lane = key === null ? undefined : this.#lanes.get(key)
    if (lane === undefined) {
      lane = new KeyLane<Task>(key)
      if (key !== null) this.#lanes.set(key, lane)
    }
    if (lane.add(task)) this.#laneReady(lane)
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
    while (this.#holds > 0 && !this.#closed) await new Promise<void>((resolve) => this.#gateWaiters.push(resolve))
    return !this.#closed
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

  /** Drops everything that waits; what runs goes on. Returns how many tasks were dropped. */
  close(): number {
    this.#closed = true
    this.#openGate()
    const dropped = this.#queued
    this.#queued = 0
    this.#readyLanes.clear()
    for (const lane of this.#lanes.values()) lane.clear()
    this.#lanes.clear()
    return dropped
  }

  /** Resolves when no task of the group runs. */
  whenIdle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** The next lane to serve; called by the lanes that own this group. */
  takeLane(): KeyLane<Task> | null {
    this.#announced = false
    if (this.#holds > 0) return null
    if (this.#readyLanes.isEmpty && this.#canRefill) this.#supply.refill()
    const lane = this.#readyLanes.shift()
    // In line again: a refill that started nothing is one of several turns, not a loop of its own.
    if (lane === null) this.#announce()
    return lane
  }

  begin(): void {
    this.#queued -= 1
    this.#running += 1
    this.#announce()
  }

  end(lane: KeyLane<Task>): void {
    this.#running -= 1
    if (lane.rest()) this.#laneReady(lane)
    else if (lane.key !== null && this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key)
    this.#announce()
    if (this.#running === 0 && this.#idleWaiters.length > 0) this.#wakeIdleWaiters()
  }

  get #canRefill(): boolean {
    return !this.#closed && this.#supply.canRefill()
  }

  #laneReady(lane: KeyLane<Task>): void {
    this.#readyLanes.push(lane)
    this.#announce()
  }

  #announce(): void {
    if (this.#announced || this.#holds > 0 || (this.#readyLanes.isEmpty && !this.#canRefill)) return
    this.#announced = true
    this.#onReady(this)
  }

  #openGate(): void {
    const waiters = this.#gateWaiters
    this.#gateWaiters = []
    for (const pass of waiters) pass()
  }

  #wakeIdleWaiters(): void {
    const waiters = this.#idleWaiters
    this.#idleWaiters = []
    for (const wake of waiters) wake()
  }
}

/** The tasks of one key: at most one runs. */
class KeyLane<Task extends LaneTask<Task>> {
  next: KeyLane<Task> | null = null
  readonly #tasks = new LinkedQueue<Task>()
  #state: 'empty' | 'ready' | 'running' = 'empty'

  constructor(readonly key: string | null) {}

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

/** First in, first out, linked through the items themselves. */
class LinkedQueue<Item extends { next: Item | null }> {
  #head: Item | null = null
  #tail: Item | null = null

  get isEmpty(): boolean {
    return this.#head === null
  }

  push(item: Item): void {
    item.next = null
    if (this.#tail === null) this.#head = item
    else this.#tail.next = item
    this.#tail = item
  }

  shift(): Item | null {
    const item = this.#head
    if (item === null) return null
    this.#head = item.next
    if (this.#head === null) this.#tail = null
    item.next = null
    return item
  }

  clear(): void {
    this.#head = null
    this.#tail = null
  }
}
