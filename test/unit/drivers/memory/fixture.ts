import type { Lane, Node } from '../../../../src/connection/connection.js'
import type { AnswerTo, Request } from '../../../../src/connection/requests/apis.js'
import type { FetchedPartition, FetchRequest } from '../../../../src/connection/requests/fetch.js'
import type { JoinGroupRequest } from '../../../../src/connection/requests/groups.js'
import type { OffsetCommitRequest } from '../../../../src/connection/requests/offsets.js'
import type { ProduceBatch, ProducedPartition, ProduceRequest } from '../../../../src/connection/requests/produce.js'
import { createMemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import type { MemoryClusterOptions } from '../../../../src/drivers/memory/memory-options.js'
import { heldRecords, noHeaders, type OutgoingRecord } from '../../../../src/message/record.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'

/** A cluster under a virtual clock with one client that knows all brokers. */
export async function setUp(options: MemoryClusterOptions = {}) {
  const clock = virtualClock()
  const cluster = createMemoryCluster({ runtime: { clock, random: seededRandom(1) }, ...options })
  const connect = async (owner: string) => {
    const connection = cluster.connectionFactory().open(owner)
    const send = <R extends Request>(node: Node, request: R, lane: Lane = 'main', timeoutMs = 600_000) => {
      const answer = connection.request(node, lane, request, clock.now() + timeoutMs)
      answer.catch(() => undefined)
      return answer as Promise<AnswerTo<R>>
    }
    const ask = <R extends Request>(node: Node, request: R, lane: Lane = 'main', timeoutMs = 600_000) =>
      clock.runUntil(send(node, request, lane, timeoutMs))
    await ask('bootstrap', { api: 'metadata', topics: [] })
    return { connection, send, ask }
  }
  const client = await connect('test')
  const leader = (topic: string, partition = 0) => cluster.partitionFacts(topic, partition).leader
  const produce = async (batch: GivenBatch, request: Partial<ProduceRequest> = {}): Promise<ProducedPartition> => {
    const sent = produceRequest([produceBatch(batch)], request)
    const answer = await client.ask(leader(batch.topic, batch.partition), sent)
    return answer.partitions[0]!
  }
  const fetch = async (
    topic: string,
    fetchOffset: number,
    request: Partial<FetchRequest> = {},
  ): Promise<FetchedPartition> => {
    const answer = await client.ask(leader(topic), fetchRequest(topic, fetchOffset, request), 'fetch')
    return answer.partitions[0]!
  }
  return { clock, cluster, connect, ...client, leader, produce, fetch }
}

export function record(value: string, rest: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { key: null, value: Buffer.from(value), headers: noHeaders, timestamp: 1, ...rest }
}

export function records(...values: readonly string[]): readonly OutgoingRecord[] {
  return values.map((value) => record(value))
}

type GivenBatch = Partial<Omit<ProduceBatch, 'records'>> & {
  readonly topic: string
  readonly records?: readonly OutgoingRecord[]
}

export function produceBatch({ records: given = records('x'), ...batch }: GivenBatch): ProduceBatch {
  return {
    partition: 0,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    isTransactional: false,
    compression: 'none',
    records: heldRecords(given),
    ...batch,
  }
}

export function produceRequest(
  batches: readonly ProduceBatch[],
  request: Partial<ProduceRequest> = {},
): ProduceRequest {
  return { api: 'produce', acks: -1, timeoutMs: 1_000, transactionalId: null, batches, ...request }
}

export function fetchRequest(topic: string, fetchOffset: number, request: Partial<FetchRequest> = {}): FetchRequest {
  return {
    api: 'fetch',
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1_000_000,
    isolation: 'read-uncommitted',
    partitions: [
      { topic, topicId: null, partition: 0, currentLeaderEpoch: -1, fetchOffset, partitionMaxBytes: 1_000_000 },
    ],
    ...request,
  }
}

export function joinRequest(request: Partial<JoinGroupRequest> = {}): JoinGroupRequest {
  const subscription = { version: 1, topics: ['t'], userData: null, ownedPartitions: [] }
  return {
    api: 'joinGroup',
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 30_000,
    memberId: '',
    groupInstanceId: null,
    protocols: [{ name: 'range', subscription }],
    ...request,
  }
}

export function commitRequest(offset: number, request: Partial<OffsetCommitRequest> = {}): OffsetCommitRequest {
  return {
    api: 'offsetCommit',
    groupId: 'g',
    generationId: -1,
    memberId: '',
    groupInstanceId: null,
    partitions: [{ topic: 't', topicId: null, partition: 0, offset, leaderEpoch: -1, metadata: '' }],
    ...request,
  }
}

export function valuesOf(fetched: FetchedPartition): readonly string[] {
  return fetched.batches.flatMap((batch) => batch.decode().map((each) => String(each.value)))
}
