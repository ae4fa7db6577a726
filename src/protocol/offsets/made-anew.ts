import { DriverError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'

/** Code of the error of a partition that stops because its topic is another one now. */
const topicRecreated = 'topic-recreated'

/** @param position next offset to read in the former log. */
export function madeAnew({ topic, partition }: TopicPartition, position: number): DriverError {
  return new DriverError(
    topicRecreated,
    `topic ${topic} was deleted and made anew: what the former log of partition ${partition} had from offset ${position} on ` +
      "is gone unread, and nothing of the new log was read; seek to where reading should go on (0 for all of it), or set onOutOfRange to 'earliest'",
    { topic, partition, offset: position },
  )
}

/** Reading goes on: the new log from its beginning, whatever `onOutOfRange` says of records that are there. */
export function tellMadeAnew(telemetry: Telemetry, { topic, partition }: TopicPartition, position: number): void {
  tell(telemetry, { kind: 'topic-made-anew', topic, partition, position })
}
