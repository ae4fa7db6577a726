import { createMemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import type { MemoryClusterOptions } from '../../src/drivers/memory/memory-options.js'
import { createProtocolDriver } from '../../src/protocol/driver.js'
import { seededRandom } from '../../src/runtime/random.js'
import type { ContractHost } from '../../src/testing/contract/contract-host.js'
import { CaseWorld, record } from '../../src/testing/contract/contract-world.js'
import { mortalConnections } from '../../src/testing/contract/mortal-connections.js'
import { virtualClock, type VirtualClock } from '../../src/testing/time/virtual-clock.js'

/** The in-process cluster under a virtual clock, with everything that can be done to it. */
export function memoryHost(options: MemoryClusterOptions = {}): {
  readonly host: ContractHost
  readonly clock: VirtualClock
  close(): Promise<void>
} {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({
    runtime,
    latencyMs: 1,
    minSessionTimeoutMs: 1_000,
    failoverMs: 300,
    ...options,
  })
  const connections = mortalConnections(cluster.connectionFactory())
  const host: ContractHost = {
    driver: createProtocolDriver(connections.factory, runtime),
    slackMs: 100,
    async createTopic(name, topic) {
      cluster.createTopic(name, topic)
    },
    abilities: {
      async bounceBrokers() {
        for (const node of [0, 1, 2]) {
          cluster.faults.stopBroker(node)
          await clock.sleep(700)
          cluster.faults.startBroker(node)
          await clock.sleep(100)
        }
      },
      async silenceBrokers() {
        for (const node of [0, 1, 2]) cluster.faults.silence(node)
        return async () => {
          for (const node of [0, 1, 2]) cluster.faults.endSilence(node)
        }
      },
      loseNextProduceAnswer() {
        const before = cluster.faults.injected()['lose-answer'] ?? 0
        cluster.faults.loseNextAnswer({ api: 'produce' })
        return () => (cluster.faults.injected()['lose-answer'] ?? 0) > before
      },
      holdNextProduceRequest() {
        const held = cluster.faults.holdRequest({ api: 'produce' })
        return { isHeld: () => held.state === 'held', release: () => held.release() }
      },
      async appendTransaction(topic, partition, records, outcome) {
        cluster.appendTransaction(topic, partition, records, outcome)
      },
      async openTransaction(topic, partition, records) {
        const { producerId } = cluster.appendTransaction(topic, partition, records, 'open')
        return async (outcome) => cluster.endTransaction(topic, partition, producerId, outcome)
      },
      async topicWithHoles(topic, count, kept) {
        cluster.createTopic(topic, { partitions: 1, configs: { 'cleanup.policy': 'compact' } })
        const world = new CaseWorld(host)
        const values = Array.from({ length: count }, (_, offset) => `${offset}`)
        for (let at = 0; at < count; at += 4) await world.write(topic, 0, values.slice(at, at + 4).map(keyed))
        await world.end()
        cluster.compact(topic, 0, ({ offset }) => kept.includes(offset))
      },
      async deleteRecordsBefore(topic, partition, offset) {
        cluster.deleteRecordsBefore(topic, partition, offset)
      },
      async loseRecords(topic, partition, write) {
        const { leader, replicas } = cluster.partitionFacts(topic, partition)
        const follower = replicas.find((replica) => replica !== leader) ?? leader
        await clock.sleep(100)
        cluster.faults.pauseReplication(follower)
        cluster.faults.dropFollower(follower)
        await write()
        cluster.faults.moveLeader(topic, partition, follower)
        cluster.faults.resumeReplication(follower)
      },
      async throttleProducing(topic) {
        for (const nth of [5, 6, 7]) cluster.faults.throttleNext({ api: 'produce', topic, nth }, 500)
        return async () => cluster.faults.clear()
      },
      killClient: (clientId) => connections.kill(clientId),
      async expelMember(groupId, memberId) {
        cluster.faults.killMember(groupId, memberId)
      },
    },
  }
  return { host, clock, close: () => cluster.close() }
}

function keyed(value: string) {
  return record(value, { key: Buffer.from(value) })
}
