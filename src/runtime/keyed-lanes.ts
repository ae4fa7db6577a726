import type { Clock } from './clock.js'
import { LaneGroup, type KeyLane, type LaneSupply, type LaneTask } from './lane-group.js'
import { LinkedQueue } from './linked-queue.js'

export interface KeyedLanesParts<Task> {
  /** Most tasks that run at the same time, over all groups. */
  readonly concurrency: number
  /** Whether a task may begin that has not; asked before each. By default always. */
  readonly mayBegin?: (() => boolean) | undefined
  /**
   * Does one task. `ended`: it has; `later`: it calls `ended` with it once it has, which costs no promise. Must not throw.
   */
  readonly run: (task: Task, ended: Ended<Task>) => 'ended' | 'later'
  /** `run` threw all the same, or told of a defect. The lane goes on. */
  readonly onDefect: (error: unknown) => void
  readonly clock: Clock
}

/** The task has ended, of itself or by a defect. */
export type Ended<Task> = (task: Task, defect?: { readonly error: unknown }) => void

const noSupply: LaneSupply = { canRefill: () => false, refill: () => undefined }

/** Tasks started in one turn of the event loop, and the time they may take, before timers and sockets get their turn. */
const tasksPerTurn = 1024
const turnMs = 10
const timeCheckMask = 15

/**
 * Runs tasks of one key in order and tasks of different keys side by side, up to a limit. Groups with work take turns (some
 * tasks each when they are short), and within a group its keys take turns, so neither a busy group nor a busy key starves
 * another. Every step is O(1); a key without work leaves nothing behind.
 */
export class KeyedLanes<Task extends LaneTask<Task>> {
  readonly #parts: KeyedLanesParts<Task>
  readonly #readyGroups = new LinkedQueue<LaneGroup<Task>>()
  /** Running tasks that gave their place back and want one again. They come before what has not begun. */
  #returning: Returning<Task>[] = []
  #running = 0
  #pumping = false
  #turn: 'none' | 'open' | 'used-up' = 'none'
  #turns = 0
  #turnTasks = 0
  #turnStartedAt = 0

  constructor(parts: KeyedLanesParts<Task>) {
    this.#parts = parts
  }

  /** Tasks running now, without those that gave their place back. */
  get running(): number {
    return this.#running
  }

  /** A task may begin that might not before. */
  wake(): void {
    this.#openTurn()
  }

  /** A set of lanes of its own: equal keys of two groups never share a lane. */
  group(supply: LaneSupply = noSupply): LaneGroup<Task> {
    return new LaneGroup<Task>(supply, {
      ready: (group, turn) => this.#groupReady(group, turn),
      giveBack: (task) => this.#giveBack(task),
      take: (group, task) => this.#take(group, task),
      drop: (group) => this.#drop(group),
    })
  }

  #giveBack(task: Task): void {
    if (!task.hasPlace) return
    task.hasPlace = false
    this.#running -= 1
    this.#openTurn()
  }

  /** Resolves to true with a place, to false when the group was closed. */
  #take(group: LaneGroup<Task>, task: Task): Promise<boolean> {
    return new Promise((resolve) => {
      this.#returning.push({ group, task, resolve })
      this.#openTurn()
    })
  }

  #drop(group: LaneGroup<Task>): void {
    const dropped = this.#returning.filter((one) => one.group === group)
    if (dropped.length === 0) return
    this.#returning = this.#returning.filter((one) => one.group !== group)
    for (const { resolve } of dropped) resolve(false)
  }

  #letReturn({ task, resolve }: Returning<Task>): void {
    task.hasPlace = true
    this.#running += 1
    resolve(true)
  }

  #groupReady(group: LaneGroup<Task>, turn: 'next' | 'last'): void {
    if (turn === 'next') this.#readyGroups.unshift(group)
    else this.#readyGroups.push(group)
    if (!this.#pumping) this.#openTurn()
  }

  #openTurn(): void {
    if (this.#turn !== 'none') return
    this.#turn = 'open'
    this.#resetTurn()
    this.#parts.clock.defer(this.#onTurn)
  }

  readonly #onTurn = (): void => {
    this.#turn = 'none'
    this.#turns += 1
    this.#resetTurn()
    this.#pump()
  }

  #resetTurn(): void {
    this.#turnTasks = 0
    this.#turnStartedAt = this.#parts.clock.now()
  }

  #pump(): void {
    // A task that ends synchronously, or calls back into the lanes, is seen by the loop that runs already.
    if (this.#pumping || this.#turn === 'used-up') return
    this.#pumping = true
    while (this.#running < this.#parts.concurrency) {
      const returning = this.#returning.shift()
      if (returning !== undefined) {
        this.#letReturn(returning)
        continue
      }
      if (this.#parts.mayBegin?.() === false) break
      const group = this.#readyGroups.shift()
      if (group === null) break
      const lane = group.takeLane()
      if (lane !== null) this.#start(lane)
      if (this.#turnUsedUp()) break
    }
    this.#pumping = false
  }

  #turnUsedUp(): boolean {
    this.#turnTasks += 1
    const tired =
      this.#turnTasks >= tasksPerTurn ||
      ((this.#turnTasks & timeCheckMask) === 0 && this.#parts.clock.now() - this.#turnStartedAt > turnMs)
    if (!tired) return false
    // The next turn is ordered before this one is marked, else nothing would ever lift the mark.
    this.#openTurn()
    this.#turn = 'used-up'
    return true
  }

  #start(lane: KeyLane<Task>): void {
    const task = lane.take()
    lane.group.begin()
    this.#running += 1
    task.hasPlace = true
    task.lane = lane
    lane.startedIn = this.#turns
    let end: 'ended' | 'later' = 'ended'
    try {
      end = this.#parts.run(task, this.#ended)
    } catch (error) {
      this.#parts.onDefect(error)
    }
    if (end === 'ended') this.#release(task)
    // So that what takes longer does not seem to have ended in the turn in which it began.
    else this.#openTurn()
  }

  /** One function for all tasks: what it has to know stands in the task. */
  readonly #ended: Ended<Task> = (task, defect) => {
    if (defect !== undefined) this.#parts.onDefect(defect.error)
    this.#release(task)
    this.#openTurn()
    this.#pump()
  }

  #release(task: Task): void {
    const lane = task.lane as KeyLane<Task>
    task.lane = null
    if (task.hasPlace) this.#running -= 1
    lane.group.end(lane, task.hasPlace, lane.startedIn === this.#turns)
  }
}

interface Returning<Task extends LaneTask<Task>> {
  readonly group: LaneGroup<Task>
  readonly task: Task
  readonly resolve: (hasPlace: boolean) => void
}
