import type { AssignedPartition } from '../../driver/consumer.js'
import { StateError, TidemarkError, TimeoutError } from '../../errors.js'
import { isRecord } from '../../input/shapes.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { originOf, topicIdIn } from '../../offsets/log-identity.js'
import { exponential } from '../../runtime/backoff.js'
import { onAbort } from '../../runtime/on-abort.js'
import type { Runtime } from '../../runtime/runtime.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { OnAssigned, OnRevoked } from '../options/consumer-options.js'
import type { OwnedPartition } from '../partition/owned-partition.js'

export interface UserHooksSettings {
  readonly onAssigned?: OnAssigned | undefined
  readonly onRevoked?: OnRevoked | undefined
  readonly hookTimeoutMs: number
}

export interface UserHooksParts {
  readonly runtime: Runtime
  readonly telemetry: Telemetry
}

type HookName = 'onAssigned' | 'onRevoked'

const backoff = exponential({ initialMs: 1_000, maxMs: 60_000 })

/**
 * What the user does when partitions come and go: foreign code that may take time, throw, or never end. Each call is
 * bounded, has a signal that aborts at its end, and nothing of it is heard after that.
 *
 * | `onAssigned`                  | its partitions |
 * |-------------------------------|----------------|
 * | is under way                  | are held: nothing of them is fetched, handled or committed |
 * | has answered                  | start where it says, else where their group stands |
 * | threw, answered what is no place, or its time is over | are held on; it is told, and asked again after a while |
 * | is under way, they are given up | are gone; its signal aborts |
 */
export class UserHooks {
  readonly #settings: UserHooksSettings
  readonly #parts: UserHooksParts
  readonly #closed = new AbortController()

  constructor(settings: UserHooksSettings, parts: UserHooksParts) {
    this.#settings = settings
    this.#parts = parts
  }

  /** Partitions are held until it has answered. */
  get asksOnAssigned(): boolean {
    return this.#settings.onAssigned !== undefined
  }

  /**
   * Where these partitions start, as far as the user says: by key of the partition; `null` when all of them were given up.
   * Asks until it is answered. Never rejects.
   *
   * @param onAsked called at the end of the first time it was asked
   */
  async startsOf(
    partitions: readonly OwnedPartition[],
    onAsked: () => void,
  ): Promise<ReadonlyMap<string, number> | null> {
    const { clock, random } = this.#parts.runtime
    for (let attempt = 1; ; attempt += 1) {
      const held = partitions.filter(({ isGone }) => !isGone)
      if (held.length === 0) break
      const until = allGone(held)
      try {
        return await this.#ask(held, until.signal)
      } catch (error) {
        if (until.signal.aborted) break
        const delayMs = Math.round(backoff(attempt, random))
        this.#tellFailed('onAssigned', held, error, delayMs)
        onAsked()
        await clock.sleep(delayMs, until.signal).catch(() => undefined) // the next round finds none
      } finally {
        until.over()
        onAsked()
      }
    }
    return null
  }

  /** Resolves when the hook has ended, at the latest when its time is over or `upTo` resolves. Never rejects. */
  async revoked(
    partitions: readonly OwnedPartition[],
    reason: Parameters<OnRevoked>[1]['reason'],
    upTo: Promise<unknown> = new Promise(() => undefined),
  ): Promise<void> {
    const { onRevoked } = this.#settings
    const told = partitions.filter(({ gate }) => !gate.isClosedBy('hook'))
    if (onRevoked === undefined || told.length === 0) return
    const controller = new AbortController()
    void upTo.then(() => controller.abort(beyondDrain())) // never rejects
    try {
      await this.#bounded('onRevoked', controller, (signal) => onRevoked(told.map(placeOf), { reason, signal }))
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#tellFailed('onRevoked', told, error, null)
    }
  }

  /** Nothing of them is waited for any more, and no timer is left. */
  close(): void {
    this.#closed.abort(over('onRevoked'))
  }

