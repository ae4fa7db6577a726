import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { missingOptions, optionIssues, wholeNumber, withMethods, type Rules } from '../input/option-rules.js'
import type { LagMonitor } from '../lag/lag-monitor.js'
import type { Messaging } from '../messaging.js'
import type { Producer } from '../producer/producer.js'
import type { Clock } from '../runtime/clock.js'
import type { Topic } from '../topic/topic.js'
import { Ladder, ladderRules, type LadderOptions, type Level } from './ladder.js'
import { aControlTopic, longestMs, type LevelNotice } from './level-notice.js'
import { isMessaging } from './messaging-rule.js'

/** Options of `levelWatcher`. */
export interface LevelWatcherOptions extends LadderOptions {
  /** Whose looks decide; its first group counts. */
  readonly monitor: Pick<LagMonitor, 'look'>
  /** Where levels are told: what `controlTopic` returned. */
  readonly topic: Topic<LevelNotice>
  /** How long a level holds when this watcher dies, ms: several looks, 1,000 to 600,000. Default 60,000. */
  readonly lastsMs?: number | undefined
}

const rules: Rules<LevelWatcherOptions> = {
  ...ladderRules,
  monitor: withMethods('what lagMonitor returned', ['look']),
  topic: aControlTopic,
  lastsMs: wholeNumber(1_000, longestMs),
}

/**
 * Looks at the lag of a group and tells its level to all who follow. One call of `look` is one look; call it every 10 s or
 * so.
 *
 * | a look                                   | the ladder     | is told |
 * |------------------------------------------|----------------|---------|
 * | saw all partitions                       | goes by the lag | its level |
 * | saw some                                 | stays          | its level |
 * | saw some, as all for 10 min before       | stays          | nothing, so the level ends by itself |
 * | failed: the cluster cannot be asked      | stays          | nothing, so the level ends by itself |
 * | comes while another is under way         |                | that one is its own |
 *
 * A level that could not be told is told by the next look. A watcher that begins begins at level 0, and of two the one that
 * began later is heeded; when that one is silent for `lastsMs`, the other is again.
 */
export class LevelWatcher {
  readonly #options: LevelWatcherOptions
  readonly #clock: Clock
  readonly #producer: Producer
  readonly #ladder: Ladder
  readonly #epoch: number
  #looking: Promise<Level> | null = null
  /** When all was seen last, by `clock.now()`. */
  #sawAllAt: number

  /** @internal */
  constructor(messaging: Messaging, options: LevelWatcherOptions) {
    const { raiseAt, raiseAfter, clearShare, clearAfter } = options
    this.#options = options
    this.#clock = messaging.clock
    this.#sawAllAt = messaging.clock.now()
    this.#producer = producerOf(messaging)
    this.#ladder = new Ladder({ raiseAt, raiseAfter, clearShare, clearAfter })
    // Two that begin in one millisecond are told apart, else both would be heeded in turns.
    this.#epoch = messaging.clock.wallTime() + messaging.random.next()
  }

  /**
   * Looks at the lag once, and tells everybody who follows the level that comes of it.
   *
   * @returns the level of the ladder
   * @throws DriverError, SendError when the cluster cannot be asked, or told in time; call it again
   * @throws ConfigError when the monitor watches no group
   */
  look(): Promise<Level> {
    // Of a look that is slower than the pace of its calls each would count.
    this.#looking ??= this.#look().finally(() => (this.#looking = null))
    return this.#looking
  }

  async #look(): Promise<Level> {
    const { topic, lastsMs = 60_000 } = this.#options
    const lag = await this.#lag()
    const level = this.#ladder.look(lag)
    const now = this.#clock.now()
    if (lag !== null) this.#sawAllAt = now
    // Who cannot see an end of it does not hold a level for good.
    if (now - this.#sawAllAt > longestMs) return level
    // What is stored later would be over.
    await this.#producer.send(topic, { level, epoch: this.#epoch, lastsMs }, { timeoutMs: lastsMs })
    return level
  }

  /** `null`: not all of it was seen. */
  async #lag(): Promise<number | null> {
    try {
      const [seen] = await this.#options.monitor.look()
      if (seen === undefined) throw noGroup()
      return seen.unseen.length > 0 ? null : seen.lag
    } catch (error) {
      this.#ladder.look(null)
      throw error
    }
  }
}

/**
 * Tells all processes at which level they are to work, by what a lag monitor sees; each `look()` decides anew.
 *
 * @throws ConfigError with every problem of the options
 */
export function levelWatcher(messaging: Messaging, options: LevelWatcherOptions): LevelWatcher {
  const issues = optionIssues(options, rules)
  if (!isMessaging.accepts(messaging)) {
    issues.push({ path: 'messaging', message: came(messaging), fix: `give ${isMessaging.expected}` })
  }
  issues.push(...missingOptions(options, rules, ['monitor', 'topic']))
  if (issues.length > 0) throw new ConfigError('levelWatcher', issues)
  return new LevelWatcher(messaging, options)
}

/** One for all watchers of a messaging: they have no end of their own, and it ends with that. */
const producers = new WeakMap<Messaging, Producer>()

function producerOf(messaging: Messaging): Producer {
  let producer = producers.get(messaging)
  // What is lost is told again, and no part of a transaction.
  if (producer === undefined) producers.set(messaging, (producer = messaging.producer({ profile: 'ap' })))
  return producer
}

function noGroup(): ConfigError {
  const fix = 'give lagMonitor the group whose lag decides'
  return new ConfigError('levelWatcher', [{ path: 'monitor', message: 'watches no group', fix }])
}
