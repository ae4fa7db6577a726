import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import type { TopicPartition } from '../message/topic-partition.js'
import { exponential } from '../runtime/backoff.js'
import { pause } from '../runtime/pause.js'
import type { Runtime } from '../runtime/runtime.js'

interface Question {
  readonly partition: OwnedPartition
  readonly onEnd: (end: number) => void
}

const backoff = exponential({ initialMs: 100, maxMs: 5_000 })

/** Asks for the ends of partitions until they are told, those of one hand-over together. */
export class Ends {
  readonly #endsOf: (partitions: readonly TopicPartition[]) => Promise<readonly number[]>
  readonly #runtime: Runtime
  #questions: Question[] = []

  constructor(endsOf: (partitions: readonly TopicPartition[]) => Promise<readonly number[]>, runtime: Runtime) {
    this.#endsOf = endsOf
    this.#runtime = runtime
  }

  ask(partition: OwnedPartition, onEnd: (end: number) => void): void {
    this.#questions.push({ partition, onEnd })
    if (this.#questions.length === 1) void Promise.resolve().then(() => this.#askAll()) // never rejects
  }

  async #askAll(): Promise<void> {
    let open = this.#questions
    this.#questions = []
    for (let attempt = 1; ; attempt += 1) {
      open = open.filter(({ partition }) => !partition.isGone)
      if (open.length === 0) return
      const ends = await this.#endsOf(open.map(({ partition: { topic, partition } }) => ({ topic, partition }))).catch(
        () => null, // asked again
      )
      if (ends !== null) {
        for (const [index, { partition, onEnd }] of open.entries()) {
          const end = ends[index]
          if (end !== undefined && !partition.isGone) onEnd(end)
        }
        return
      }
      await pause(this.#runtime.clock, backoff(attempt, this.#runtime.random), open[0]?.partition.signal)
    }
  }
}
