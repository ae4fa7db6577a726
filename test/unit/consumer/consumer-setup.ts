import type { z } from 'zod'
import { Consumer } from '../../../src/consumer/consumer.js'
import type { FailedRecord } from '../../../src/consumer/handling/failed-record.js'
import type { ConsumerDependencies } from '../../../src/consumer/options/consumer-dependencies.js'
import { consumerSchema } from '../../../src/consumer/options/consumer-schema.js'
import type { DrainReport } from '../../../src/telemetry/drain-report.js'
import type { TidemarkError } from '../../../src/errors.js'
import type { Message } from '../../../src/message/message.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { noMetrics } from '../../../src/telemetry/metrics.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import type { Topic } from '../../../src/topic/topic.js'
import { FakeDriver } from './fake-driver.js'

export function textTopic<const Name extends string>(name: Name): Topic<string, Name> {
  return {
    name,
    value: {
      name: 'text',
      encode: (value) => Buffer.from(value),
      decode(bytes) {
        const text = bytes?.toString() ?? ''
        if (text.startsWith('bad')) throw new Error('not text')
        return text
      },
    },
    keyOf: () => null,
    partitioner: { name: 'none', create: () => () => 0 },
    partitions: -1,
    replicationFactor: -1,
    configs: {},
  }
}

export type Options = Partial<z.input<typeof consumerSchema>>

export function setUp(options: Options = {}, dependencies: Partial<ConsumerDependencies> = {}) {
  const clock = virtualClock()
  const driver = new FakeDriver({ clock, random: seededRandom(1) })
  const drains: DrainReport[] = []
  const stopped: { topic: string; partition: number; error: TidemarkError }[] = []
  const failures: TidemarkError[] = []
  const hasHandling = options.handleBatch !== undefined || options.loop === true
  const handling: Options = hasHandling ? {} : { handle: () => undefined }
  const resolved = consumerSchema.parse({
    group: 'g',
    topics: [textTopic('t'), textTopic('u')],
    // What becomes of failures is told by the first one; retries have tests of their own.
    retry: false,
    onDrained: (report: DrainReport) => drains.push(report),
    onPartitionStopped: (place: { topic: string; partition: number }, error: TidemarkError) =>
      stopped.push({ ...place, error }),
    onFailed: (error: TidemarkError) => failures.push(error),
    ...handling,
    ...options,
  })
  const consumer = new Consumer(resolved, {
    driver,
    clientId: 'test',
    logger: silentLogger,
    metrics: noMetrics,
    stage: null,
    deadLetter: null,
    send: () => Promise.reject(new Error('not used')),
    offsetAt: () => Promise.reject(new Error('not used')),
    ...dependencies,
  })
  return { clock, driver, consumer, drains, stopped, failures }
}

/** A handler whose calls end when the test says so. */
export class ManualHandler {
  readonly started: Message[] = []
  readonly signals = new Map<number, AbortSignal>()
  readonly #ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()

  readonly handle = (message: Message, context: { readonly signal: AbortSignal }): Promise<void> => {
    this.started.push(message)
    this.signals.set(message.offset, context.signal)
    return new Promise((resolve, reject) => this.#ends.set(placeOf(message), { resolve, reject }))
  }

  offsets(topic = 't', partition = 0): number[] {
    return this.started.filter((one) => one.topic === topic && one.partition === partition).map(({ offset }) => offset)
  }

  end(offset: number, topic = 't', partition = 0): void {
    this.#ends.get(placeOf({ topic, partition, offset }))?.resolve()
  }

  fail(offset: number, error: Error, topic = 't', partition = 0): void {
    this.#ends.get(placeOf({ topic, partition, offset }))?.reject(error)
  }
}

function placeOf({ topic, partition, offset }: { topic: string; partition: number; offset: number }): string {
  return `${topic}-${partition}@${offset}`
}

/** A dead-letter route that notes what it was given and fails as often as told. */
export function routeFailing(times: number) {
  const given: FailedRecord[] = []
  const acknowledged: FailedRecord[] = []
  let left = times
  const route = (failed: FailedRecord): Promise<void> => {
    given.push(failed)
    if (left-- > 0) return Promise.reject(new Error('no broker'))
    acknowledged.push(failed)
    return Promise.resolve()
  }
  return { route, given, acknowledged }
}

/** How the promise has ended by now. */
export function watched(promise: Promise<void>) {
  const seen: { end: 'open' | 'resolved' | TidemarkError } = { end: 'open' }
  promise.then(
    () => (seen.end = 'resolved'),
    (error: TidemarkError) => (seen.end = error),
  )
  return seen
}
