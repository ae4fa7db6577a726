import type { GroupMemberIdentity } from '../../connection/requests/groups.js'
import type { ConsumerSettings, StartPosition } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'

/**
 * How a consumer comes by its partitions: as a member of a group, or as the reader of all of them.
 *
 * What it tells is about differences: partitions that are not named in an event stay as they are, and are never paused,
 * drained or fetched anew for it. Which partitions are ours in all is the sum of what was told.
 *
 * | the group says                  | told                                     | until                          | then                    |
 * |---------------------------------|------------------------------------------|--------------------------------|-------------------------|
 * | these are yours too             | `assigned(added)`                        | not waited for                 | read from where it was committed |
 * | these go elsewhere              | `revoked(removed, deadline)`             | it resolves, or the deadline   | the group is told that they are free |
 * | these went elsewhere already    | `lost(removed)`                          | –                              | nothing of them is committed |
 * | all go (eager, or at a stop)    | `revoked(all, deadline)`                 | as above                       | it joins again, or leaves |
 * | everything may go (we are out)  | `lost(all)`                              | –                              | it joins again          |
 * | nothing                         | nothing, whatever requests go to and fro | –                              | –                       |
 *
 * | who                        | partitions that stay are ours through a rebalance |
 * |----------------------------|---------------------------------------------------|
 * | eager classic member       | no: all are given back, then some come            |
 * | cooperative classic member | yes, while it joins and under the next generation |
 * | `consumer` member          | yes, while its epoch rises                        |
 * | reader of all partitions   | there are no rebalances                           |
 *
 * `identity()` goes with every commit. It may change while partitions stay: what was sent under the identity before and
 * refused for that is committed again (`again`).
 */
export interface Membership {
  start(): void
  /** Gives everything up (drained until `deadline`) and leaves; of several deadlines the earliest counts. Never rejects. */
  stop(deadline: number): Promise<void>
  /** Ends it for a reason found elsewhere; `failed` is told. */
  fail(error: TidemarkError): void
  /** Who may commit what is assigned now; `null` while nobody may. */
  identity(): GroupMemberIdentity | null
  /**
   * The group refused a commit of `generationId` with this code. `again`: what is still ours of it is committed under the
   * identity that comes; `out`: others may own it.
   */
  commitRefused(code: number, generationId: number): 'again' | 'out'
  /** Why it has no partitions at the moment: an error for want of a permission, else a text; `null` when nothing is known. */
  trouble(): TidemarkError | string | null
  /** Is it known what is ours? */
  hasAssignment(): boolean
  facts(): MembershipFacts
}

export interface MembershipFacts {
  readonly state: string
  readonly memberId: string | null
  readonly generationId: number
  /** As in the driver's facts. */
  readonly commitsAs?: string | undefined
  readonly lastHeartbeatAt: number | null
}

/** A partition that is ours now. */
export interface GivenPartition extends TopicPartition {
  /** Where the group gives by id: another topic of that name, made anew, is not meant, and may be given to somebody else. */
  readonly topicId?: string
}

/** What the owner of the partitions is told. Calls come one after the other and never after `stop` has resolved. */
export interface MembershipEvents {
  /** These are ours now, besides those we have; read them from what is committed, else from `from`. */
  assigned(partitions: readonly GivenPartition[], from: StartPosition): void
  /** Give these up; resolves when done, at the latest at `deadline`. Called again meanwhile: by the earlier of both. */
  revoked(partitions: readonly TopicPartition[], deadline: number): Promise<void>
  /** These are gone already. */
  lost(partitions: readonly TopicPartition[]): void
  failed(error: TidemarkError): void
}

/** Is it told to the group that a member goes? One with an instance id is expected back, unless it was said otherwise. */
export function leavesGroup(settings: Pick<ConsumerSettings, 'groupInstanceId' | 'leavesGroup'>): boolean {
  return settings.leavesGroup ?? settings.groupInstanceId === null
}
