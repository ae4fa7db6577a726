import type { Clock } from '../../runtime/clock.js'
import { KeyedLanes, type LaneGroup } from '../../runtime/keyed-lanes.js'
import type { Metrics } from '../../telemetry/metrics.js'
import type { Supply } from '../intake/inflow.js'
import type { BackPressure } from '../partition/back-pressure.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { WayIn } from '../partition/way-in.js'
import type { Delivery, Settlement, Work } from '../partition/work.js'
import type { Committer } from '../settling/committer.js'

export type Order = 'partition' | 'key' | 'none'

export interface DispatchOptions {
  readonly order: Order
  /** Most deliveries at the same time. */
  readonly concurrency: number
  readonly supplyOf: (partition: OwnedPartition) => Supply
  readonly delivery: Delivery
  readonly committer: Committer
  readonly backPressure: BackPressure
  readonly metrics: Metrics
  readonly clock: Clock
  /** A record failed and has nowhere to go. */
  readonly stopPartition: (partition: OwnedPartition, error: Error) => void
  readonly onDefect: (error: unknown) => void
}

/** Gives deliveries to their lanes and settles what comes back. */
export class Dispatch {
  readonly #options: DispatchOptions
  readonly #lanes: KeyedLanes<Work>
  #late = 0

  constructor(options: DispatchOptions) {
    this.#options = options
    this.#lanes = new KeyedLanes<Work>({
      concurrency: options.concurrency,
      run: (work) => this.#run(work),
      onDefect: options.onDefect,
      clock: options.clock,
    })
  }

  /** Records whose handling ended after their partition was gone: refused. */
  get late(): number {
    return this.#late
  }

  get running(): number {
    return this.#lanes.running
  }

  /** Lanes that fill themselves from what comes in. */
  wayInOf(partition: OwnedPartition): WayIn {
    const { order, supplyOf } = this.#options
    const inflow = supplyOf(partition)
    const lanes: LaneGroup<Work> = this.#lanes.group({
      // What is in the only lane must end first: looking further ahead would only make objects that wait.
      canRefill: () => inflow.canTake && (order !== 'partition' || lanes.lanes === 0),
      refill: () => this.#refill(partition, inflow, lanes),
    })
    return { inflow, lanes }
  }

  #refill(partition: OwnedPartition, inflow: Supply, lanes: LaneGroup<Work>): void {
    const { order, backPressure, committer, stopPartition } = this.#options
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
    if (deliveries.length === 0) committer.moved(partition)
  }

  #run(work: Work): Promise<void> | undefined {
    work.start()
    const settlement = this.#options.delivery.deliver(work)
    if (settlement instanceof Promise) return this.#settleLater(work, settlement)
    if (settlement === 'split') return this.#runSplit(work)
    this.#settle(work, settlement)
    return undefined
  }

  async #settleLater(work: Work, pending: Promise<Settlement>): Promise<void> {
    const settlement = await pending
    if (settlement === 'split') await this.#runSplit(work)
    else this.#settle(work, settlement)
  }

  /** In the place of the batch, so nothing of its partition overtakes. */
  async #runSplit(work: Work): Promise<void> {
    const singles = work.split()
    for (const [index, single] of singles.entries()) {
      // Paused: it waits. Given up, sought elsewhere or stopped: the rest belongs to whoever reads it next.
      if (!(await work.partition.lanes.mayStart())) return
      const settlement = await this.#options.delivery.deliver(single)
      this.#settle(single, settlement)
      if (typeof settlement === 'object') {
        // The rest had its turn with the batch and gets none alone.
        work.partition.failed += singles.length - index - 1
        return
      }
    }
  }

  #settle(work: Work, settlement: Settlement): void {
    const { partition } = work
    if (partition.isGone || settlement === 'late') this.#countLate(work)
    else if (typeof settlement === 'object') this.#failed(work, settlement.stoppedBy)
    else this.#settled(work, settlement)
  }

  #failed({ partition, count }: Work, error: Error): void {
    partition.failed += count
    const labels = { topic: partition.topic, outcome: 'failed' }
    this.#options.metrics.count('tidemark_consumer_records_total', labels, count)
    this.#options.stopPartition(partition, error)
  }

  #settled(work: Work, settlement: Settlement): void {
    const { partition, count } = work
    const { backPressure, committer, metrics, clock } = this.#options
    work.settle()
    partition.lastProgressAt = clock.now()
    metrics.count('tidemark_consumer_records_total', labelsOf(partition, settlement), count)
    backPressure.shrunk(partition)
    committer.settled(partition, count)
  }

  #countLate({ partition, count }: Work): void {
    this.#late += count
    this.#options.metrics.count('tidemark_consumer_records_total', { topic: partition.topic, outcome: 'late' }, count)
  }
}

function laneKey(order: Order, work: Work): string | null {
  if (order === 'partition') return ''
  // One byte of the key is one character, so different keys are different lanes.
  return order === 'key' ? (work.firstRecord.key?.toString('latin1') ?? null) : null
}

function labelsOf({ labels }: OwnedPartition, settlement: Settlement) {
  if (settlement === 'handled') return labels.handled
  return settlement === 'dead-lettered' ? labels.deadLettered : labels.discarded
}
