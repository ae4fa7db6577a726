import type { Clock } from '../../runtime/clock.js'
import { KeyedLanes } from '../../runtime/keyed-lanes.js'
import type { LaneGroup } from '../../runtime/lane-group.js'
import type { Supply } from '../intake/inflow.js'
import type { BackPressure } from '../partition/back-pressure.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { WayIn } from '../partition/way-in.js'
import type { Work } from '../partition/work.js'
import type { Ledger } from '../settling/ledger.js'
import type { Settler } from './settler.js'

/** What is handled one after another. More may come. */
export type Order = 'partition' | 'key' | 'none'

export interface DispatchParts {
  readonly order: Order
  /** Most deliveries at the same time. */
  readonly concurrency: number
  /** Whether a delivery may begin; by default always. */
  readonly mayBegin: (() => boolean) | undefined
  readonly supplyOf: (partition: OwnedPartition) => Supply
  readonly settler: Settler
  readonly ledger: Ledger
  readonly backPressure: BackPressure
  readonly clock: Clock
  /** A record failed and has nowhere to go. */
  readonly stopPartition: (partition: OwnedPartition, error: Error) => void
  readonly onDefect: (error: unknown) => void
}

/** Gives deliveries to their lanes; from there the settler takes them. */
export class Dispatch {
  readonly #parts: DispatchParts
  readonly #lanes: KeyedLanes<Work>

  constructor(parts: DispatchParts) {
    this.#parts = parts
    this.#lanes = new KeyedLanes<Work>({
      concurrency: parts.concurrency,
      mayBegin: parts.mayBegin,
      run: (work, ended) => parts.settler.run(work, ended),
      onDefect: parts.onDefect,
      clock: parts.clock,
    })
  }

  get running(): number {
    return this.#lanes.running
  }

  /** A delivery may begin that might not before. */
  wake(): void {
    this.#lanes.wake()
  }

  /** Lanes that fill themselves from what comes in. */
  wayInOf(partition: OwnedPartition): WayIn {
    const { order, supplyOf, backPressure } = this.#parts
    const inflow = supplyOf(partition)
    const lanes: LaneGroup<Work> = this.#lanes.group({
      // What is in the only lane must end first: looking further ahead would only make objects that wait.
      canRefill: () =>
        order === 'partition'
          ? lanes.lanes === 0 && inflow.canTake
          : inflow.canTake && backPressure.mayTakeUp(partition),
      refill: () => this.#refill(partition, inflow, lanes),
    })
    return { inflow, lanes }
  }

  #refill(partition: OwnedPartition, inflow: Supply, lanes: LaneGroup<Work>): void {
    const { order, backPressure, ledger, stopPartition } = this.#parts
    let deliveries: readonly Work[]
    try {
      deliveries = inflow.take()
    } catch (error) {
      stopPartition(partition, error as Error)
      return
    }
    for (const work of deliveries) lanes.push(laneKey(order, work), work)
    // Records that were passed without a delivery free room, and so does an answer that counted more than it had.
    backPressure.shrunk(partition)
    backPressure.grown(partition)
    if (deliveries.length === 0) ledger.moved(partition)
  }
}

function laneKey(order: Order, work: Work): Uint8Array | null {
  if (order === 'partition') return oneForAll
  return order === 'key' ? work.firstRecord.key : null
}

const oneForAll = new Uint8Array()
