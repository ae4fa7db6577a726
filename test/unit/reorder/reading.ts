import {
  defineTopic,
  string,
  type HandlerContext,
  type Message,
  type MessagingConsumerOptions,
  type TidemarkError,
} from 'tidemark'
import { boundedOutOfOrderness, type EventOrder, type ReorderOptions } from 'tidemark/event-time'
import type { MemoryCluster } from 'tidemark/memory'
import type { Simulation } from 'tidemark/testing'
import { noHeaders, type Header } from '../../../src/message/record.js'
import { logged, open, simulated } from '../consumer/simulated.js'

const t = defineTopic({ name: 't', value: string() })
/** A day of today: times of its records count from here. */
export const day = 1_767_225_600_000

/** Values name their partition and time; `times` count from `day`, in the order of the log. */
export function putTimes(
  cluster: MemoryCluster,
  partition: number,
  times: readonly number[],
  headers: readonly Header[] = noHeaders,
): void {
  const records = times.map((time) => ({
    key: null,
    value: Buffer.from(`${partition}@${time}`),
    headers,
    timestamp: day + time,
  }))
  cluster.appendTransaction('t', partition, records, 'commit')
}

export interface Handled {
  readonly value: string
  readonly order: EventOrder
}

interface Options {
  readonly reorder?: Partial<ReorderOptions>
  /** Any other option of a consumer. */
  readonly [option: string]: unknown
}

/** A consumer in event-time order in a process of its own, with what it handled. */
export async function inOrder(simulation: Simulation, name: string, options: Options = {}) {
  const process = simulation.process(name)
  const { logger, lines, loud } = logged()
  const messaging = open(process, { logger })
  const handled: Handled[] = []
  const stopped: TidemarkError[] = []
  const failed: TidemarkError[] = []
  const { reorder, ...rest } = options
  const each = (message: Message<string>, context: HandlerContext) => {
    handled.push({ value: message.value, order: context.order as EventOrder })
  }
  const hasHandling = 'handle' in rest || 'handleBatch' in rest || 'loop' in rest
  const consumer = messaging.consumer({
    group: 'g',
    topics: [t],
    sessionTimeoutMs: 6_000,
    onPartitionStopped: (_: unknown, error: TidemarkError) => void stopped.push(error),
    onFailed: (error: TidemarkError) => void failed.push(error),
    ...(hasHandling ? {} : { handle: each }),
    ...rest,
    reorder: { watermark: boundedOutOfOrderness(100), ...reorder },
  } as unknown as MessagingConsumerOptions<readonly (typeof t)[]>)
  await consumer.start()
  const values = () => handled.map(({ value }) => value)
  return { process, messaging, consumer, handled, values, stopped, failed, lines, loud }
}

/** Of values as `putTimes` writes them. */
export function inTimeOrder(values: readonly string[]): string[] {
  const timeOf = (value: string) => Number(value.split('@')[1])
  const partitionOf = (value: string) => Number(value.split('@')[0])
  return [...values].sort((one, other) => timeOf(one) - timeOf(other) || partitionOf(one) - partitionOf(other))
}

/** A simulation with topic `t` of so many partitions, and these times in them. */
export const over = (
  partitions: readonly (readonly number[])[],
  scenario: (simulation: Simulation) => Promise<void>,
): Promise<void> =>
  simulated(async (simulation) => {
    simulation.cluster.createTopic('t', { partitions: partitions.length })
    for (const [partition, times] of partitions.entries()) {
      if (times.length > 0) putTimes(simulation.cluster, partition, times)
    }
    await scenario(simulation)
  })

export const lateOf = ({ handled }: Awaited<ReturnType<typeof inOrder>>) =>
  handled.filter(({ order }) => order.late !== null).map(({ value }) => value)

export const upTo = (count: number, everyMs: number, from = 0) =>
  Array.from({ length: count }, (_, index) => from + index * everyMs)
