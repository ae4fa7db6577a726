import { brokerCode, brokerError } from '../../connection/broker-error.js'
import { DriverError } from '../../errors.js'
import { exponential } from '../../runtime/backoff.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Cluster } from '../cluster/cluster.js'
import { judgeTopicCode } from '../cluster/codes.js'

/**
 * How long brokers may go on to deny a topic before it counts as missing. A topic that was created a moment ago is not
 * yet known to every broker; one that is misspelt should not keep a sender waiting for its whole deadline.
 */
const denialMs = 2_000
const betweenAsks = exponential({ initialMs: 100, maxMs: 1_000 })

/**
 * Asks for a topic until it has partitions. What gets no answer in time is asked for in the background, so that a caller
 * who waits for less than an answer takes finds the topic known the next time.
 *
 * @returns its partition count.
 * @throws DriverError `unknown-topic` when two answers at least `denialMs` apart, or the last one before `deadline`,
 * deny it; the broker's error when it may not be seen; what the metadata request fails with when no broker answers.
 */
export async function loadTopic(
  cluster: Cluster,
  { clock, random }: Runtime,
  name: string,
  deadline: number,
  closed: AbortSignal,
): Promise<number> {
  let deniedSince: number | null = null
  for (let attempt = 1; ; attempt += 1) {
    const unanswered = await cluster.refresh([name], deadline).then(
      () => null,
      (failure: unknown) => ({ failure }),
    )
    const topic = cluster.topic(name)
    const errorCode = topic?.errorCode ?? brokerCode.UNKNOWN_TOPIC_OR_PARTITION
    const verdict = judgeTopicCode(errorCode)
    if (topic !== undefined && verdict === 'known' && topic.partitions.length > 0) return topic.partitions.length
    if (unanswered !== null) {
      cluster.noteStale(name)
      throw unanswered.failure
    }

    if (verdict === 'impossible' || verdict === 'forbidden') {
      throw brokerError(errorCode, `asking for topic ${name}`, { topic: name })
    }
    const denied = verdict === 'denied'
    const now = clock.now()
    deniedSince = denied ? (deniedSince ?? now) : null
    if (deniedSince !== null && now - deniedSince >= denialMs) throw unknownTopic(name)

    const pauseMs = betweenAsks(attempt, random)
    if (now + pauseMs >= deadline) {
      throw denied
        ? unknownTopic(name)
        : brokerError(errorCode, `asking for topic ${name}`, { topic: name, retriable: true })
    }
    await clock.sleep(pauseMs, closed)
  }
}

function unknownTopic(name: string): DriverError {
  return new DriverError(
    'unknown-topic',
    `topic ${name} does not exist; create it with ensureTopics, or correct its name`,
    { topic: name, brokerCode: brokerCode.UNKNOWN_TOPIC_OR_PARTITION },
  )
}
