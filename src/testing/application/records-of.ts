import { optionProblem } from '../../input/option-rules.js'
import type { Messaging } from '../../messaging.js'
import type { Message } from '../../message/message.js'
import type { Topic } from '../../topic/topic.js'
import { idleMs, idleRules, requireMessaging, untilDone, type IdleOptions } from './until-idle.js'

/**
 * All records of a topic as they stand, decoded, by partition and offset. Nothing is committed.
 *
 * @throws DecodeError of a record that does not fit the topic's definition
 * @throws TimeoutError `not-idle` when the topic was not read to its end in time
 */
export async function recordsOf<Value, Name extends string>(
  messaging: Messaging,
  topic: Topic<Value, Name>,
  options: IdleOptions = {},
): Promise<readonly Message<Value, Name>[]> {
  requireMessaging('recordsOf', messaging)
  const problem = optionProblem('recordsOf', options, idleRules)
  if (problem !== null) throw problem
  const { timeoutMs = idleMs } = options
  const records: Message<Value, Name>[] = []
  const consumer = messaging.consumer({
    group: null,
    topics: [topic],
    from: 'earliest',
    handle: (message) => void records.push(message as Message<Value, Name>),
  })
  try {
    await consumer.start({ timeoutMs })
    await untilDone(
      messaging,
      () => [consumer.facts()],
      () => 0,
      timeoutMs,
    )
  } finally {
    await consumer.stop({ timeoutMs: 0, force: true })
  }
  return records.sort((one, other) => one.partition - other.partition || one.offset - other.offset)
}
