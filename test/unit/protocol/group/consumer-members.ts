import { beforeEach } from 'vitest'
import type { ConsumerSettings } from '../../../../src/driver/consumer.js'
import { createMemoryCluster, type MemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import type { MemoryClusterOptions } from '../../../../src/drivers/memory/memory-options.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

/** Of the test that runs. */
export let clock: VirtualClock
export let cluster: MemoryCluster

export const intervalMs = 1_000
export const sessionMs = 10_000

beforeEach(() => openCluster())

export function openCluster(options: MemoryClusterOptions = {}): void {
  clock = virtualClock()
  cluster = createMemoryCluster({
    ...{ runtime: { clock, random: seededRandom(1) }, latencyMs: 1, failoverMs: 500 },
    ...{ consumerHeartbeatIntervalMs: intervalMs, consumerSessionTimeoutMs: sessionMs },
    ...options,
  })
  cluster.createTopic('t', { partitions: 6 })
}

let opened = 0
/** Of a member that a test opens by itself. */
export const nextNumber = () => (opened += 1)
const names = new Map<ConsumerHarness, string>()
export const nameOf = (one: ConsumerHarness) => names.get(one)!
export function member(settings: Partial<ConsumerSettings> = {}): ConsumerHarness {
  const connection = cluster.connectionFactory().open(`member-${(opened += 1)}`)
  const one = new ConsumerHarness(connection, clock, { groupProtocol: 'consumer', ...settings }, opened)
  names.set(one, `member-${opened}`)
  return one
}

/** Its sockets are gone and nothing is told to anybody. */
export async function dies(settings: Partial<ConsumerSettings> = {}): Promise<void> {
  const connection = cluster.connectionFactory().open(`mortal-${(opened += 1)}`)
  const mortal = new ConsumerHarness(connection, clock, { groupProtocol: 'consumer', ...settings }, opened)
  await mortal.start()
  await connection.close()
  await mortal.stop(0)
}

export const all = [0, 1, 2, 3, 4, 5].map((partition) => `t-${partition}`)
export const heldBy = (...members: ConsumerHarness[]) => members.flatMap((one) => one.held()).sort()
export const shares = (...members: ConsumerHarness[]) => members.map((one) => one.held().length)
export const lost = (one: ConsumerHarness) => one.kinds().filter((kind) => kind === 'lost').length
export const memberIdOf = (one: ConsumerHarness) => one.consumer.facts().memberId

export async function stopAll(...members: ConsumerHarness[]): Promise<void> {
  for (const one of members) await one.stop()
  await clock.runUntilIdle()
}
