import { tell } from '../telemetry/tell.js'
import type { Telemetry } from '../telemetry/guard.js'
import { namesOf } from '../topic/topic-lookup.js'
import type { ConsumerConfig } from './consumer-config.js'
import type { LintedConsumer } from './lint-facts.js'
import { lint } from './lint.js'

/** Knows the settings of what a messaging has made, and tells of those that do not go together. */
export class SettingsLint {
  readonly closeTimeoutMs: number
  readonly #telemetry: Telemetry
  readonly #consumers = new Map<object, LintedConsumer>()
  readonly #told = new Set<string>()

  constructor(closeTimeoutMs: number, telemetry: Telemetry) {
    this.closeTimeoutMs = closeTimeoutMs
    this.#telemetry = telemetry
  }

  get consumers(): readonly LintedConsumer[] {
    return [...this.#consumers.values()]
  }

  add(consumer: object, config: ConsumerConfig): void {
    this.#consumers.set(consumer, lintedOf(config))
  }

  remove(consumer: object): void {
    this.#consumers.delete(consumer)
  }

  /**
   * At its start: what its settings alone tell is an event, once. It asks nobody: what brokers refuse they say themselves, and
   * topics that records go to are looked at in their own way. Never throws.
   */
  starting(consumer: object): void {
    const linted = this.#consumers.get(consumer)
    if (linted === undefined) return
    const { closeTimeoutMs } = this
    const facts = { closeTimeoutMs, graceMs: null, consumers: this.consumers, topics: new Map(), broker: new Map() }
    for (const finding of lint(facts)) {
      if (finding.subject !== linted.subject) continue
      const once = `${finding.code} ${finding.subject} ${finding.reason}`
      if (this.#told.has(once)) continue
      this.#told.add(once)
      tell(this.#telemetry, { kind: 'settings-conflict', ...finding })
    }
  }
}

function lintedOf({ options, transaction, retryLater, deadLetter }: ConsumerConfig): LintedConsumer {
  const { group } = options
  const levels = retryLater?.levels
  return {
    subject: group === null ? 'consumer' : `consumer "${group}"`,
    group,
    membership: group === null ? null : options,
    topics: namesOf(options.topics),
    transactionTimeoutMs: transaction?.timeoutMs ?? null,
    delayTopics: (levels?.topics ?? []).flatMap((topic) => {
      const place = levels?.of(topic)
      const delayMs = place?.levels[place.index]?.delayMs
      return place === undefined || delayMs === undefined ? [] : [{ topic, source: place.source.name, delayMs }]
    }),
    deadLetter: deadLetter?.topic ?? null,
  }
}
