import type { CommittedPartition } from '../connection/requests/offsets.js'
import { TidemarkError } from '../errors.js'
import { exponential } from '../runtime/backoff.js'
import { pause } from '../runtime/pause.js'
import type { Runtime } from '../runtime/runtime.js'
import type { ChosenOffset } from './end-of-transaction.js'
import type { TransactionalMember } from './member.js'

export type Resolved = 'committed' | 'aborted' | 'unknown'

const betweenAsks = exponential({ initialMs: 100, maxMs: 5_000 })

/**
 * Asks the group what became of a transaction that these places were part of, where its coordinator and the log cannot tell
 * any more. All of them are on record or none is, and while the partitions are ours nobody else commits there:
 *
 * | the group has, of a place that was in it | the transaction was |
 * |------------------------------------------|---------------------|
 * | that place                               | committed           |
 * | what it had before                       | aborted             |
 * | something else                           | cannot be told: somebody else is at work |
 *
 * Where nothing of it is ours any more, what became of it changes nothing here. Goes on until it is told or `closed`. Never
 * rejects.
 */
export async function askGroup(
  chosen: readonly ChosenOffset[],
  member: Pick<TransactionalMember, 'committed'>,
  { clock, random }: Runtime,
  closed: AbortSignal,
): Promise<Resolved> {
  for (let attempt = 1; !closed.aborted; attempt += 1) {
    const ours = chosen.filter(({ partition }) => !partition.isGone)
    if (ours.length === 0) return 'aborted'
    try {
      const found = await member.committed(ours.map(({ partition: { topic, partition } }) => ({ topic, partition })))
      // One that was given up meanwhile may have the commit of its next owner.
      return toldBy(
        ours.filter(({ partition }) => !partition.isGone),
        found,
      )
    } catch (error) {
      if (!(error instanceof TidemarkError) || !error.retriable) return 'unknown'
    }
    await pause(clock, betweenAsks(attempt, random), closed)
  }
  return 'unknown'
}

function toldBy(ours: readonly ChosenOffset[], found: readonly CommittedPartition[]): Resolved {
  const told = new Set(ours.map((chosen) => toldOfOne(chosen, found)))
  if (told.size > 1) return 'unknown'
  const [only = 'aborted'] = told
  return only
}

function toldOfOne({ partition: owned, state }: ChosenOffset, found: readonly CommittedPartition[]): Resolved {
  const { topic, partition, acknowledged, assigned } = owned
  const now = found.find((one) => one.topic === topic && one.partition === partition)
  const isNow = (place: { readonly offset: number; readonly metadata: string | null } | null) =>
    now === undefined ? place === null : now.offset === place?.offset && (now.metadata ?? '') === (place.metadata ?? '')
  if (isNow(state)) return 'committed'
  return isNow(acknowledged ?? assigned.committed) ? 'aborted' : 'unknown'
}
