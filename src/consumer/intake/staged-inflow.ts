import type { FetchedRecords } from '../../driver/consumer.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import type { Clock, Timer } from '../../runtime/clock.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Work } from '../partition/work.js'
import { Batches } from './batches.js'
import type { Inflow, Supply } from './inflow.js'
import type { Stage } from './stage.js'

export interface StagedInflowParts {
  /** Delivers one message at a time. */
  readonly inflow: Inflow
  readonly stage: Stage
  readonly clock: Clock
}

/**
 * An inflow whose records pass a stage. A record is taken up into the stage, kept there, and handed out when the stage
 * says so; batches are formed behind it.
 *
 * | the stage              | what follows |
 * |------------------------|--------------|
 * | has room               | takes up what waits, as far as there is room |
 * | is full                | takes up nothing, and fetching rests, until it has let something go |
 * | keeps everything back  | a timer asks it again when it said |
 * | met bytes that are no records | they are met again when it is empty: what was good before is handled first |
 */
export class StagedInflow implements Supply {
  readonly #partition: OwnedPartition
  readonly #batchMessages: number | null
  readonly #inflow: Inflow
  readonly #stage: Stage
  readonly #clock: Clock
  #staged = 0
  #input: 'sound' | 'unreadable' = 'sound'
  #timer: Timer | null = null

  /** @param batchMessages most messages of one delivery; `null` delivers one message at a time */
  constructor(partition: OwnedPartition, batchMessages: number | null, { inflow, stage, clock }: StagedInflowParts) {
    this.#partition = partition
    this.#batchMessages = batchMessages
    this.#inflow = inflow
    this.#stage = stage
    this.#clock = clock
  }

  get heldRecords(): number {
    return this.#inflow.heldRecords
  }

  get heldBytes(): number {
    return this.#inflow.heldBytes
  }

  get takenBytes(): number {
    return this.#inflow.takenBytes
  }

  get keepsBackUntil(): number | null {
    const isAllStaged = this.#staged > 0 && this.#staged === this.#inflow.unsettledRecords && !this.#hasRoomForMore
    return isAllStaged ? this.#stage.nextAt() : null
  }

  get canTake(): boolean {
    const dueAt = this.#stage.nextAt()
    return this.#hasRoomForMore || (dueAt !== null && dueAt <= this.#clock.now())
  }

  push(fetched: FetchedRecords): void {
    this.#inflow.push(fetched)
  }

  endWith(error: Error): void {
    this.#inflow.endWith(error)
  }

  take(): readonly Work[] {
    if (this.#hasRoomForMore) this.#takeUp()
    const ready = this.#stage.ready(this.#clock.now())
    this.#staged -= ready.length
    this.#bound()
    this.#arm()
    return this.#batchMessages === null ? ready : inBatches(ready, this.#partition, this.#batchMessages)
  }

  settled(records: number, bytes: number): void {
    this.#inflow.settled(records, bytes)
  }

  get waitsInOrder(): boolean {
    return false
  }

  orderSnapshot(): null {
    return null
  }

  close(): void {
    // Its lanes begin nothing any more.
  }

  drop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#stage.drop()
    this.#staged = 0
    this.#inflow.drop()
  }

  get #hasRoomForMore(): boolean {
    if (!this.#inflow.canTake) return false
    return this.#input === 'sound' ? this.#staged < this.#stage.mostRecords : this.#staged === 0
  }

  #takeUp(): void {
    let singles: readonly Work[]
    try {
      singles = this.#inflow.take()
    } catch (error) {
      this.#input = 'unreadable'
      if (this.#staged === 0) throw error
      return
    }
    for (const work of singles) this.#stage.push(work)
    this.#staged += singles.length
  }

  #bound(): void {
    const { gate } = this.#partition
    const isFull = this.#staged >= this.#stage.mostRecords
    if (isFull === gate.isClosedBy('stage-full')) return
    if (isFull) gate.close('stage-full')
    else gate.lift('stage-full')
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timer = null
    const at = this.#stage.nextAt()
    if (at === null) return
    this.#timer = this.#clock.setTimer(Math.max(0, at - this.#clock.now()), () => this.#partition.lanes.supplied())
  }
}

function inBatches(singles: readonly Work[], partition: OwnedPartition, most: number): readonly Work[] {
  const deliveries: Work[] = []
  let batch = new Batches(partition, most)
  for (const { tickets, messages, records, sizeBytes, failure } of singles) {
    const [ticket, message, record] = [tickets as number, messages as Message, records as ReceivedRecord]
    if (failure === null) batch.add(ticket, message, record, sizeBytes)
    else batch.addFailed(ticket, message, record, sizeBytes, failure)
    if (!batch.isFull) continue
    deliveries.push(...batch.end())
    batch = new Batches(partition, most)
  }
  deliveries.push(...batch.end())
  return deliveries
}
