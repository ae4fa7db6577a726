import type { Standing } from './member.js'
import { noPartitions, those, type PartitionSet } from './partition-set.js'

interface Meant {
  /** All that is meant for the member, by the division of `epoch`. */
  readonly target: PartitionSet
  readonly epoch: number
}

/**
 * The next step of a member towards what is meant for it. It first gives back, at its old epoch; then it takes what others
 * have released, at the new one.
 *
 * | it is      | and says it owns                | becomes |
 * |------------|---------------------------------|---------|
 * | stable     | anything, and its epoch is the target's | stable |
 * | stable, unreleased | anything                | unrevoked when something must go that it may own, else at the target's epoch: stable, or unreleased while others have some of it |
 * | unrevoked  | nothing that tells, or some of what must go | unrevoked |
 * | unrevoked  | none of what must go            | one epoch on, and from there as above |
 *
 * @param owned `null` when the member did not say.
 * @param isFree nobody has it, nor is about to give it back.
 */
export function nextStanding(
  member: Standing,
  { target, epoch }: Meant,
  owned: PartitionSet | null,
  isFree: (key: string) => boolean,
): Standing {
  const mayOwn = (partitions: PartitionSet) =>
    partitions.size > 0 && (owned === null || [...partitions.keys()].some((key) => owned.has(key)))
  if (member.state === 'stable' && member.epoch === epoch) return member
  if (member.state === 'unrevoked' && (owned === null || mayOwn(member.revoking))) return member

  const from = member.state === 'unrevoked' ? member.epoch + 1 : member.epoch
  const stays = those(member.assigned, (key) => target.has(key))
  const goes = those(member.assigned, (key) => !target.has(key))
  if (mayOwn(goes)) return moved(member, from, { state: 'unrevoked', assigned: stays, revoking: goes })
  const wanted = those(target, (key) => !stays.has(key))
  // What it has just given back is not free before its next heartbeat, also for itself.
  const comes = those(wanted, isFree)
  const assigned = new Map([...stays, ...comes])
  const state = comes.size < wanted.size ? 'unreleased' : 'stable'
  return moved(member, epoch, { state, assigned, revoking: noPartitions })
}

function moved(member: Standing, epoch: number, change: Pick<Standing, 'state' | 'assigned' | 'revoking'>): Standing {
  const previousEpoch = epoch === member.epoch ? member.previousEpoch : member.epoch
  return { ...change, epoch, previousEpoch }
}
