import type { DecodeError } from '../../errors.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import type { Work } from '../partition/work.js'

/** Collects deliveries until there is enough. */
export interface Deliveries {
  readonly isFull: boolean
  readonly isEmpty: boolean
  add(ticket: number, message: Message, record: ReceivedRecord, recordBytes: number): void
  /** One whose value cannot be decoded: its bytes stand for it. */
  addFailed(ticket: number, raw: Message, record: ReceivedRecord, recordBytes: number, failure: DecodeError): void
  /** The records before and after are not neighbours. */
  gap(): void
  end(): readonly Work[]
}
