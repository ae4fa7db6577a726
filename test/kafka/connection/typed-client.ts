import type { KafkaConfig } from 'kafkajs'
import type { Connection, Lane, Node } from '../../../src/connection/connection.js'
import type { AnswerTo, Request } from '../../../src/connection/requests/apis.js'
import type { FetchedPartition, IsolationLevel } from '../../../src/connection/requests/fetch.js'
import type { Compression, ProduceBatch } from '../../../src/connection/requests/produce.js'
import { kafkajsConnections } from '../../../src/drivers/kafkajs/connections.js'
import type { KafkaCluster } from '../../support/kafka-cluster.js'
import { systemClock } from '../../../src/runtime/clock.js'

const LIMIT_MS = 30_000

/** Typed requests to a real broker, without anything of `protocol/`. */
export interface TypedClient {
  readonly connection: Connection
  ask<R extends Request>(request: R, lane?: Lane, node?: Node): Promise<AnswerTo<R>>
  produce(...batches: ProduceBatch[]): Promise<AnswerTo<Extract<Request, { api: 'produce' }>>>
  fetch(
    topic: string,
    fetchOffset: number,
    isolation?: IsolationLevel,
    topicId?: string | null,
  ): Promise<FetchedPartition>
}

/** Of a cluster with one node, which is number 1. */
export async function typedClient(cluster: KafkaCluster, config: Partial<KafkaConfig> = {}): Promise<TypedClient> {
  const connection = kafkajsConnections({ brokers: [...cluster.brokers], ...config }).open('typed-client')
  const ask: TypedClient['ask'] = (request, lane = 'main', node = 1) =>
    connection.request(node, lane, request, systemClock.now() + LIMIT_MS)
  await ask({ api: 'metadata', topics: [] }, 'main', 'bootstrap')
  return {
    connection,
    ask,
    produce: (...batches) => ask({ api: 'produce', acks: -1, timeoutMs: 5_000, transactionalId: null, batches }),
    async fetch(topic, fetchOffset, isolation = 'read-committed', topicId = null) {
      const partition = {
        topic,
        topicId,
        partition: 0,
        currentLeaderEpoch: -1,
        fetchOffset,
        partitionMaxBytes: 1_000_000,
      }
      const limits = { maxWaitMs: 500, minBytes: 1, maxBytes: 10_000_000, isolation }
      const { partitions } = await ask({ api: 'fetch', ...limits, partitions: [partition] }, 'fetch')
      return partitions[0]!
    },
  }
}

/** Asks again while the broker says that something is not there yet: without more said, its coordinator. */
export async function untilReady<Answer extends { errorCode: number }>(
  ask: () => Promise<Answer>,
  notYet: readonly number[] = [14, 15, 16],
): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    const answer = await ask()
    if (!notYet.includes(answer.errorCode) || attempt === 100) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

export const builtIn: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
