import type { Failed, Rung } from '../consumer/handling/ladder.js'
import type { DelayTopicsParts, DelayTopicsRun } from '../consumer/options/delay-topics.js'
import type { Delivery } from '../consumer/partition/delivery.js'
import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import { split, type Settlement } from '../consumer/partition/settlement.js'
import type { Work } from '../consumer/partition/work.js'
import { DelayStage } from './delay-stage.js'
import { targetOf, writeDelayed } from './put-off.js'
import type { RetryLaterSettings } from './settings.js'

/** The partition goes on, its keys too. */
export class Unordered implements DelayTopicsRun {
  readonly #settings: RetryLaterSettings
  readonly #parts: DelayTopicsParts

  constructor(settings: RetryLaterSettings, parts: DelayTopicsParts) {
    this.#settings = settings
    this.#parts = parts
  }

  readonly rung: Rung = (failed) => {
    const { work } = failed
    if (failed.class === 'fatal') return 'not-mine'
    const target = targetOf(this.#settings.levels, failed, false)
    if (target === null) return 'not-mine'
    if (work.count > 1) return split
    const written = writeDelayed({ ...this.#settings, ...this.#parts }, work, target, failed, null)
    return written.then((end) => (end === 'too-large' ? 'not-mine' : end))
  }

  takes(failed: Failed): boolean {
    return targetOf(this.#settings.levels, failed, false) !== null
  }

  stage({ topic }: OwnedPartition): DelayStage | null {
    const { index } = this.#settings.levels.of(topic)
    return index < 0 ? null : new DelayStage(this.#parts.runtime.clock, null)
  }

  sourceOf({ topic, partition }: OwnedPartition): OwnedPartition | undefined {
    const { source, index } = this.#settings.levels.of(topic)
    return index < 0 ? undefined : this.#parts.partition(source.name, partition)
  }

  around(delivery: Delivery): Delivery {
    return delivery
  }

  taken(_partition: OwnedPartition): void {
    // Nothing of it has to be known.
  }

  ended(_work: Work, _end: Settlement): void {
    // Nothing waits for it.
  }
}
