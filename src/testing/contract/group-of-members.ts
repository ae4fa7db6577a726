import type { ConsumerSettings } from '../../driver/consumer.js'
import { partitionKey } from '../../message/topic-partition.js'
import type { ContractWorld } from './contract-world.js'
import type { RecordingConsumer } from './recording-consumer.js'

export const heartbeatIntervalMs = 300

export function partitionsOf(topic: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, partition) => partitionKey(topic, partition)).sort()
}

export function heldTogether(members: readonly RecordingConsumer[]): readonly string[] {
  return members.flatMap((member) => member.held()).sort()
}

/** Waits until the members hold everything exactly once, each between `floor` and `ceiling` of it (shares as even as they can be). */
export async function share(
  world: ContractWorld,
  members: readonly RecordingConsumer[],
  expected: readonly string[],
  withinMs?: number,
): Promise<void> {
  const floor = Math.floor(expected.length / members.length)
  const isShared = () =>
    members.every((member) => member.held().length >= floor) &&
    JSON.stringify(heldTogether(members)) === JSON.stringify(expected)
  await world.until(`${members.length} members share ${expected.length} partitions`, isShared, withinMs)
}

/** Started members of one group. */
export async function membersOf(
  world: ContractWorld,
  topics: string | readonly string[],
  count: number,
  settings: Partial<ConsumerSettings> = {},
): Promise<readonly RecordingConsumer[]> {
  const groupId = world.name('group')
  const members = Array.from({ length: count }, () =>
    world.consumer(topics, { groupId, heartbeatIntervalMs, ...settings }),
  )
  for (const member of members) await member.start()
  return members
}

/** A first member that holds everything, and a second that is not started. */
export async function firstAndSecond(
  world: ContractWorld,
  partitions: number,
  settings: Partial<ConsumerSettings> = {},
) {
  const topic = await world.topic(partitions)
  const groupId = world.name('group')
  const first = world.consumer(topic, { groupId, heartbeatIntervalMs, ...settings })
  await world.startHolding(first, partitions)
  const second = world.consumer(topic, { groupId, heartbeatIntervalMs, ...settings })
  return { topic, groupId, first, second }
}
