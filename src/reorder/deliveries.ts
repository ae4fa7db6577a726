import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import { Work } from '../consumer/partition/work.js'
import type { Message } from '../message/message.js'
import type { ReceivedRecord } from '../message/record.js'
import type { OrderedRecord } from './ordered-record.js'

/**
 * A run of records of one partition as deliveries. In batches, a late record, or one that could not be decoded, stands alone.
 *
 * @param works the same records, each as a delivery
 * @param most messages of one delivery; `null` delivers one message at a time
 */
export function deliveriesOf(
  run: readonly InTurn[],
  works: readonly Work[],
  partition: OwnedPartition,
  most: number | null,
): readonly Work[] {
  if (most === null) {
    for (let at = 0; at < works.length; at += 1) (works[at] as Work).inOrder = run[at] as InTurn
    return works
  }
  const deliveries: Work[] = []
  let from = 0
  const endAt = (to: number) => {
    if (to > from) deliveries.push(together(run.slice(from, to), works.slice(from, to), partition))
    from = to
  }
  for (let at = 0; at < works.length; at += 1) {
    const standsAlone = (works[at] as Work).failure !== null || (run[at] as InTurn).lateByMs !== null
    if (standsAlone || at - from >= most) endAt(at)
    if (standsAlone) endAt(at + 1)
  }
  endAt(works.length)
  return deliveries
}

type InTurn = OrderedRecord<unknown>

function together(run: readonly InTurn[], works: readonly Work[], partition: OwnedPartition): Work {
  const work = new Work(
    partition,
    works.map(({ tickets }) => tickets as number),
    works.map(({ messages }) => messages as Message),
    works.map(({ records }) => records as ReceivedRecord),
    works.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0),
    works[0]?.failure ?? null,
  )
  work.inOrder = run
  return work
}
