import { StateError, TimeoutError, type TidemarkError } from '../../errors.js'
import type { Clock } from '../../runtime/clock.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Ledger } from './ledger.js'

export interface ConfirmTools {
  readonly group: string | null
  readonly ledger: Pick<Ledger, 'confirmed'>
  readonly clock: Clock
  /** Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** Within the same time: what they settle until then counts too. By default nothing is waited for. */
  readonly after?: Promise<void> | undefined
}

const defaultTimeoutMs = 30_000

/**
 * Resolves when all that these partitions have settled by now is confirmed.
 *
 * @throws StateError `partition-gone` when one was given up before, with the offset that is known to be committed;
 *   `no-group` without a group
 * @throws TimeoutError `commit-timeout`
 */
export async function confirm(
  partitions: readonly OwnedPartition[],
  { group, ledger, clock, timeoutMs = defaultTimeoutMs, after }: ConfirmTools,
): Promise<void> {
  const deadline = clock.now() + timeoutMs
  if (after !== undefined) await withinDeadline(after, { clock, deadline, onLate: () => throwLate(partitions) })
  if (group === null) throw withoutGroup()
  const problems = await Promise.all(
    // Where nobody could tell the start of a partition nothing of it was handled.
    partitions
      .filter(({ tracker }) => tracker.committable >= 0)
      .map((partition) => {
        const confirmed = ledger.confirmed(partition).then((isConfirmed) => (isConfirmed ? null : gone(partition)))
        return withinDeadline(confirmed, { clock, deadline, onLate: () => late(partition) })
      }),
  )
  const problem = problems.find((one) => one !== null)
  if (problem !== undefined) throw problem
}

function gone({ topic, partition, acknowledged }: OwnedPartition): TidemarkError {
  const offset = acknowledged?.offset
  return new StateError(
    'partition-gone',
    `${topic}-${partition} was given up before the commit of what is settled was confirmed (${committedTo(offset)}); ` +
      'what lies beyond may be handled again by its next owner: see onDrained',
    { topic, partition, offset },
  )
}

function late({ topic, partition, acknowledged }: OwnedPartition): TidemarkError {
  const offset = acknowledged?.offset
  return new TimeoutError(
    'commit-timeout',
    `the commit of ${topic}-${partition} was not confirmed in time (${committedTo(offset)}); it goes on being tried: check ` +
      'that the coordinator of the group answers, or allow more time',
    { topic, partition, offset, retriable: true },
  )
}

function throwLate([partition]: readonly OwnedPartition[]): void {
  if (partition !== undefined) throw late(partition)
}

function committedTo(offset: number | undefined): string {
  return offset === undefined ? 'nothing of it is known to be committed' : `committed is offset ${offset}`
}

function withoutGroup(): StateError {
  return new StateError(
    'no-group',
    'commit was called on a consumer without a group, which has nowhere to commit to; a batch of it is settled by done()',
  )
}
