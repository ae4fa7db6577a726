import { Kafka, logLevel, type Admin } from 'kafkajs'
import { parseCommitMetadata } from '../../src/offsets/commit-metadata.js'
import { completedRangesSection, parseCompletedRanges } from '../../src/offsets/completed-ranges.js'
import { identitySectionName } from '../../src/offsets/log-identity.js'
import type { OffsetRange } from '../../src/offsets/offset-range.js'
import { delay } from '../support/waiting.js'
import { monotonicMs } from './member-log.js'

/** What the group had committed at some moment. */
export interface Sample {
  /** When the answer was here: it was committed before. */
  readonly at: number
  /** By partition; absent where nothing is committed. */
  readonly offsets: ReadonlyMap<number, SampledCommit>
}

export interface SampledCommit {
  readonly offset: number
  readonly completed: readonly OffsetRange[]
  /** It says which log it counts in. The former version does not, and what it lists as completed is not believed. */
  readonly isMarked: boolean
}

const everyMs = 200
const answerWithinMs = 3_000

/** Reads a group's commits all the time, with a client that shares nothing with the one under test. */
export class CommitSampler {
  readonly samples: Sample[] = []
  #admin: Admin | null = null
  #stopped = false
  #running: Promise<void> = Promise.resolve()

  constructor(
    private readonly brokers: readonly string[],
    private readonly group: string,
    private readonly topic: string,
  ) {}

  start(): void {
    this.#running = this.#run()
  }

  get last(): Sample | undefined {
    return this.samples.at(-1)
  }

  /** With one more sample, taken now. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
    await this.#close()
  }

  async endOffsets(): Promise<number[]> {
    const offsets = await (await this.#open()).fetchTopicOffsets(this.topic)
    const ends: number[] = []
    for (const { partition, high } of offsets) ends[partition] = Number(high)
    return ends
  }

  async #run(): Promise<void> {
    for (let isLast = false; !isLast;) {
      isLast = this.#stopped
      await this.#sample().catch(() => this.#close())
      if (!isLast) await delay(everyMs)
    }
  }

  async #sample(): Promise<void> {
    const admin = await this.#open()
    const question = admin.fetchOffsets({ groupId: this.group, topics: [this.topic] })
    const answer = await Promise.race([question, delay(answerWithinMs).then(() => null)])
    if (answer === null) {
      question.catch(() => undefined)
      throw new Error('no answer in time')
    }
    const at = monotonicMs()
    const offsets = new Map<number, SampledCommit>()
    for (const { partition, offset: text, metadata } of answer[0]?.partitions ?? []) {
      const offset = Number(text)
      const sections = parseCommitMetadata(metadata)
      const completed = parseCompletedRanges(sections.get(completedRangesSection), offset)
      if (offset >= 0) offsets.set(partition, { offset, completed, isMarked: sections.has(identitySectionName) })
    }
    this.samples.push({ at, offsets })
  }

  async #open(): Promise<Admin> {
    if (this.#admin !== null) return this.#admin
    const kafka = new Kafka({
      brokers: [...this.brokers],
      logLevel: logLevel.NOTHING,
      requestTimeout: 2_000,
      connectionTimeout: 1_000,
      retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 300 },
    })
    const admin = kafka.admin()
    await admin.connect()
    this.#admin = admin
    return admin
  }

  async #close(): Promise<void> {
    const admin = this.#admin
    this.#admin = null
    if (admin === null) return
    await Promise.race([admin.disconnect().catch(() => undefined), delay(1_000)])
  }
}
