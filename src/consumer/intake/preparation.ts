import { TimeoutError } from '../../errors.js'
import { exponential, type Backoff } from '../../runtime/backoff.js'
import { pause } from '../../runtime/pause.js'
import type { Runtime } from '../../runtime/runtime.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { Missing } from '../../serde/serde.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { OwnedPartition } from '../partition/owned-partition.js'

export interface PreparationParts {
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

const again: Backoff = exponential({ initialMs: 200, maxMs: 10_000 })
/** A serde that does not say how long it takes. */
const mostMs = 30_000

/**
 * What the next record of a partition needs before it can be decoded. Records behind it wait as bytes, so their order is
 * kept; other partitions, and what was taken up before, go on. No attempt of a record is spent on it.
 *
 * | it is   | news                            | becomes |
 * |---------|---------------------------------|---------|
 * | ready   | the next record lacks something | loading |
 * | loading | it is there                     | ready: the partition goes on |
 * | loading | it cannot be told now           | held up: told, and asked for again after a while |
 * | held up | time is over                    | loading |
 * | ready   | the same record lacks the same again, although it was there | held up |
 * | any     | the partition is given up, or read elsewhere | over: what comes late changes nothing |
 */
export class Preparation {
  readonly #partition: OwnedPartition
  readonly #parts: PreparationParts
  #state: 'ready' | 'loading' | 'over' = 'ready'
  /** The record that lacked something last, what that was, and how often in a row it was asked for in vain. */
  #offset = -1
  #what = ''
  #failures = 0
  #over: AbortController | null = null

  constructor(partition: OwnedPartition, parts: PreparationParts) {
    this.#partition = partition
    this.#parts = parts
  }

  get isReady(): boolean {
    return this.#state === 'ready'
  }

  /** Nothing is taken up until the record at `offset` has what it lacks. */
  waitFor(missing: Missing, offset: number): void {
    if (this.#state !== 'ready') return
    const isAgain = this.#offset === offset && this.#what === missing.what
    if (!isAgain) this.#failures = 0
    this.#offset = offset
    this.#what = missing.what
    this.#state = 'loading'
    this.#over = new AbortController()
    this.#partition.gate.close('schema')
    void this.#load(missing, this.#over.signal, isAgain ? stillMissing(missing) : null)
  }

  drop(): void {
    this.#state = 'over'
    this.#over?.abort()
  }

  /** Never rejects. @param problem why it was in vain the last time */
  async #load(missing: Missing, over: AbortSignal, problem: unknown): Promise<void> {
    for (let failed = problem; ;) {
      if (failed !== null) await this.#heldUp(missing, failed, over)
      if (over.aborted) return
      failed = await this.#problemOf(missing)
      if (over.aborted) return
      if (failed === null) break
    }
    this.#state = 'ready'
    this.#partition.gate.lift('schema')
    if (this.#failures > 0) {
      const { topic, partition } = this.#partition
      tell(this.#parts.telemetry, { kind: 'decoding-goes-on', topic, partition, offset: this.#offset })
    }
    this.#partition.lanes.supplied()
  }

  async #problemOf(missing: Missing): Promise<unknown> {
    const { clock } = this.#parts.runtime
    try {
      const onLate = () => {
        throw new TimeoutError('schema-timeout', `${missing.what} was not told within ${mostMs} ms`)
      }
      await withinDeadline(Promise.resolve(missing.load()), { clock, deadline: clock.now() + mostMs, onLate })
      return null
    } catch (error) {
      return error ?? new Error('it was rejected without an error')
    }
  }

  async #heldUp({ what }: Missing, error: unknown, over: AbortSignal): Promise<void> {
    const { runtime, telemetry } = this.#parts
    this.#failures += 1
    const delayMs = again(this.#failures, runtime.random)
    const { topic, partition } = this.#partition
    tell(telemetry, { kind: 'decoding-held-up', topic, partition, offset: this.#offset, what, delayMs, error })
    await pause(runtime.clock, delayMs, over)
  }
}

function stillMissing({ what }: Missing): Error {
  return new Error(`${what} was loaded, and its serde says that it is still missing`)
}
