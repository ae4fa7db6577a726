import { DecodeError, HandlerError } from '../../errors.js'
import { thrownName } from '../../runtime/thrown.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import { discarded, split } from '../partition/settlement.js'
import type { Work } from '../partition/work.js'
import { Discard } from './fate.js'
import type { Rung } from './ladder.js'

/** Drops what the handler said to drop. Of a batch only the record that it is about. */
export function discardRung(telemetry: Telemetry): Rung {
  return ({ work, error }) => {
    if (!(error instanceof Discard)) return 'not-mine'
    if (work.count > 1) return split
    const { partition, firstRecord } = work
    const place = { topic: partition.topic, partition: partition.partition, offset: firstRecord.offset }
    tell(telemetry, { kind: 'discarded', ...place, because: error.message })
    return discarded
  }
}

/** The last: nobody may pass the record over, so its partition stops at it, visibly. */
export const stopRung: Rung = ({ work, error, class: failureClass }) => {
  // One record of the batch is meant, and the others may succeed.
  if (work.count > 1 && failureClass === 'fatal') return split
  return { kind: 'stopped', by: stopError(work, error) }
}

function isUnseenSend(cause: unknown): boolean {
  return cause instanceof HandlerError && cause.code === 'send-failed'
}

function stopError({ partition, firstRecord, count }: Work, cause: unknown): Error {
  if (cause instanceof DecodeError) return cause
  const { topic, partition: number } = partition
  const { offset } = firstRecord
  const how = isUnseenSend(cause) ? 'a send of the handler failed unseen' : `the handler threw ${thrownName(cause)}`
  const what = count > 1 ? `a batch of ${count} records from offset ${offset}` : `offset ${offset}`
  return new HandlerError(
    'handler-failed',
    `${how} at ${topic}-${number}, ${what}, and there is no dead-letter topic, so the partition ` +
      'stops here; mend the handler, set deadLetter, or throw Discard to drop a record',
    { topic, partition: number, offset, cause },
  )
}
