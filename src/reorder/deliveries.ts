import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import { Work } from '../consumer/partition/work.js'
import type { Message } from '../message/message.js'
import type { ReceivedRecord } from '../message/record.js'
import type { OrderedRecord } from './ordered-record.js'

/**
 * A run of records of one partition as deliveries. In batches, a late record, or one that could not be decoded, stands alone.
 *
 * @param most messages of one delivery; `null` delivers one message at a time
 */
export function deliveriesOf(
  run: readonly OrderedRecord<Work>[],
  partition: OwnedPartition,
  most: number | null,
): readonly Work[] {
  if (most === null) return run.map(single)
  const deliveries: Work[] = []
  let batch: OrderedRecord<Work>[] = []
  const end = () => {
    if (batch.length > 0) deliveries.push(together(batch, partition))
    batch = []
  }
  for (const record of run) {
    const { failure } = record.value
    const standsAlone = failure !== null || record.lateByMs !== null
    if (standsAlone || batch.length >= most) end()
    if (failure !== null) deliveries.push(together([record], partition))
    else batch.push(record)
    if (standsAlone) end()
  }
  end()
  return deliveries
}

function single(record: OrderedRecord<Work>): Work {
  record.value.inOrder = record
  return record.value
}

function together(batch: readonly OrderedRecord<Work>[], partition: OwnedPartition): Work {
  const works = batch.map(({ value }) => value)
  const work = new Work(
    partition,
    works.map(({ tickets }) => tickets as number),
    works.map(({ messages }) => messages as Message),
    works.map(({ records }) => records as ReceivedRecord),
    works.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0),
    works[0]?.failure ?? null,
  )
  work.inOrder = batch
  return work
}
