import type { GroupLag } from '../../lag/lag-report.js'
import { PartitionMap } from '../../message/partition-map.js'
import { partitionKey } from '../../message/topic-partition.js'
import { memberName } from '../model/group-views.js'
import type { GroupSight, MemberSight, PartitionSight } from '../model/sight.js'
import type { Histories } from './histories.js'
import { factsOf, type KnownMember } from './known-members.js'
import type { Stand } from './standstills.js'
import type { Structure } from './structure.js'

export interface Looked {
  readonly structure: Structure
  readonly lags: readonly GroupLag[]
  /** Why a group could not be looked at, by name. */
  readonly unseen: ReadonlyMap<string, string>
  readonly stands: ReadonlyMap<string, PartitionMap<Stand>>
  /** As their processes tell them. */
  readonly known: readonly KnownMember[]
  readonly histories: Histories
}

/** Puts together what brokers, members and former looks tell of each group. */
export function groupSights(looked: Looked): readonly GroupSight[] {
  const lags = new Map(looked.lags.map((lag) => [lag.group, lag]))
  return [...looked.structure.groups].map(([group, description]) => {
    const ours = looked.known.filter((member) => member.group === group)
    const facts = factsOf(looked.known, group)
    const members = (description?.members ?? []).map(
      ({ memberId, groupInstanceId, clientId, clientHost, partitions }) => ({
        ...{ memberId, groupInstanceId, clientId, clientHost },
        partitions: partitions.length,
        facts: ofProcess(ours.find((member) => member.memberId === memberId)),
      }),
    )
    const owners = ownersOf(description?.members ?? [], members)
    const lag = lags.get(group) ?? null
    const stands = looked.stands.get(group)
    return {
      group,
      description,
      members,
      lag,
      unseenWhy: looked.unseen.get(group) ?? null,
      partitions: (lag?.partitions ?? []).map((one): PartitionSight => {
        const { topic, partition } = one
        const stand = stands?.get(topic, partition)
        return {
          ...one,
          standsSince: stand?.since ?? null,
          stoodBefore: stand?.stoodBefore ?? false,
          owner: owners.get(topic, partition) ?? null,
          facts: facts.size === 0 ? null : (facts.get(partitionKey(topic, partition)) ?? null),
          lags: looked.histories.lagsOf(group, topic, partition),
        }
      }),
      history: looked.histories.samplesOf(group),
    }
  })
}

function ofProcess(known: KnownMember | undefined): MemberSight['facts'] {
  if (known === undefined) return null
  const { inFlight, running, oldestHandlerStartedAt } = known
  return { inFlight, running, oldestHandlerStartedAt }
}

function ownersOf(
  described: readonly { readonly partitions: readonly { readonly topic: string; readonly partition: number }[] }[],
  members: readonly MemberSight[],
): PartitionMap<string> {
  const owners = new PartitionMap<string>()
  for (const [index, { partitions }] of described.entries()) {
    const name = memberName(members[index] as MemberSight)
    for (const { topic, partition } of partitions) owners.set(topic, partition, name)
  }
  return owners
}
