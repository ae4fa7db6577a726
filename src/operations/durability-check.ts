import { DriverError, TidemarkError } from '../errors.js'
import type { ClientEvent } from '../telemetry/events.js'
import type { Telemetry } from '../telemetry/guard.js'
import { tell } from '../telemetry/tell.js'
import { shortfalls, shortfallText, untold, type BrokerNeeds, type Shortfall } from './durability.js'
import { mendingCommand } from './mend.js'
import { lookAtTopics, unknownTopic, type ClusterView, type TopicView, type View } from './topic-view.js'
import type { Visits } from './visits.js'

/** What a profile asks of the topics that it is used with. */
export interface DurabilitySetting {
  /** Its name. */
  readonly profile: string
  readonly needs: BrokerNeeds
  readonly durability: 'refuse' | 'warn'
}

/** Longest that anybody waits for the cluster to tell how a topic is kept. */
export const lookMs = 2_000

/**
 * Looks, once, whether the cluster keeps topics as the promise needs it (`durability.ts` says what that is):
 *
 * | what was seen of a topic                      | written, 'refuse' | written, 'warn' | read      |
 * |-----------------------------------------------|-------------------|-----------------|-----------|
 * | nothing falls short                           | go on             | go on           | go on     |
 * | something does, and no record is in danger     | a warning         | a warning       | a warning |
 * | something does, and what is acknowledged may be lost | refused    | a warning       | a warning |
 * | no answer in time, or it may not be looked at   | a warning         | a warning       | a warning |
 * | that there is one broker                       | a warning         | a warning       | a warning |
 *
 * A topic that was let through is not looked at again, so nothing that runs is refused; one that was refused is, when it is
 * asked for again, as it may have been mended. Each warning is told once.
 */
export class DurabilityCheck {
  readonly #visits: Visits
  readonly #telemetry: Telemetry
  readonly #passed = new Set<string>()
  readonly #told = new Set<string>()

  constructor(visits: Visits, telemetry: Telemetry) {
    this.#visits = visits
    this.#telemetry = telemetry
  }

  /** @throws DriverError `not-durable`, which names all topics that fall short and what mends them */
  async written(setting: DurabilitySetting, topics: readonly string[], withinMs = lookMs): Promise<void> {
    const open = topics.filter((topic) => !this.#passed.has(passOf(setting, topic)))
    if (open.length > 0) this.judge(setting, await this.#look(open, Math.min(withinMs, lookMs)))
  }

  /** Never rejects. A topic that does not exist yet is no matter of this check. */
  async read(setting: DurabilitySetting, topics: readonly string[]): Promise<void> {
    const view = await this.#look(topics, lookMs)
    const unseen = view.unseen.filter(({ error }) => !(error instanceof TidemarkError && error.code === unknownTopic))
    this.judge({ ...setting, durability: 'warn' }, { ...view, unseen })
  }

  /** As `written`, of topics that were looked at. */
  judge(setting: DurabilitySetting, { cluster, topics, unseen }: View): void {
    const refused: Verdict[] = []
    for (const verdict of topics.map((topic) => verdictOn(topic, cluster, setting.needs))) {
      if (setting.durability === 'refuse' && verdict.found.some(({ grave }) => grave)) refused.push(verdict)
      else this.#letThrough(setting, verdict)
    }
    for (const { topic, error } of unseen) {
      this.#unverified(topic, error)
      this.#passed.add(passOf(setting, topic))
    }
    if (cluster.brokers.length === 1) this.#tellOnce('single-broker', { kind: 'single-broker' })
    if (refused.length > 0) throw notDurable(setting.profile, refused)
  }

  #look(topics: readonly string[], withinMs: number): Promise<View> {
    const deadline = this.#visits.now() + withinMs
    return this.#visits.visit((questions) => lookAtTopics(questions, topics, deadline))
  }

  #letThrough(setting: DurabilitySetting, { topic, found, command, untold }: Verdict): void {
    this.#passed.add(passOf(setting, topic))
    if (found.length > 0) {
      const problems = found.map(shortfallText)
      this.#tellOnce(`short ${topic}`, { kind: 'not-durable', topic, problems, command })
    }
    if (untold !== null) this.#unverified(topic, new DriverError('not-told', `the broker does not tell ${untold}`))
  }

  #unverified(topic: string, error: unknown): void {
    // At a close nobody waits for the answer any more.
    if (this.#visits.signal.aborted) return
    this.#tellOnce(`unseen ${topic}`, { kind: 'durability-unverified', topic, error })
  }

  #tellOnce(what: string, event: ClientEvent): void {
    if (this.#told.has(what)) return
    this.#told.add(what)
    tell(this.#telemetry, event)
  }
}

interface Verdict {
  readonly topic: string
  readonly found: readonly Shortfall[]
  readonly command: string | null
  readonly untold: string | null
}

function verdictOn(topic: TopicView, cluster: ClusterView, needs: BrokerNeeds): Verdict {
  const fewest = Math.min(...topic.replicas.map((replicas) => replicas.length))
  const found = shortfalls(fewest, cluster.brokers.length, topic.configs, needs)
  return { topic: topic.name, found, command: mendingCommand(topic, cluster, found, needs), untold: untold(topic) }
}

function passOf({ durability }: DurabilitySetting, topic: string): string {
  return `${durability} ${topic}`
}

function notDurable(profile: string, refused: readonly Verdict[]): DriverError {
  const lines = refused.map(({ topic, found, command }) => {
    const mend = command === null ? 'mend it with kafka-reassign-partitions.sh' : `mend it with: ${command}`
    return `  ${topic}: ${found.map(shortfallText).join('; ')}; ${mend}`
  })
  const [first] = refused
  return new DriverError(
    'not-durable',
    `profile ${profile}: ${refused.length} topic(s) are not kept as it promises\n${lines.join('\n')}\n` +
      `  or go on without the promise: durability: 'warn' (TIDEMARK_DURABILITY=warn)`,
    { topic: first?.topic },
  )
}
