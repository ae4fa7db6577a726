import { partitionKey } from '../../message/topic-partition.js'
import type { AskedProcess, ProcessFacts } from '../../members/process-facts.js'
import type { MemberFacts, PartitionFactsSight } from '../model/sight.js'

/** A member of a group as its own process tells it. */
export interface KnownMember extends MemberFacts {
  readonly group: string
  readonly memberId: string | null
  readonly partitions: ReadonlyMap<string, PartitionFactsSight>
}

export function knownMembers(asked: readonly AskedProcess[]): readonly KnownMember[] {
  return asked.flatMap(({ told }) => (told?.facts.consumers ?? []).flatMap(memberOf))
}

/** Of the partitions that members of a group have, by `partitionKey`. */
export function factsOf(known: readonly KnownMember[], group: string): ReadonlyMap<string, PartitionFactsSight> {
  return new Map(known.filter((member) => member.group === group).flatMap(({ partitions }) => [...partitions]))
}

function memberOf(consumer: ProcessFacts['facts']['consumers'][number]): readonly KnownMember[] {
  const { group, driver, partitions, inFlight, running, oldestHandlerStartedAt } = consumer
  if (group === null) return []
  const places = partitions.map(({ stoppedBy, ...facts }) => {
    return [partitionKey(facts.topic, facts.partition), { ...facts, stoppedBy: stoppedBy?.code ?? null }] as const
  })
  const memberId = driver?.memberId ?? null
  return [{ group, memberId, inFlight, running, oldestHandlerStartedAt, partitions: new Map(places) }]
}
