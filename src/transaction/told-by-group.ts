import type { CommittedPartition } from '../connection/requests/offsets.js'
import type { Acknowledged } from '../consumer/partition/owned-partition.js'
import { TidemarkError } from '../errors.js'
import { partitionKey, type TopicPartition } from '../message/topic-partition.js'
import { exponential } from '../runtime/backoff.js'
import { pause } from '../runtime/pause.js'
import type { Runtime } from '../runtime/runtime.js'
import type { ChosenOffset } from './end-of-transaction.js'
import type { TransactionalMember } from './member.js'

export type Resolved = 'committed' | 'aborted' | 'unknown'

const betweenAsks = exponential({ initialMs: 100, maxMs: 5_000 })

/** What we put on record of each partition last, which one that was sought or reset does not know any more. */
export class LastOnRecord {
  readonly #places = new Map<string, Acknowledged>()

  note({ topic, partition }: TopicPartition, place: Acknowledged): void {
    this.#places.set(partitionKey(topic, partition), place)
  }

  of({ topic, partition }: TopicPartition): Acknowledged | null {
    return this.#places.get(partitionKey(topic, partition)) ?? null
  }
}

type Place = { readonly offset: number; readonly metadata: string | null } | null

/**
 * Asks the group what became of a transaction that these places were part of, where its coordinator and the log cannot tell
 * any more. All of them are on record or none is, and while the partitions are ours nobody else commits there:
 *
 * | the group has, of a place that was in it            | the transaction was |
 * |-----------------------------------------------------|---------------------|
 * | that place                                          | committed           |
 * | that place, which it had before: it was sought back | says nothing: another place of it must tell |
 * | what it had before, or another, and what it had is not known (sought, reset) | aborted |
 * | something else                                      | cannot be told: somebody else is at work |
 *
 * Where nothing of it is ours any more, what became of it changes nothing here. Goes on until it is told or `closed`. Never
 * rejects.
 */
export async function askGroup(
  chosen: readonly ChosenOffset[],
  before: LastOnRecord,
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
      const still = ours.filter(({ partition }) => !partition.isGone)
      if (still.length === 0) return 'aborted'
      return toldBy(still.map((one) => toldOfOne(one, before.of(one.partition), found)))
    } catch (error) {
      if (!(error instanceof TidemarkError) || !error.retriable) return 'unknown'
    }
    await pause(clock, betweenAsks(attempt, random), closed)
  }
  return 'unknown'
}

function toldBy(all: readonly (Resolved | 'nothing')[]): Resolved {
  const [told = 'unknown', ...others] = new Set(all.filter((one) => one !== 'nothing'))
  return others.length > 0 ? 'unknown' : told
}

function toldOfOne(
  { partition: owned, state }: ChosenOffset,
  before: Acknowledged | null,
  found: readonly CommittedPartition[],
): Resolved | 'nothing' {
  const { topic, partition, acknowledged, assigned } = owned
  const now = found.find((one) => one.topic === topic && one.partition === partition) ?? null
  // As the group had it: of what others wrote beside it we know less.
  const had = [acknowledged ?? before, assigned.committed]
  if (isSame(now, state)) {
    return acknowledged === null && had.some((place) => isSame(place, state)) ? 'nothing' : 'committed'
  }
  return acknowledged === null || had.some((place) => isSame(place, now)) ? 'aborted' : 'unknown'
}

function isSame(one: Place, other: Place): boolean {
  return one?.offset === other?.offset && (one?.metadata ?? '') === (other?.metadata ?? '')
}
