import type { ValueIssue } from '../../serde/serde-error.js'
import type { Logger } from '../../telemetry/logger.js'
import type { Metrics } from '../../telemetry/metrics.js'

/** Counts the values that a serde read otherwise than they were written, and warns once for each topic. */
export class ChangedValues {
  readonly #logger: Logger
  readonly #metrics: Metrics
  readonly #listeners = new Map<string, (issue: ValueIssue) => void>()

  constructor(logger: Logger, metrics: Metrics) {
    this.#logger = logger
    this.#metrics = metrics
  }

  /** Told for each such value of the topic; the same function every time, since it goes along with every record. */
  of(topic: string): (issue: ValueIssue) => void {
    let listener = this.#listeners.get(topic)
    if (listener === undefined) this.#listeners.set(topic, (listener = this.#listenerFor(topic)))
    return listener
  }

  #listenerFor(topic: string): (issue: ValueIssue) => void {
    let told = false
    return ({ path, message }) => {
      this.#metrics.count('tidemark_consumer_changed_values_total', { topic })
      if (told) return
      told = true
      this.#logger.warn({ topic, path, problem: message }, 'a value is not read as it was written; told once per topic')
    }
  }
}
