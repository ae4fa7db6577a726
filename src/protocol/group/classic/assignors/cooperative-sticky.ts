import { partitionKey } from '../../../../message/topic-partition.js'
import type { Assignor, AssignorMember, GroupAssignment, HeldBefore } from './assignor.js'
import { divideSticky } from './sticky.js'

const generationBytes = 4
const unknownGeneration = -1

/**
 * Java's `cooperative-sticky` (KIP-429), by name and bytes, so that its members and ours share a group. Members keep what
 * they have while they join and say so. The division is that of `sticky`; what it takes from one member and gives to
 * another goes in two rounds:
 *
 * | round | a partition that moves from A to B                                         |
 * |-------|-----------------------------------------------------------------------------|
 * | 1     | nobody's in the division: A learns that it must give it up, B gets it not yet |
 * | 2     | A gave it up and joined again without it: B, or whoever is there now, gets it |
 *
 * The second round divides as the first did, because what is kept is the same and what is free was free or is now.
 */
export const cooperativeSticky: Assignor = {
  name: 'cooperative-sticky',
  protocolName: 'cooperative-sticky',
  kind: 'cooperative',
  // Leaders of Java below 3.4 heed no claim of an older generation than the newest that is claimed.
  subscription: (topics, { now, nowGenerationId: generationId }) => ({
    version: 3,
    topics,
    // Where Java's members below 3.4 look for it.
    userData: encodeGeneration(generationId),
    ownedPartitions: now,
    generationId,
  }),
  assign(members, partitionCounts) {
    const held = new Map(members.map((member) => [member.memberId, heldBy(member)]))
    const nothing: HeldBefore = { generationId: unknownGeneration, partitions: [] }
    const target = divideSticky(members, partitionCounts, ({ memberId }) => held.get(memberId) ?? nothing)
    return withoutWhatOthersHold(target, held)
  },
}

/**
 * Whatever anybody says that it holds goes to nobody else in this round, be the claim old or wrong. Who claims it as well
 * keeps it only under the newest claim of all: the other may read it still.
 */
function withoutWhatOthersHold(target: GroupAssignment, held: ReadonlyMap<string, HeldBefore>): GroupAssignment {
  const claims = new Map<string, Map<string, number>>()
  for (const [memberId, { generationId, partitions }] of held) {
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition)
      const known = claims.get(key)
      if (known) known.set(memberId, generationId)
      else claims.set(key, new Map([[memberId, generationId]]))
    }
  }
  return new Map(
    [...target].map(([memberId, partitions]) => [
      memberId,
      partitions.filter(({ topic, partition }) => {
        const of = claims.get(partitionKey(topic, partition))
        return of === undefined || isNewest(of, memberId)
      }),
    ]),
  )
}

/** A claim of an unknown generation may be of any. */
function isNewest(claims: ReadonlyMap<string, number>, memberId: string): boolean {
  const own = claims.get(memberId)
  if (own === undefined) return false
  return [...claims].every(
    ([claimant, generationId]) => claimant === memberId || (generationId !== unknownGeneration && generationId < own),
  )
}

/** The field of its subscription counts, else its user data; a member that says neither has the oldest claim. */
function heldBy({ owned, userData }: AssignorMember): HeldBefore {
  const partitions = owned?.partitions ?? []
  const told = owned?.generationId ?? unknownGeneration
  return { generationId: told === unknownGeneration ? decodeGeneration(userData) : told, partitions }
}

function encodeGeneration(generationId: number): Buffer {
  const bytes = Buffer.alloc(generationBytes)
  bytes.writeInt32BE(generationId)
  return bytes
}

function decodeGeneration(userData: Buffer | null): number {
  return userData?.length === generationBytes ? userData.readInt32BE() : unknownGeneration
}
