import type { TopicMetadata } from '../../connection/requests/metadata.js'
import type { GroupDescription, ListedGroup } from '../../driver/admin.js'
import { partitionKey } from '../../message/topic-partition.js'
import { letterTopics, usualName, type LetterTopic } from '../../letters/letter-topics.js'
import type { Admin } from '../../operations/admin.js'
import type { ClusterSight, PlaceSight } from '../model/sight.js'

/** What changes seldom: brokers, topics, groups and their members. */
export interface Structure {
  readonly cluster: ClusterSight
  /** Groups that keep offsets others may see, by name; what could not be described has no description. */
  readonly groups: ReadonlyMap<string, GroupDescription | null>
  readonly letterTopics: readonly LetterTopic[]
}

/** @throws DriverError when nobody tells of the cluster; what is refused of groups and letters is left out */
export async function lookAtStructure(admin: Admin, timeoutMs: number): Promise<Structure> {
  const call = { timeoutMs }
  const [{ clusterId, brokers }, topics, listed] = await Promise.all([
    admin.describeCluster(call),
    admin.describeTopics(null, call),
    admin.listGroups(call),
  ])
  const names = listed.filter(keepsOffsets).map(({ groupId }) => groupId)
  const [described, letters] = await Promise.all([
    names.length === 0 ? [] : admin.describeGroups(names, call).catch((): readonly GroupDescription[] => []),
    letterTopics(admin, usualName, call).catch((): readonly LetterTopic[] => []),
  ])
  const byName = new Map(described.map((one) => [one.groupId, one]))
  const partitions = topics.flatMap((topic) => topic.partitions)
  const up = new Set(brokers.map(({ nodeId }) => nodeId))
  const known = new Set(partitions.flatMap(({ replicas }) => replicas))
  return {
    cluster: {
      clusterId,
      brokers: inOrder([...up]),
      down: inOrder([...known].filter((id) => !up.has(id))),
      places: new Map(topics.flatMap(placesOf)),
      withoutLeader: partitions.filter(({ leader }) => leader < 0).length,
      underReplicated: partitions.filter(({ leader, isr, replicas }) => leader >= 0 && isr.length < replicas.length)
        .length,
    },
    groups: new Map(names.sort().map((name) => [name, byName.get(name) ?? null])),
    letterTopics: letters,
  }
}

function inOrder(ids: readonly number[]): readonly number[] {
  return [...ids].sort((one, other) => one - other)
}

function placesOf({ name, partitions }: TopicMetadata): readonly (readonly [string, PlaceSight])[] {
  return partitions.map(({ partition, leader, replicas, isr }) => {
    return [partitionKey(name, partition), { leader: leader < 0 ? null : leader, replicas, inSync: isr }]
  })
}

function keepsOffsets({ type, protocolType }: ListedGroup): boolean {
  return type !== 'share' && ['consumer', ''].includes(protocolType)
}
