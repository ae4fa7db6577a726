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

/**
 * Asks for the ends of partitions until they are told: those of one hand-over together, and each alone when that fails, so
 * that one without a leader delays no other.
 */
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
    const asked = this.#questions
    this.#questions = []
    if (await this.#isTold(asked)) return
    for (const question of asked) void this.#askAlone(question) // never rejects
  }

  async #askAlone(question: Question): Promise<void> {
    const { clock, random } = this.#runtime
    for (let attempt = 1; !(await this.#isTold([question])); attempt += 1) {
      await pause(clock, backoff(attempt, random), question.partition.signal)
    }
  }

  /** Or none of them is ours any more. */
  async #isTold(asked: readonly Question[]): Promise<boolean> {
    const open = asked.filter(({ partition }) => !partition.isGone)
    if (open.length === 0) return true
    const places = open.map(({ partition: { topic, partition } }) => ({ topic, partition }))
    const ends = await this.#endsOf(places).catch(() => null) // asked again
    if (ends === null) return false
    for (const [index, { partition, onEnd }] of open.entries()) {
      const end = ends[index]
      if (end !== undefined && !partition.isGone) onEnd(end)
    }
    return true
  }
}
