import type { Generation } from './answers.js'
import { selectProtocol, type GroupMember } from './member.js'

/** What a coordinator writes down when a generation is settled, and the next coordinator reads. */
export interface GroupSnapshot extends Generation {
  readonly members: readonly GroupMember[]
}

/** The generation that a group is in: its number, its leader, the protocol it agreed on, and what is written down of it. */
export class GroupGeneration implements Generation {
  #generationId = 0
  #protocolName = ''
  #leaderId: string | null = null
  #snapshot: GroupSnapshot = { generationId: 0, protocolName: '', leaderId: null, members: [] }

  get generationId(): number {
    return this.#generationId
  }

  get protocolName(): string {
    return this.#protocolName
  }

  get leaderId(): string | null {
    return this.#leaderId
  }

  get snapshot(): GroupSnapshot {
    return this.#snapshot
  }

  load(snapshot: GroupSnapshot): void {
    this.#snapshot = snapshot
    this.#generationId = snapshot.generationId
    this.#protocolName = snapshot.protocolName
    this.#leaderId = snapshot.leaderId
  }

  /** The next one, with what its members agree on; without members there is nothing to agree on and nobody to lead. */
  begin(members: readonly GroupMember[]): void {
    this.#generationId += 1
    this.#protocolName = selectProtocol(members)
    if (members.length === 0) this.#leaderId = null
  }

  /** The first of a group leads it. */
  noteMember(memberId: string): void {
    this.#leaderId ??= memberId
  }

  /** @param heir leads when it was the leader who went */
  noteGone(memberId: string, heir: GroupMember | undefined): void {
    if (this.#leaderId === memberId) this.#leaderId = heir?.memberId ?? null
  }

  /** The leader must be one of those who came; false when nobody did. */
  electLeader(members: readonly GroupMember[]): boolean {
    const candidates = members.filter((member) => member.join !== null)
    const leader = candidates.find(({ memberId }) => memberId === this.#leaderId) ?? candidates[0]
    if (leader === undefined) return false
    this.#leaderId = leader.memberId
    return true
  }

  /** From now on a new coordinator finds these members. */
  writeDown(members: readonly GroupMember[]): void {
    this.#snapshot = {
      generationId: this.#generationId,
      protocolName: this.#protocolName,
      leaderId: this.#leaderId,
      members: members.map((member) => ({
        ...member,
        join: null,
        sync: null,
        session: null,
        isNew: false,
        hasSynced: true,
      })),
    }
  }
}