  async #ask(held: readonly OwnedPartition[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const { onAssigned } = this.#settings
    const controller = new AbortController()
    onAbort(signal, () => controller.abort(signal.reason))
    const places = held.map(({ topic, partition, assigned }) => {
      return { topic, partition, committed: committedIn(assigned), topicId: topicIdIn(assigned.log) }
    })
    const answer = await this.#bounded('onAssigned', controller, (inTime) => onAssigned?.(places, { signal: inTime }))
    return startsIn(answer, held)
  }

  async #bounded(
    name: HookName,
    controller: AbortController,
    call: (signal: AbortSignal) => unknown,
  ): Promise<unknown> {
    const { clock } = this.#parts.runtime
    const { hookTimeoutMs } = this.#settings
    const signal = AbortSignal.any([controller.signal, this.#closed.signal])
    try {
      // Its beginning is no part of the change that it is told of.
      const ended = Promise.resolve().then(() => call(signal))
      return await withinDeadline(ended, {
        clock,
        deadline: clock.now() + hookTimeoutMs,
        signal,
        onLate: () => {
          throw tooSlow(name, hookTimeoutMs)
        },
      })
    } finally {
      controller.abort(over(name))
    }
  }

  #tellFailed(hook: HookName, partitions: readonly OwnedPartition[], error: unknown, delayMs: number | null): void {
    const { telemetry } = this.#parts
    telemetry.metrics.count('tidemark_foreign_failures_total', { source: hook })
    tell(telemetry, { kind: 'hook-failed', hook, partitions: partitions.map(placeOf), delayMs, error })
  }
}

function placeOf({ topic, partition }: OwnedPartition): TopicPartition {
  return { topic, partition }
}

/** What was committed in a former log of the topic says nothing of this one. */
function committedIn({ committed, log }: AssignedPartition): number | null {
  return committed === null || originOf(committed.metadata, log) === 'former-log' ? null : committed.offset
}

/** Aborts when all of them are given up. */
function allGone(partitions: readonly OwnedPartition[]) {
  const controller = new AbortController()
  const look = () => {
    if (partitions.every(({ isGone }) => isGone)) controller.abort(over('onAssigned'))
  }
  const stops = partitions.map(({ signal }) => onAbort(signal, look))
  look()
  return {
    signal: controller.signal,
    over: () => {
      for (const stop of stops) stop()
    },
  }
}

/** Throws when it is not what the hook may answer. */
function startsIn(answer: unknown, asked: readonly OwnedPartition[]): ReadonlyMap<string, number> {
  const starts = new Map<string, number>()
  if (answer === undefined || answer === null) return starts
  if (!Array.isArray(answer)) throw wrongAnswer('it is no list')
  const keys = new Set(asked.map(({ topic, partition }) => partitionKey(topic, partition)))
  for (const place of answer as readonly unknown[]) {
    const { topic, partition, offset } = isRecord(place) ? place : {}
    const key = partitionKey(String(topic), Number(partition))
    if (!keys.has(key)) throw wrongAnswer('it names a partition that was not asked for')
    if (!Number.isSafeInteger(offset) || (offset as number) < 0) throw wrongAnswer(`the offset of ${key} is none`)
    if (starts.has(key)) throw wrongAnswer(`it names ${key} twice`)
    starts.set(key, offset as number)
  }
  return starts
}

function wrongAnswer(problem: string): TidemarkError {
  const expected = 'return a list of { topic, partition, offset } with whole numbers from 0, or nothing'
  return new TidemarkError('hook-answer', `onAssigned answered what is no starting place: ${problem}; ${expected}`)
}

function tooSlow(name: HookName, hookTimeoutMs: number): TimeoutError {
  return new TimeoutError(
    'hook-timeout',
    `${name} did not end within ${hookTimeoutMs} ms; make it faster, or raise hookTimeoutMs`,
  )
}

function beyondDrain(): TimeoutError {
  return new TimeoutError(
    'hook-timeout',
    'onRevoked did not end within the time that handlers have to finish; see drainMs',
  )
}

function over(name: HookName): StateError {
  return new StateError('hook-over', `this call of ${name} is over, or what it was about is`)
}
