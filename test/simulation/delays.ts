import type { MemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import type { StoredBatch } from '../../src/drivers/memory/log/stored-batch.js'
import { tdHeader } from '../../src/message/headers.js'
import { headerText } from '../../src/message/origin.js'
import { partitionKey, type TopicPartition } from '../../src/message/topic-partition.js'
import type { ReceivedRecord } from '../../src/message/record.js'
import { delayText } from '../../src/retry/delays.js'
import type { Random } from '../../src/runtime/random.js'
import { delayTopicName } from '../../src/topic/delay-topic-name.js'
import type { Coverage } from './coverage.js'
import type { Report } from './invariant.js'
import { between, chance, type Plan } from './plan.js'
import { readable } from './stored-log.js'

/** What failed in place is put on delay topics. */
export interface DelayPlan {
  readonly delaysMs: readonly [number, number]
  /** Whether what follows in a key waits with it. */
  readonly order: 'key' | 'none'
}

/** Not with what takes records away, moves their keys, sends readers elsewhere, or stops partitions at what failed. */
export function delayPlanOf(random: Random, plan: Plan): Plan {
  const firstMs = between(random, 100, 2_000)
  const delaysMs = [firstMs, firstMs + between(random, 100, 3_000)] as const
  const order = chance(random, 0.8) ? 'key' : 'none'
  const isOrdered = plan.order === 'key' || plan.order === 'partition'
  const mayWait = plan.handling === 'each' && plan.reorder === null && isOrdered
  if (!chance(random, 0.4) || !mayWait || plan.groups.some(({ name }) => name === null)) return plan
  const { disturbances } = plan.nemesis
  const borne = disturbances.filter((one) => !['add-partitions', 'compact', 'set-clock'].includes(one))
  return {
    ...plan,
    delays: { delaysMs, order },
    failing: 'dead-letter',
    // In the end nothing is left but what fails, so somebody is given up in doubt.
    decideAfterMs: Math.min(plan.decideAfterMs, 400),
    breaker: false,
    afterwards: 'continue',
    poison: 0.05,
    // A partition that is paused, or sought, is one of several by which a record comes.
    seeks: false,
    pauses: false,
    hooks: false,
    retention: false,
    uncleanElections: false,
    doomedTopic: null,
    remadeTopic: null,
    nemesis: { ...plan.nemesis, disturbances: borne.length === 0 ? ['lose-answer', 'kick-member'] : borne },
  }
}

/** The delay topics of a topic and a group. */
export function delayTopicsOf({ delays }: Plan, topic: string, group: string): readonly string[] {
  return (delays?.delaysMs ?? []).map((ms) => delayTopicName(topic, group, delayText(ms)))
}

interface DecodedLog {
  readonly length: number
  readonly last: StoredBatch | undefined
  readonly records: readonly ReceivedRecord[]
}

/** What stands in the delay topics of one group, and what follows from it. */
export class DelayTopics {
  readonly #sources = new Map<string, string>()
  /** What was decoded of a log, and of which: one that was cut and has grown again may have as many batches. */
  readonly #logs = new Map<string, DecodedLog>()

  constructor(
    private readonly group: string,
    private readonly plan: Plan,
    private readonly cluster: MemoryCluster,
    private readonly coverage: Coverage,
    private readonly report: Report,
  ) {
    for (const { name } of plan.topics)
      for (const delayed of delayTopicsOf(plan, name, group)) this.#sources.set(delayed, name)
  }

  get isOn(): boolean {
    return this.#sources.size > 0
  }

  get topics(): readonly string[] {
    return [...this.#sources.keys()]
  }

  /** The topic whose records stand there, or the topic itself. */
  sourceOf(topic: string): string {
    return this.#sources.get(topic) ?? topic
  }

  isDelayTopic(topic: string): boolean {
    return this.#sources.has(topic)
  }

  /** Is the record of that place on a delay topic? */
  isPutOff({ topic, partition }: TopicPartition, offset: number, text: string): boolean {
    return delayTopicsOf(this.plan, topic, this.group).some((delayed) =>
      this.#log({ topic: delayed, partition }).some(
        ({ headers, value }) =>
          headerText(headers, tdHeader.retryOffset) === String(offset) && value?.toString() === text,
      ),
    )
  }

  /** @param isEnded was it handled, or is it a dead letter? */
  begins(
    place: TopicPartition,
    offset: number,
    key: Buffer | null,
    isEnded: (place: TopicPartition, offset: number, text: string) => boolean,
  ): void {
    if (this.plan.delays?.order !== 'key' || key === null) return
    for (const record of this.#log(place)) {
      if (record.offset >= offset) return
      if (record.key?.equals(key) !== true || isEnded(place, record.offset, record.value?.toString() ?? '')) continue
      const what = `${this.group} handles ${place.topic}-${place.partition}@${offset} before ${record.offset} is done`
      this.report('a key keeps its order while some of it waits', what)
      return
    }
  }

  countEnd(): void {
    for (const topic of this.topics) {
      for (let partition = 0; partition < this.cluster.partitionCount(topic); partition += 1) {
        for (const { headers } of this.#log({ topic, partition })) {
          if (headerText(headers, tdHeader.retryId) === undefined && this.plan.delays?.order === 'key') continue
          const hasFailed = headerText(headers, tdHeader.attempt) !== undefined
          this.coverage.met(hasFailed ? 'record put off' : 'record put off behind another of its key')
        }
      }
    }
  }

  #log({ topic, partition }: TopicPartition): readonly ReceivedRecord[] {
    const key = partitionKey(topic, partition)
    const known = this.#logs.get(key)
    const batches = this.cluster.batches(topic, partition)
    const { length } = batches
    const last = batches.at(-1)
    if (known?.length === length && known.last === last) return known.records
    const records = readable(this.cluster, topic, partition, this.plan.isolation)
    this.#logs.set(key, { length, last, records })
    return records
  }
}
