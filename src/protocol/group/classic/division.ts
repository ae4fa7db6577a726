/**
 * What a division of the partitions was made from: how many each topic had. The leader tells it to every member with its
 * assignment, because a static leader that restarts gets its partitions back without being told that it leads, and then
 * nobody would notice that partitions were added (Kafka's KIP-814; the classic protocol's version here has no better way).
 */
export type PartitionCounts = ReadonlyMap<string, number>

const format = 'tidemark-division-1'

/** For the `userData` of an assignment; clients that do not know it leave it alone. */
export function encodeDivision(counts: PartitionCounts): Buffer {
  return Buffer.from(JSON.stringify({ format, counts: Object.fromEntries(counts) }))
}

/** `null` when another kind of client wrote it. Never throws. */
export function decodeDivision(userData: Buffer | null): PartitionCounts | null {
  if (userData === null) return null
  let read: unknown
  try {
    read = JSON.parse(userData.toString('utf8'))
  } catch {
    return null // not ours
  }
  if (typeof read !== 'object' || read === null || !('format' in read) || read.format !== format) return null
  if (!('counts' in read) || typeof read.counts !== 'object' || read.counts === null) return null
  const counts = Object.entries(read.counts)
  return counts.every(isCount) ? new Map(counts) : null
}

function isCount(entry: [string, unknown]): entry is [string, number] {
  return Number.isSafeInteger(entry[1])
}

/**
 * Is this the answer to a static member that came back in the place of the leader? It is told the id that its instance had
 * before; a broker makes the id of a static member of the instance's name, a dash and a UUID.
 */
export function tookLeadersPlace(leader: string, memberId: string, groupInstanceId: string | null): boolean {
  if (groupInstanceId === null || leader === memberId) return false
  const uuidLength = 36
  return leader.startsWith(`${groupInstanceId}-`) && leader.length === groupInstanceId.length + 1 + uuidLength
}
