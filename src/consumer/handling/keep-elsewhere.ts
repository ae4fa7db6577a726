import { exponential, type Backoff } from '../../runtime/backoff.js'
import { deferred } from '../../runtime/deferred.js'
import { onAbort } from '../../runtime/on-abort.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { PauseReason } from '../partition/gate.js'
import type { Work } from '../partition/work.js'

export interface KeepElsewhere<Kept> {
  readonly work: Work
  /** Why its partition starts nothing new while the write fails. */
  readonly reason: PauseReason
  /** One attempt; resolves when it is acknowledged. */
  readonly write: (signal: AbortSignal) => Promise<Kept>
  /** `final`: no repeat can change this. `forbidden`: none can, when it has lasted for a while. `null`: another may do. */
  readonly refusal: (error: unknown) => 'final' | 'forbidden' | null
  /** An attempt failed, and the next comes after `delayMs`. */
  readonly onDelayed: (attempt: number, delayMs: number, error: unknown) => void
  readonly runtime: Runtime
}

/** How it ended; `late`: the partition is no longer ours, or not to be read from here. */
export type KeptEnd<Kept> =
  | { readonly kind: 'kept'; readonly value: Kept }
  | { readonly kind: 'refused'; readonly by: unknown }
  | { readonly kind: 'late' }

const backoff: Backoff = exponential({ initialMs: 100, maxMs: 10_000 })

/** A permission is often replaced in two steps: for so long its lack is waited out. */
const permissionWaitMs = 30_000

const late = Object.freeze({ kind: 'late' }) satisfies KeptEnd<never>

/**
 * Puts a record where it will be kept, before its offset may pass.
 *
 * | the write        | the record                                  | its partition |
 * |------------------|---------------------------------------------|---------------|
 * | is under way     | waits for it, without a place               | goes on |
 * | failed           | waits, and the write is tried again         | starts nothing new |
 * | was acknowledged | is done                                     | goes on |
 * | can never be     | has failed                                  | as the caller says |
 *
 * So a topic that is slow holds up no other partition, and no other key of the same one. A partition that is given up does not wait for a write that has failed before: whoever gets it handles the record again.
 */
export async function keepElsewhere<Kept>(keeping: KeepElsewhere<Kept>): Promise<KeptEnd<Kept>> {
  const { partition, inLane } = keeping.work
  partition.lanes.giveBack(inLane)
  const first = await tryOnce(keeping)
  if (partition.isGone) return late
  return 'error' in first ? untilKept(keeping, first.error) : first
}

async function untilKept<Kept>(keeping: KeepElsewhere<Kept>, firstError: unknown): Promise<KeptEnd<Kept>> {
  const { work, reason, refusal, onDelayed, runtime } = keeping
  const { partition } = work
  const { clock, random } = runtime
  const closed = deferred<'closed'>()
  // One that is closed already ends the first rest.
  const stopListening = onAbort(partition.lanes.closing, () => closed.resolve('closed'))
  let error = firstError
  let forbiddenSince: number | null = null
  partition.gate.close(reason)
  try {
    for (let attempt = 1; ; attempt++) {
      const verdict = refusal(error)
      forbiddenSince = verdict === 'forbidden' ? (forbiddenSince ?? clock.now()) : null
      const isWaitedFor = forbiddenSince !== null && clock.now() < forbiddenSince + permissionWaitMs
      if (verdict !== null && !isWaitedFor) return { kind: 'refused', by: error }
      const delayMs = Math.round(backoff(attempt, random))
      onDelayed(attempt, delayMs, error)
      await clock.sleep(delayMs, partition.lanes.closing).catch(() => undefined) // closed: looked at below
      if (partition.lanes.closing.aborted) return late
      const end = await Promise.race([tryOnce(keeping), closed.promise])
      if (end === 'closed' || partition.isGone) return late
      if (!('error' in end)) return end
      error = end.error
    }
  } finally {
    stopListening()
    partition.gate.lift(reason)
  }
}

async function tryOnce<Kept>({
  work,
  write,
}: KeepElsewhere<Kept>): Promise<{ readonly kind: 'kept'; readonly value: Kept } | { readonly error: unknown }> {
  try {
    return { kind: 'kept', value: await write(work.partition.signal) }
  } catch (error) {
    return { error }
  }
}
