import { lookAtGroups, type SeenGroup } from '../../lag/lag-look.js'
import { LagWindows } from '../../lag/lag-windows.js'
import { askProcesses } from '../../members/process-facts.js'
import type { Messaging } from '../../messaging.js'
import { pause } from '../../runtime/pause.js'
import { thrownText } from '../../runtime/thrown.js'
import type { Sight } from '../model/sight.js'
import { Histories } from './histories.js'
import { knownMembers } from './known-members.js'
import { groupSights } from './sights.js'
import { Standstills } from './standstills.js'
import { lookAtStructure, type Structure } from './structure.js'

export interface ClusterWatchParts {
  readonly messaging: Messaging
  /** Between two looks while somebody watches. */
  readonly everyMs: number
  /** For each call to the cluster. */
  readonly timeoutMs: number
  /** Health servers of members. */
  readonly members: readonly URL[]
  readonly factsToken: string | undefined
}

type Listener = (sight: Sight) => void

/** They are asked at each look. */
const asking = { timeoutMs: 2_000, mostBytes: 1_048_576 }
const structureEveryMs = 30_000
/** Of so many looks a trend is told. */
const windowSize = 6
/** A look that takes long is followed by a longer rest. */
const longestMs = 60_000

/**
 * Looks at the cluster again and again while somebody watches, and asks nothing while nobody does.
 *
 * | watch is | what happens | becomes |
 * |----------|--------------|---------|
 * | idle | somebody watches | watching: looks at once |
 * | watching | a look ends, well or not | told to all; looks again after a rest |
 * | watching | the last one leaves | idle, when the look under way has ended |
 * | any | `close` | closed for good |
 *
 * What a look that failed would have told stays as it was, with its age, and the reason beside it.
 */
export class ClusterWatch {
  readonly #parts: ClusterWatchParts
  readonly #windows = new LagWindows(windowSize)
  readonly #standstills = new Standstills()
  readonly #histories = new Histories()
  readonly #listeners = new Set<Listener>()
  readonly #closed = new AbortController()
  #structure: Structure | null = null
  #structureAt = -Infinity
  #watching: Promise<void> | null = null
  #sight: Sight

  constructor(parts: ClusterWatchParts) {
    this.#parts = parts
    const at = parts.messaging.clock.wallTime()
    const cost = { tookMs: 0, everyMs: parts.everyMs }
    this.#sight = {
      at,
      watchedSince: at,
      cluster: null,
      groups: [],
      letterTopics: [],
      cost,
      failure: null,
      processes: [],
    }
  }

  get sight(): Sight {
    return this.#sight
  }

  /** Tells every look from now on, until what it returns is called. */
  watch(listener: Listener): () => void {
    this.#listeners.add(listener)
    if (!this.#closed.signal.aborted) this.#watching ??= this.#watch()
    return () => void this.#listeners.delete(listener)
  }

  /** Groups and members may have changed: the next look asks for them anew. */
  refresh(): void {
    this.#structureAt = -Infinity
  }

  async close(): Promise<void> {
    this.#closed.abort()
    this.#listeners.clear()
    await this.#watching
  }

  async #watch(): Promise<void> {
    const { messaging } = this.#parts
    while (this.#listeners.size > 0 && !this.#closed.signal.aborted) {
      this.#sight = await this.#look()
      for (const listener of [...this.#listeners]) listener(this.#sight)
      await pause(messaging.clock, this.#sight.cost.everyMs, this.#closed.signal)
    }
    this.#watching = null
  }

  /** Never rejects. */
  async #look(): Promise<Sight> {
    const { messaging, everyMs, members, factsToken } = this.#parts
    const { clock } = messaging
    const startedAt = clock.now()
    const processes = askProcesses(members, { ...asking, token: factsToken, signal: this.#closed.signal })
    try {
      const structure = await this.#structureNow()
      const names = [...structure.groups.keys()]
      const { seen, unseen } = await this.#lookAtGroups(names)
      this.#histories.keepOnly(names)
      this.#standstills.keepOnly(names)
      const lags = this.#windows.add(seen, clock.now(), clock.wallTime())
      const stands = new Map(lags.map((lag) => [lag.group, this.#standstills.note(lag)]))
      for (const lag of lags) this.#histories.note(lag)
      const answers = await processes
      const tookMs = clock.now() - startedAt
      return {
        at: clock.wallTime(),
        watchedSince: this.#sight.watchedSince,
        cluster: structure.cluster,
        groups: groupSights({
          structure,
          lags,
          unseen,
          stands,
          known: knownMembers(answers),
          histories: this.#histories,
        }),
        letterTopics: structure.letterTopics,
        cost: { tookMs, everyMs: Math.min(longestMs, Math.max(everyMs, tookMs * 5)) },
        failure: null,
        processes: answers.map(({ address, failure }) => ({ address, failure })),
      }
    } catch (error) {
      const failure = thrownText(error).message
      return { ...this.#sight, failure, cost: { tookMs: clock.now() - startedAt, everyMs } }
    }
  }

  async #structureNow(): Promise<Structure> {
    const { messaging, timeoutMs } = this.#parts
    const { clock, admin } = messaging
    if (this.#structure === null || clock.now() - this.#structureAt >= structureEveryMs) {
      const before = this.#structure
      this.#structure = await lookAtStructure(admin, timeoutMs)
      this.#structureAt = clock.now()
      for (const group of before?.groups.keys() ?? [])
        if (!this.#structure.groups.has(group)) this.#windows.forget(group)
    }
    return this.#structure
  }

  /** All at once; where that fails each alone, so that one that is refused keeps no other from being seen. */
  async #lookAtGroups(
    names: readonly string[],
  ): Promise<{ seen: readonly SeenGroup[]; unseen: ReadonlyMap<string, string> }> {
    const { messaging, timeoutMs } = this.#parts
    const watched = names.map((group) => ({ group }))
    try {
      return { seen: await lookAtGroups(messaging.admin, watched, () => timeoutMs), unseen: new Map() }
    } catch {
      const looks = await Promise.allSettled(
        watched.map((one) => lookAtGroups(messaging.admin, [one], () => timeoutMs)),
      )
      const seen = looks.flatMap((look) => (look.status === 'fulfilled' ? look.value : []))
      const unseen = looks.flatMap((look, index) =>
        look.status === 'rejected' ? [[names[index] as string, thrownText(look.reason).message] as const] : [],
      )
      return { seen, unseen: new Map(unseen) }
    }
  }
}
