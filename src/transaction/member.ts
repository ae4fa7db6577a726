import type { CommittedPartition } from '../connection/requests/offsets.js'
import type { DriverTransactions } from '../driver/transactions.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { Producer } from '../producer/producer.js'

export interface MemberTransactionsSettings {
  readonly group: string
  readonly groupInstanceId: string | null
  /** A transaction that has something is ended after so long, so many records, or so many bytes that it sent. */
  readonly everyMs: number
  readonly everyMessages: number
  readonly maxBytes: number
  /** The brokers abort it after so long. */
  readonly timeoutMs: number
}

/** The producer of one consumer, and its transactions. */
export interface TransactionalMember {
  readonly producer: Producer
  readonly transactions: DriverTransactions
  /** Opens a transaction unless one is open. */
  begin(deadline: number): Promise<void>
  /** The one that was open has ended. */
  ended(): void
  /** What the group has of these now, once no open transaction holds offsets of theirs. */
  committed(partitions: readonly TopicPartition[]): Promise<readonly CommittedPartition[]>
}
