import type { GroupDescription } from '../../driver/admin.js'
import { lookAtGroups, type SeenGroup } from '../../lag/lag-look.js'
import { LagWindows } from '../../lag/lag-windows.js'
import { askProcesses } from '../../members/process-facts.js'
import type { Messaging } from '../../messaging.js'
import { pause } from '../../runtime/pause.js'
import { thrownText } from '../../runtime/thrown.js'
import type { PartitionFactsSight, Sight } from '../model/sight.js'
import { counted } from './counted.js'
import { Histories } from './histories.js'
import { factsOf, knownMembers } from './known-members.js'
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
  #rest = new AbortController()
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

  /** Looks at all of it as soon as the look under way has ended. */
  lookNow(): void {
    this.#structureAt = -Infinity
    this.#rest.abort()
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
      const ends = AbortSignal.any([this.#closed.signal, this.#rest.signal])
      await pause(messaging.clock, this.#sight.cost.everyMs, ends)
      if (this.#rest.signal.aborted) this.#rest = new AbortController()
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
      const { seen, unseen } = await this.#lookAtGroups(structure)
      const kept = new Set(names)
      this.#histories.keepOnly(kept)
      this.#standstills.keepOnly(kept)
      const answers = await processes
      const known = knownMembers(answers)
      const told = new Map(names.map((name) => [name, factsOf(known, name)]))
      const watched = this.#windows.add(seen, clock.now(), clock.wallTime())
      const lags = watched.map((lag) => counted(lag, told.get(lag.group) ?? new Map<string, PartitionFactsSight>()))
      const stands = new Map(lags.map((lag) => [lag.group, this.#standstills.note(lag)]))
      for (const lag of lags) this.#histories.note(lag)
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
          known,
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
  async #lookAtGroups({
    groups,
  }: Structure): Promise<{ seen: readonly SeenGroup[]; unseen: ReadonlyMap<string, string> }> {
    const { messaging, timeoutMs } = this.#parts
    const watched = [...groups].map(([group, description]) => ({ group, topics: topicsOf(description) }))
    try {
      return sorted(await lookAtGroups(messaging.admin, watched, () => timeoutMs))
    } catch {
      const looks = await Promise.allSettled(
        watched.map((one) => lookAtGroups(messaging.admin, [one], () => timeoutMs)),
      )
      const alone = sorted(looks.flatMap((look) => (look.status === 'fulfilled' ? look.value : [])))
      const unseen = looks.flatMap((look, index) =>
        look.status === 'rejected' ? [[watched[index]?.group ?? '', thrownText(look.reason).message] as const] : [],
      )
      return { seen: alone.seen, unseen: new Map([...alone.unseen, ...unseen]) }
    }
  }
}

/** Those of whose coordinator nothing was heard apart, with the reason. */
function sorted(looked: readonly SeenGroup[]): {
  readonly seen: readonly SeenGroup[]
  readonly unseen: ReadonlyMap<string, string>
} {
  const unseen = new Map<string, string>()
  for (const { group, unseen: parts } of looked) {
    for (const part of parts) if (part.topic === null) unseen.set(group, part.why)
  }
  return { seen: looked.filter(({ group }) => !unseen.has(group)), unseen }
}

/** What members read: there they may have committed nothing yet. */
function topicsOf(description: GroupDescription | null): readonly string[] {
  return [...new Set(description?.members.flatMap(({ partitions }) => partitions.map(({ topic }) => topic)) ?? [])]
}
