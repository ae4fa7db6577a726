import type { ConfigEntry } from '../log/topic-configs.js'

/** What a cluster has for groups that nobody gave settings of their own. */
export interface GroupDefaults {
  readonly consumerSessionTimeoutMs: number
  readonly consumerHeartbeatIntervalMs: number
}

const session = 'consumer.session.timeout.ms'
const heartbeat = 'consumer.heartbeat.interval.ms'

/** Between these, as brokers of Kafka have them, unless the cluster itself was made with less or more. */
const bounds: Readonly<Record<string, readonly [least: number, most: number]>> = {
  [session]: [45_000, 60_000],
  [heartbeat]: [5_000, 15_000],
}

/** The settings of groups of the `consumer` protocol: what was given, else what the cluster has for all. Also of groups that are not there. */
export class GroupConfigs {
  readonly #defaults: Readonly<Record<string, number>>
  readonly #given = new Map<string, ReadonlyMap<string, number>>()

  constructor({ consumerSessionTimeoutMs, consumerHeartbeatIntervalMs }: GroupDefaults) {
    this.#defaults = { [heartbeat]: consumerHeartbeatIntervalMs, [session]: consumerSessionTimeoutMs }
  }

  sessionTimeoutMs(group: string): number {
    return this.#of(group, session)
  }

  heartbeatIntervalMs(group: string): number {
    return this.#of(group, heartbeat)
  }

  entries(group: string): readonly ConfigEntry[] {
    const given = this.#given.get(group)
    return Object.keys(this.#defaults).map((name) => ({
      name,
      value: String(this.#of(group, name)),
      isDefault: given?.has(name) !== true,
    }))
  }

  /** What is wrong with these changes, `null` when they are made. @param changes `null` takes a setting back */
  change(
    group: string,
    changes: readonly { readonly name: string; readonly value: string | null }[],
    validateOnly: boolean,
  ): string | null {
    const next = new Map(this.#given.get(group))
    for (const { name, value } of changes) {
      const problem = this.#problem(name, value)
      if (problem !== null) return problem
      if (value === null) next.delete(name)
      else next.set(name, Number(value))
    }
    const of = (name: string) => next.get(name) ?? this.#defaults[name]!
    if (of(heartbeat) >= of(session)) return `${session} is to be more than ${heartbeat}`
    if (!validateOnly) this.#given.set(group, next)
    return null
  }

  #problem(name: string, value: string | null): string | null {
    const standard = this.#defaults[name]
    if (standard === undefined) return `no group setting is named ${name}`
    if (value === null) return null
    const [least, most] = bounds[name]!
    const [from, to] = [Math.min(least, standard), Math.max(most, standard)]
    const isWithin = /^\d+$/.test(value) && Number(value) >= from && Number(value) <= to
    return isWithin ? null : `${name} expects a number from ${from} to ${to}, got ${value}`
  }

  #of(group: string, name: string): number {
    return this.#given.get(group)?.get(name) ?? this.#defaults[name]!
  }
}
