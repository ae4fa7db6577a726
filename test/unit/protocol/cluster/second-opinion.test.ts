import { describe, expect, it } from 'vitest'
import type { Connection, Node } from '../../../../src/connection/connection.js'
import { RequestError, type RequestFailure } from '../../../../src/connection/request-error.js'
import { createMemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { Cluster } from '../../../../src/protocol/cluster/cluster.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { noMetrics } from '../../../../src/telemetry/metrics.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'

/** Three brokers, of which those in the set turn this client away. */
async function world() {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(11) }
  const memory = createMemoryCluster({ brokers: 3, runtime })
  memory.createTopic('a', { partitions: 1 })
  const inner = memory.connectionFactory().open('test')
  const closed = new Set<Node>()
  let failure: RequestFailure = 'turned-away'
  const connection: Connection = {
    request: (node, ...rest) =>
      closed.has(node)
        ? Promise.reject(new RequestError(failure, 'never', `broker ${node} refused the authentication`))
        : inner.request(node, ...rest),
    lastSign: (node, lane) => inner.lastSign(node, lane),
    close: () => inner.close(),
  }
  const cluster = new Cluster(connection, runtime, {
    logger: silentLogger,
    metrics: noMetrics,
    requestTimeoutMs: 5_000,
    metadataMaxAgeMs: 300_000,
  })
  await clock.runUntil(cluster.refresh(['a'], clock.now() + 5_000))
  const leader = cluster.partition('a', 0)?.leader as number
  const ask = async () => {
    const request = { api: 'listOffsets', isolation: 'read-uncommitted', partitions: [] } as const
    const asked = cluster.connection.request(leader, 'main', request, clock.now() + 5_000)
    return clock.runUntil(
      asked.then(
        () => 'answered' as const,
        (error: unknown) => (error as RequestError).failure,
      ),
    )
  }
  return { closed, leader, ask, cluster, failAs: (name: RequestFailure) => (failure = name) }
}

describe('a broker that turns a client away', () => {
  it('is tried again while another one takes it', async () => {
    const { closed, leader, ask, cluster } = await world()
    closed.add(leader)
    expect(await ask()).toBe('turned-away')
    closed.delete(leader)
    expect(await ask()).toBe('answered')
    await cluster.close()
  })

  it('speaks for the cluster when every other one does the same', async () => {
    const { closed, ask, cluster } = await world()
    for (const node of [0, 1, 2, 'bootstrap'] as const) closed.add(node)
    expect(await ask()).toBe('refused')
    closed.clear()
    expect(await ask(), 'nothing is remembered').toBe('answered')
    await cluster.close()
  })

  it('does not speak for brokers that only cannot be reached', async () => {
    const { closed, leader, ask, cluster, failAs } = await world()
    closed.add(leader)
    expect(await ask()).toBe('turned-away')
    for (const node of [0, 1, 2, 'bootstrap'] as const) closed.add(node)
    failAs('cannot-connect')
    expect(await ask()).toBe('cannot-connect')
    await cluster.close()
  })
})
