import {
  recalledCode,
  type BatchOutcome,
  type DriverProducer,
  type OutgoingBatch,
} from '../../../src/driver/producer.js'
import { DriverError } from '../../../src/errors.js'
import {
  producerOptionsSchema,
  type ProducerOptions,
  type ResolvedProducerOptions,
} from '../../../src/producer/producer-options.js'
import { Producer } from '../../../src/producer/producer.js'
import { seededRandom } from '../../../src/runtime/random.js'
import type { Serde } from '../../../src/serde/serde.js'
import { virtualClock, type VirtualClock } from '../../../src/testing/time/virtual-clock.js'
import type { Partitioner } from '../../../src/topic/partitioner.js'
import type { Topic } from '../../../src/topic/topic.js'
import { CountingMetrics } from './counting-metrics.js'

/** A batch that the producer handed over and that waits for the test's word. */
interface HandedOver {
  readonly batch: OutgoingBatch
  readonly values: readonly string[]
  readonly at: number
  readonly deadline: number
  end(outcome: BatchOutcome): void
  store(baseOffset: number | null, logAppendTime?: number): void
  fail(outcome: 'not-stored' | 'unknown', code?: string): void
}

/** A driver that keeps every batch until the test says what became of it. */
class ScriptedDriver implements DriverProducer {
  readonly handedOver: HandedOver[] = []
  partitions: number | undefined = 3
  /** What `loadTopic` waits for. */
  load: () => Promise<void> = () => Promise.resolve()
  loads = 0
  closed = false
  /** Whether a batch that is out has not been written, so that it can be recalled. */
  isUnwritten: (handed: HandedOver) => boolean = () => false
  readonly #loaded = new Set<string>()
  readonly #out = new Set<HandedOver>()
  readonly #clock: VirtualClock

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  connect(): Promise<void> {
    return Promise.resolve()
  }

  partitionCount(topic: string): number | undefined {
    return this.#loaded.has(topic) ? this.partitions : undefined
  }

  async loadTopic(topic: string): Promise<number> {
    this.loads += 1
    await this.load()
    this.#loaded.add(topic)
    return this.partitions ?? 0
  }

  produce(batch: OutgoingBatch, deadline: number): Promise<BatchOutcome> {
    return new Promise((resolve) => {
      const end = (outcome: BatchOutcome) => {
        this.#out.delete(handed)
        resolve(outcome)
      }
      const handed: HandedOver = {
        batch,
        values: batch.records.decode().map(({ value }) => String(value)),
        at: this.#clock.now(),
        deadline,
        end,
        store: (baseOffset, logAppendTime) =>
          end({ outcome: 'stored', baseOffset, logAppendTime: logAppendTime ?? null }),
        fail: (outcome, code = 'broken') =>
          end({ outcome, error: new DriverError(code, `${code} happened`, { retriable: true }) }),
      }
      this.#out.add(handed)
      this.handedOver.push(handed)
    })
  }

  out(): readonly HandedOver[] {
    return [...this.#out]
  }

  recall(batch: OutgoingBatch): boolean {
    const handed = [...this.#out].find((out) => out.batch === batch)
    if (handed === undefined || !this.isUnwritten(handed)) return false
    handed.fail('not-stored', recalledCode)
    return true
  }

  close(): Promise<void> {
    this.closed = true
    for (const handed of [...this.#out]) handed.fail('unknown', 'closed')
    return Promise.resolve()
  }

  get last(): HandedOver {
    const last = this.handedOver.at(-1)
    if (last === undefined) throw new Error('no batch was handed over')
    return last
  }

  /** Values in the order in which they were handed over. */
  valuesOf(partition: number): readonly string[] {
    return this.handedOver.flatMap(({ batch, values }) => (batch.partition === partition ? values : []))
  }
}

const text: Serde<string> = {
  name: 'text',
  encode: (value) => Buffer.from(value),
  decode: (bytes) => String(bytes),
}

/** `3:x` goes to partition 3. */
const byPrefix: Partitioner = {
  name: 'by-prefix',
  create:
    () =>
    ({ value }) =>
      Number(String(value).split(':')[0]),
}

export const topic: Topic<string> = {
  name: 't',
  value: text,
  keyOf: () => null,
  partitioner: byPrefix,
  partitions: 3,
  replicationFactor: 1,
  configs: {},
}

export interface Bench {
  readonly clock: VirtualClock
  readonly driver: ScriptedDriver
  readonly producer: Producer
  readonly metrics: CountingMetrics
  run(ms?: number): Promise<void>
}

export function resolve(options: ProducerOptions): ResolvedProducerOptions {
  return producerOptionsSchema.parse(options)
}

/** A producer over a scripted driver; topic `t` is not loaded yet. */
export function startUnloaded(options: ProducerOptions = {}): Bench {
  const clock = virtualClock({ start: 1_000_000 })
  const driver = new ScriptedDriver(clock)
  const metrics = new CountingMetrics()
  const runtime = { clock, random: seededRandom(1) }
  const producer = new Producer({ clientId: 'lab', driver, runtime, metrics, options: resolve(options) })
  return { clock, driver, producer, metrics, run: (ms = 0) => clock.advance(ms) }
}

/** The same with topic `t` loaded and nothing on its way. */
export async function start(options: ProducerOptions = {}): Promise<Bench> {
  const bench = startUnloaded(options)
  const first = bench.producer.send(topic, '0:warm-up')
  await bench.run(options.lingerMs ?? 0)
  bench.driver.last.store(0)
  await bench.clock.runUntil(first)
  bench.driver.handedOver.length = 0
  return bench
}
