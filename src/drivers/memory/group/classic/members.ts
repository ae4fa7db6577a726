import { brokerCode } from '../../../../connection/broker-error.js'
import type { Timer } from '../../../../runtime/clock.js'
import type { GroupMember } from './member.js'

/** The members of one group in the order they joined, which of them are static, and ids given out but not used yet. */
export class GroupMembers {
  readonly #members = new Map<string, GroupMember>()
  readonly #memberOfInstance = new Map<string, string>()
  /** Ids given out by MEMBER_ID_REQUIRED, with when they expire. */
  readonly #pendingIds = new Map<string, Timer>()

  get size(): number {
    return this.#members.size
  }

  get hasPendingIds(): boolean {
    return this.#pendingIds.size > 0
  }

  all(): readonly GroupMember[] {
    return [...this.#members.values()]
  }

  get(memberId: string | null): GroupMember | undefined {
    return memberId === null ? undefined : this.#members.get(memberId)
  }

  ofInstance(instanceId: string | null): GroupMember | undefined {
    return instanceId === null ? undefined : this.get(this.#memberOfInstance.get(instanceId) ?? null)
  }

  /** Why a request of this member cannot be carried out; NONE when it can. */
  identityProblem(memberId: string, instanceId: string | null): number {
    if (instanceId !== null) {
      const owner = this.#memberOfInstance.get(instanceId)
      if (owner === undefined) return brokerCode.UNKNOWN_MEMBER_ID
      if (owner !== memberId) return brokerCode.FENCED_INSTANCE_ID
    }
    return this.#members.has(memberId) ? brokerCode.NONE : brokerCode.UNKNOWN_MEMBER_ID
  }

  longestRebalanceTimeoutMs(): number {
    return this.all().reduce((longest, member) => Math.max(longest, member.rebalanceTimeoutMs), 0)
  }

  add(member: GroupMember): void {
    this.#members.set(member.memberId, member)
    if (member.instanceId !== null) this.#memberOfInstance.set(member.instanceId, member.memberId)
  }

  delete(member: GroupMember): void {
    this.#members.delete(member.memberId)
    if (member.instanceId !== null) this.#memberOfInstance.delete(member.instanceId)
  }

  /** The new member takes the place of the old one, so that the order does not change. */
  replace(old: GroupMember, member: GroupMember): void {
    const members = this.all().map((each) => (each === old ? member : each))
    this.#members.clear()
    for (const each of members) this.add(each)
  }

  addPendingId(memberId: string, expiry: Timer): void {
    this.#pendingIds.set(memberId, expiry)
  }

  /** False when no such id was given out. */
  forgetPendingId(memberId: string): boolean {
    this.#pendingIds.get(memberId)?.cancel()
    return this.#pendingIds.delete(memberId)
  }

  forgetPendingIds(): void {
    for (const timer of this.#pendingIds.values()) timer.cancel()
    this.#pendingIds.clear()
  }
}
