import type { FetchedRecords } from '../../driver/consumer.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import { Backlog } from '../partition/backlog.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { PartitionInflow } from '../partition/way-in.js'
import type { Work } from '../partition/work.js'
import type { Intake, Received } from './intake.js'
import type { Preparation } from './preparation.js'

/** Where the next deliveries of a partition come from. */
export interface Supply extends PartitionInflow {
  /** Whether `take` may find something. Asked often: must be cheap. */
  readonly canTake: boolean
  /**
   * The next deliveries, in the order in which they are to be handled.
   *
   * @throws DriverError when the next bytes are no records; what `endWith` was given when nothing is held any more
   */
  take(): readonly Work[]
}

/** What comes in of one partition: counted from `push` until it is settled; it waits as bytes until it is taken up. */
export class Inflow implements Supply {
  readonly #partition: OwnedPartition
  readonly #intake: Intake
  readonly #preparation: Preparation
  #backlog = new Backlog()
  /** Taken up and not settled. */
  #unsettledRecords = 0
  #unsettledBytes = 0
  /** Why nothing more comes. */
  #end: Error | null = null

  constructor(partition: OwnedPartition, intake: Intake) {
    this.#partition = partition
    this.#intake = intake
    this.#preparation = intake.preparationOf(partition)
  }

  get heldRecords(): number {
    return this.#backlog.count + this.#unsettledRecords
  }

  get heldBytes(): number {
    return this.#backlog.sizeBytes + this.#unsettledBytes
  }

  get takenBytes(): number {
    return this.#unsettledBytes
  }

  get unsettledRecords(): number {
    return this.#unsettledRecords
  }

  /** Nothing is kept back without a stage. */
  get keepsBackUntil(): null {
    return null
  }

  get canTake(): boolean {
    if (!this.#backlog.isEmpty) return this.#preparation.isReady
    return this.#end !== null && this.#unsettledRecords === 0
  }

  /** Nothing that was fetched waits to be taken, nor for what it is decoded with. */
  get isTakenUp(): boolean {
    return this.#backlog.isEmpty
  }

  push(fetched: FetchedRecords): void {
    this.#backlog.push(fetched)
  }

  endWith(error: Error): void {
    this.#end ??= error
  }

  take(): readonly Work[] {
    if (this.#end !== null && this.#backlog.isEmpty) throw this.#end
    const deliveries = this.#intake.take(this.#partition, this.#backlog, this.#preparation)
    for (const work of deliveries) {
      this.#unsettledRecords += work.count
      this.#unsettledBytes += work.sizeBytes
    }
    return deliveries
  }

  /**
   * The next records as they are: `single` makes deliveries of them.
   *
   * @throws DriverError like `take`
   */
  receive(received: Received & { readonly count: number; readonly sizeBytes: number }): void {
    if (this.#end !== null && this.#backlog.isEmpty) throw this.#end
    this.#intake.receive(this.#partition, this.#backlog, this.#preparation, received)
    this.#unsettledRecords += received.count
    this.#unsettledBytes += received.sizeBytes
  }

  /** The message that `single` will give of it; `null` where it cannot be decoded. */
  messageOf(record: ReceivedRecord): Message | null {
    return this.#intake.messageOf(this.#partition, record)
  }

  /** One record that was received, as a delivery. */
  single(ticket: number, record: ReceivedRecord, recordBytes: number): Work {
    return this.#intake.single(this.#partition, ticket, record, recordBytes)
  }

  settled(records: number, bytes: number): void {
    this.#unsettledRecords -= records
    this.#unsettledBytes -= bytes
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
    this.#preparation.drop()
    this.#backlog = new Backlog()
  }
}
