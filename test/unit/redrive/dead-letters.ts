import { createMessaging, type Messaging } from 'tidemark'
import type { MemoryCluster, StoredRecord } from 'tidemark/memory'
import { redrive, type RedriveOptions } from 'tidemark/redrive'
import { simulate, type SimulatedProcess, type Simulation } from 'tidemark/testing'
import { textHeader } from '../../../src/message/headers.js'
import type { Header, OutgoingRecord } from '../../../src/message/record.js'

export const dlq = 'orders.dlq'
export const options: RedriveOptions = { from: dlq, allow: ['orders'], group: 'redrive-1' }

export interface LetterToPut {
  readonly key?: string | null
  readonly value?: string | null
  readonly headers?: readonly Header[]
  readonly timestamp?: number
}

/** One run of one seed in virtual time, with an origin and a dead-letter topic. */
export async function world(scenario: (simulation: Simulation) => Promise<void>, seed = 1): Promise<void> {
  await simulate(seed, async (simulation) => {
    simulation.cluster.createTopic('orders', { partitions: 2 })
    simulation.cluster.createTopic(dlq, { partitions: 2 })
    await scenario(simulation)
  })
}

export function messagingOf({ driver }: SimulatedProcess): Messaging {
  return createMessaging({ driver, durability: 'off', logger: 'silent' })
}

/** Redrives in a process of its own. */
export async function redriven(simulation: Simulation, more: Partial<RedriveOptions> = {}, name = 'redrive') {
  const messaging = messagingOf(simulation.process(name))
  try {
    return await redrive(messaging, { ...options, ...more })
  } finally {
    await messaging.close()
  }
}

export function headers(texts: Readonly<Record<string, string>>): readonly Header[] {
  return Object.entries(texts).map(([name, text]) => textHeader(name, text))
}

/** As a consumer of this library writes them. */
export function failedAt(offset: number, more: Readonly<Record<string, string>> = {}): readonly Header[] {
  return headers({
    'td-origin-topic': 'orders',
    'td-origin-partition': '0',
    'td-origin-offset': String(offset),
    'td-origin-timestamp': '2026-01-02T00:00:00.000Z',
    'td-reason': 'exhausted',
    'td-attempt': '4',
    'td-group': 'billing',
    'td-error-class': 'TypeError',
    'td-error-message': 'x is undefined',
    'td-error-stack': 'at line 1',
    'td-first-failed-at': '2026-01-02T00:00:01.000Z',
    'td-last-failed-at': '2026-01-02T00:00:02.000Z',
    ...more,
  })
}

export function put(
  cluster: MemoryCluster,
  letters: readonly LetterToPut[],
  { topic = dlq, partition = 0, outcome = 'commit' as 'commit' | 'abort' } = {},
): void {
  const records = letters.map(({ key = 'k', value = 'v', headers: given = [], timestamp = 0 }): OutgoingRecord => {
    const bytes = (text: string | null) => (text === null ? null : Buffer.from(text))
    return { key: bytes(key), value: bytes(value), headers: given, timestamp }
  })
  cluster.appendTransaction(topic, partition, records, outcome)
}

/** All of a topic, by partition. */
export function stored(cluster: MemoryCluster, topic = 'orders'): readonly StoredRecord[] {
  const partitions = Array.from({ length: cluster.partitionCount(topic) }, (_, partition) => partition)
  return partitions.flatMap((partition) => cluster.records(topic, partition))
}

export function values(records: readonly StoredRecord[]): readonly (string | undefined)[] {
  return records.map(({ value }) => value?.toString())
}

export function textsOf({ headers: pairs }: StoredRecord): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(pairs.map(([name, value]) => [name, value?.toString()]))
}
