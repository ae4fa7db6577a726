import type { Consumer } from '../consumer/consumer.js'
import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { withMethods } from '../input/option-rules.js'
import type { Messaging } from '../messaging.js'
import { tellListener } from '../telemetry/guard.js'
import { defineTopic } from '../topic/define-topic.js'
import type { Topic } from '../topic/topic.js'
import type { Degradation } from './degradation.js'
import { leftOf } from './level-in-force.js'
import { aControlTopic, noticeSerde, type LevelNotice } from './level-notice.js'
import { isMessaging } from './messaging-rule.js'

/**
 * A topic over which levels travel to all processes; `ensureTopics` makes it. One partition, so that all see them in one
 * order; what is old says nothing, so little is kept. Who may write to it decides what is handled.
 *
 * @throws ConfigError when it is no name of a topic
 */
export function controlTopic(name: string): Topic<LevelNotice> {
  const configs = { 'cleanup.policy': 'delete', 'retention.ms': '3600000' }
  return defineTopic({ name, value: noticeSerde, key: () => 'level', partitions: 1, configs })
}

const aDegradation = withMethods('what degradation returned', ['take'])

/**
 * Reads levels from a control topic into a degradation, in a consumer without a group: every process reads all. Start it,
 * and stop it, as any other. What was told before the start is not read; whoever tells levels tells them again.
 *
 * | comes                                  | then |
 * |----------------------------------------|------|
 * | a level that holds still               | is taken, or not, as its epoch says |
 * | one that is over already               | nothing; told once, until one comes that is not |
 * | what is no level                       | nothing; told in the same way |
 * | nothing any more, as the topic is gone | the level ends by itself; a topic that is made anew is followed |
 *
 * How old a level is say the clock of who told it and ours: where they differ by more than it lasts, none is taken.
 *
 * @throws ConfigError with every problem
 */
export function followLevels(
  messaging: Messaging,
  topic: Topic<LevelNotice>,
  degradation: Pick<Degradation, 'take'>,
): Consumer {
  const given = [
    { path: 'messaging', value: messaging, rule: isMessaging },
    { path: 'topic', value: topic, rule: aControlTopic },
    { path: 'degradation', value: degradation, rule: aDegradation },
  ]
  const issues = given
    .filter(({ value, rule }) => !rule.accepts(value))
    .map(({ path, value, rule }) => ({ path, message: came(value), fix: `give ${rule.expected}` }))
  if (issues.length > 0) throw new ConfigError('followLevels', issues)
  let isWrong = false
  const { clock, telemetry } = messaging
  return messaging.consumer({
    // What is lost is told again, and no part of a transaction.
    profile: 'ap',
    group: null,
    topics: [topic],
    from: 'latest',
    onOutOfRange: 'latest',
    handle: ({ value, timestamp }) => {
      const ageMs = clock.wallTime() - timestamp
      const wasWrong = isWrong
      isWrong = leftOf(value, ageMs) <= 0
      // A handler that throws is tried again, and meanwhile nobody hears of other levels.
      if (!isWrong) tellListener('take', () => degradation.take(value, ageMs), telemetry)
      else if (!wasWrong) {
        const fields = { topic: topic.name, ageMs, lastsMs: value.lastsMs }
        if (value.lastsMs === 0) telemetry.logger.warn(fields, 'what came over the control topic is no level')
        else telemetry.logger.warn(fields, overAlready)
      }
    },
  })
}

const overAlready =
  'a level was over when it came; unless this process was cut off for so long, its clock and that of the watcher disagree'
