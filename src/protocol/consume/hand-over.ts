import type {
  AssignedPartition,
  ConsumerListener,
  ConsumerSettings,
  PositionReset,
  StartPosition,
} from '../../driver/consumer.js'
import { StateError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { Cutoff } from '../../runtime/cutoff.js'
import { deferred } from '../../runtime/deferred.js'
import { pause } from '../../runtime/pause.js'
import { whenAborted } from '../../runtime/when-aborted.js'
import { tell } from '../../telemetry/tell.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { ClientContext } from '../cluster/client-context.js'
import type { Fetcher } from '../fetch/fetcher.js'
import type { EndOffsets } from '../offsets/end-offsets.js'
import { Companions } from '../group/companions.js'
import type { GivenPartition } from '../group/membership.js'
import { CountsAtFirst } from '../offsets/counts-at-first.js'
import { findStartingPoints, type StartingPoint } from '../offsets/starting-points.js'

type HandOverContext = ClientContext<
  Pick<
    ConsumerSettings,
    | 'groupId'
    | 'topics'
    | 'companions'
    | 'from'
    | 'isolation'
    | 'onOutOfRange'
    | 'requestTimeoutMs'
    | 'sessionTimeoutMs'
    | 'logger'
    | 'metrics'
    | 'onEvent'
    | 'troubles'
  >
>

type NewPosition = Pick<AssignedPartition, 'topic' | 'partition' | 'position' | 'committed'>

interface HandOverParts {
  readonly listener: ConsumerListener
  readonly fetcher: Fetcher
  readonly ends: EndOffsets
}

/**
 * One partition while it is ours. Its tenure aborts when it is given up or gone: then nothing new begins for it.
 *
 * | it is         | `assigned` | tenure | leaves by |
 * |---------------|------------|--------|-----------|
 * | looked up     | `null`     | runs   | its position is known: handed over; revoke, lose: gone |
 * | handed over   | known      | runs   | revoke: handed back; lose: gone; reset: another takes its place |
 * | handed back   | known      | over   | the listener is done, or its time is: gone; lose: gone |
 * | any           | any        | any    | taken again without having been given up: it is lost first |
 *
 * Given by id and found in another topic of its name, it rests as it is until the group takes it, or brokers name the
 * topic that was given again: looked up, it is not handed over; handed over, it is not reset.
 */
interface Held extends TopicPartition {
  /** As the group gave it; `null` where it gives by name. */
  readonly topicId: string | null
  readonly tenure: AbortController
  /** As the listener was told. */
  assigned: AssignedPartition | null
  /** Ends when the listener has taken it in. */
  handOver: Promise<void>
  handBack: HandBack | null
}

/** Partitions on their way back to the group. */
interface HandBack {
  readonly cutoff: Cutoff
  /** What of it is not lost meanwhile. */
  readonly partitions: Set<Held>
  /** What the listener was asked to give up. */
  told: readonly AssignedPartition[]
  readonly ended: Promise<void>
}

/**
 * What is ours now, and under which epoch. Hands partitions to the listener and the fetcher, and takes them back: once a
 * partition was revoked or lost, nothing of its old assignment is read or committed.
 */
export class HandOver {
  readonly #context: HandOverContext
  readonly #parts: HandOverParts
  readonly #held = new Map<string, Held>()
  /** Of these, those that are looked up: facts are asked for often, and there may be thousands. */
  readonly #startless = new Set<Held>()
  readonly #companions: Companions
  #epoch = 0

  readonly #atFirst = new CountsAtFirst()
  /** Starts that no commit tells yet. */
  readonly #decided = new Map<string, StartingPoint>()
  /** Ids of the topics when this member was first given partitions, as far as brokers told. */
  readonly #idsAtFirst = new Map<string, string>()

  constructor(context: HandOverContext, parts: HandOverParts) {
    this.#context = context
    this.#parts = parts
    this.#companions = new Companions(context.settings.companions)
  }

  all(): readonly AssignedPartition[] {
    return assignedOf(this.#held.values())
  }

  /** Ours, and nobody could tell yet where they start. */
  startless(): readonly TopicPartition[] {
    return [...this.#startless]
  }

  /** As the listener was told; `undefined` when that is over. */
  assigned(at: TopicPartition, epoch: number): AssignedPartition | undefined {
    const assigned = this.#find(at)?.assigned
    return assigned?.epoch === epoch ? assigned : undefined
  }

  /** Aborts when this hand-over of the partition is over; has aborted when it is already. */
  tenureOf(partition: AssignedPartition): AbortSignal {
    const held = this.#find(partition)
    return held?.assigned?.epoch === partition.epoch ? held.tenure.signal : AbortSignal.abort()
  }

  /** Hands partitions over as their positions become known. `first` is called once something (or nothing at all) was. */
  async take(partitions: readonly GivenPartition[], from: StartPosition, first: () => void): Promise<void> {
    this.#noteIds()
    if (partitions.length === 0) {
      // That nothing comes besides says nothing of what is still looked up.
      if (this.startless().length === 0) first()
      return
    }
    this.lose(partitions.filter((at) => this.#find(at) !== undefined))
    const taken = new Map(partitions.map((at) => [keyOf(at), this.#hold(at)]))
    const isWanted = (at: TopicPartition) => taken.get(keyOf(at))?.tenure.signal.aborted === false
    const nobodyWaits = new AbortController()
    const tenures = [...taken.values()].map(({ tenure }) => whenAborted(tenure.signal))
    void Promise.all(tenures).then(() => nobodyWaits.abort(tenureOver())) // never rejects
    const isMadeAnew = (topic: string) => this.#isMadeAnew(topic)
    const companions = this.#companions
    const kept = { atFirst: this.#atFirst, decided: this.#decided, isMadeAnew, companions }
    const later = (rounds: number) => this.#tellStarts(rounds)
    const search = { from, ...kept, later, isWanted, signal: nobodyWaits.signal }
    const { clock, random } = this.#context.runtime
    let sought: readonly TopicPartition[] = partitions
    for (let round = 1; sought.length > 0; round += 1) {
      const others: StartingPoint[] = []
      for await (const points of findStartingPoints(this.#context, sought, search)) {
        if (nobodyWaits.signal.aborted) return
        const meant: StartingPoint[] = []
        for (const point of points.filter(isWanted)) (this.#isMeant(point) ? meant : others).push(point)
        if (meant.length === 0) continue
        await this.#handOver(meant)
        first()
      }
      sought = others.filter(isWanted)
      if (sought.length > 0) await pause(clock, brokerBackoff(round, random), nobodyWaits.signal)
      if (nobodyWaits.signal.aborted) return
    }
    if (this.startless().length === 0) tell(this.#context.settings, { kind: 'starts-known' })
  }

  /** Is the topic that brokers name now the one that the group gave? Else it may have given that one to somebody else. */
  isMeant({ topic, partition }: TopicPartition): boolean {
    return this.#isMeant({ topic, partition, topicId: this.#context.cluster.topic(topic)?.topicId ?? null })
  }

  /** The same partition again, under a new epoch and at another position: what was read before counts no more. */
  reset(former: AssignedPartition, reset: PositionReset, leaderEpoch: number): void {
    const before = this.#find(former)
    if (before?.assigned?.epoch !== former.epoch || before.handBack !== null) return
    const { fetcher, listener, ends } = this.#parts
    const { topic, partition } = former
    if (!this.isMeant(former)) return
    const topicId = this.#context.cluster.topic(topic)?.topicId ?? null
    const epoch = (this.#epoch += 1)
    const assigned = this.#assignedAt({ topic, partition, position: reset.to, committed: null }, epoch)
    // What stands yet is as it was read, also for what is completed of it.
    const epochs = fetcher.logs.leaderEpochs(former, 0, reset.keptTo ?? 0)
    fetcher.remove([former])
    endTenure(before)
    const held = this.#hold(before)
    held.assigned = assigned
    this.#startless.delete(held)
    ends.follow(held, held.tenure.signal, topicId)
    fetcher.hold([assigned], [{ topicId, leaderEpoch, epochs }])
    listener.reset(former, assigned, reset)
    fetcher.release([assigned])
  }

  /**
   * Stops intake, then waits for the listener, at most until `deadline`; what is on its way back already ends by the
   * earlier deadline. Never rejects.
   */
  async revoke(partitions: readonly TopicPartition[], deadline: number): Promise<void> {
    const held = partitions.flatMap((at) => this.#find(at) ?? [])
    const earlier = new Set(held.flatMap(({ handBack }) => handBack ?? []))
    for (const handBack of earlier) this.#hurry(handBack, deadline)
    const fresh = held.filter(({ handBack }) => handBack === null)
    const begun = fresh.length > 0 ? [this.#giveBack(fresh, deadline)] : []
    await Promise.all([...begun, ...[...earlier].map(({ ended }) => ended)])
  }

  /** These are gone already. */
  lose(partitions: readonly TopicPartition[]): void {
    const held = partitions.flatMap((at) => this.#find(at) ?? [])
    this.#parts.fetcher.remove(held)
    for (const gone of held) endTenure(gone)
    this.#forget(held)
    for (const gone of held) {
      gone.handBack?.partitions.delete(gone)
      if (gone.handBack?.partitions.size === 0) gone.handBack.cutoff.bringForward(this.#context.runtime.clock.now())
    }
    const told = assignedOf(held)
    if (told.length > 0) this.#parts.listener.lost(told)
  }

  #hurry(handBack: HandBack, deadline: number): void {
    if (deadline >= handBack.cutoff.at) return
    handBack.cutoff.bringForward(deadline)
    // Never rejects, and the first call is waited for.
    if (handBack.told.length > 0) void this.#parts.listener.revoked(handBack.told, deadline)
  }

  async #giveBack(held: readonly Held[], deadline: number): Promise<void> {
    const { promise: ended, resolve: end } = deferred<void>()
    const cutoff = new Cutoff(this.#context.runtime.clock, deadline)
    const handBack: HandBack = { cutoff, partitions: new Set(held), told: [], ended }
    for (const one of held) {
      one.handBack = handBack
      endTenure(one)
    }
    this.#parts.fetcher.remove(held)
    const late = cutoff.reached.then(() => 'late' as const)
    // The listener hears of the end of an assignment only after it has taken in its beginning.
    const begun = Promise.all(held.map(({ handOver }) => handOver)).then(() => 'begun' as const)
    if ((await Promise.race([begun, late])) === 'late') this.lose([...handBack.partitions])
    else await this.#drain(handBack, late)
    cutoff.cancel()
    this.#forget(handBack.partitions)
    end()
  }

  async #drain(handBack: HandBack, late: Promise<'late'>): Promise<void> {
    const told = assignedOf(handBack.partitions)
    if (told.length === 0) return
    handBack.told = told
    const drained = this.#parts.listener.revoked(told, handBack.cutoff.at).then(() => 'drained' as const)
    const end = await Promise.race([drained, late])
    // What went lost meanwhile is somebody else's, and nobody waits for this any more.
    const { size } = handBack.partitions
    if (end === 'late' && size > 0) tell(this.#context.settings, { kind: 'drain-late', partitions: size })
  }

  #find(at: TopicPartition): Held | undefined {
    return this.#held.get(keyOf(at))
  }

  /** Not of a topic of that name that was made anew since: that one is given anew, to whomever. */
  #isMeant(found: Pick<StartingPoint, 'topic' | 'partition' | 'topicId'>): boolean {
    const given = this.#find(found)?.topicId ?? null
    return given === null || found.topicId === null || found.topicId === given
  }

  #hold({ topic, partition, topicId }: Pick<Held, 'topic' | 'partition'> & { readonly topicId?: string | null }): Held {
    const held: Held = {
      topic,
      partition,
      topicId: topicId ?? null,
      tenure: new AbortController(),
      assigned: null,
      handOver: Promise.resolve(),
      handBack: null,
    }
    this.#held.set(keyOf(held), held)
    this.#startless.add(held)
    return held
  }

  /** What is left to look up is told once: a group may take thousands of partitions that are looked up still. */
  #forget(all: Iterable<Held>): void {
    let fewerStartless = false
    for (const held of all) {
      if (this.#find(held) !== held) continue
      this.#held.delete(keyOf(held))
      if (this.#startless.delete(held)) fewerStartless = true
    }
    if (fewerStartless) this.#tellStarts(0)
  }

  #tellStarts(rounds: number): void {
    const partitions = this.startless().map(({ topic, partition }) => ({ topic, partition }))
    const { settings } = this.#context
    tell(settings, partitions.length > 0 ? { kind: 'starts-unknown', partitions, rounds } : { kind: 'starts-known' })
  }

  async #handOver(points: readonly StartingPoint[]): Promise<void> {
    const { fetcher, listener, ends } = this.#parts
    const epoch = (this.#epoch += 1)
    const places = points.filter((point) => this.#find(point) !== undefined)
    const held = places.flatMap((point) => this.#find(point) ?? [])
    const assigned = places.map((point) => this.#assignedAt(point, epoch))
    for (const [index, one] of held.entries()) {
      one.assigned = assigned[index] ?? null
      this.#startless.delete(one)
      ends.follow(one, one.tenure.signal, places[index]?.topicId ?? null)
    }
    fetcher.hold(assigned, places)
    const taken = listener.assigned(assigned)
    for (const one of held) one.handOver = taken
    await taken
    const still = (partition: AssignedPartition) => !this.tenureOf(partition).aborted
    for (const [index, { error }] of places.entries()) {
      const partition = assigned[index]
      if (error !== null && partition !== undefined && still(partition)) fetcher.fail(partition, error)
    }
    fetcher.release(assigned.filter(still))
  }

  #noteIds(): void {
    const { cluster, settings } = this.#context
    for (const topic of settings.topics) {
      const topicId = cluster.topic(topic)?.topicId ?? null
      if (topicId !== null && !this.#idsAtFirst.has(topic)) this.#idsAtFirst.set(topic, topicId)
    }
  }

  #isMadeAnew(topic: string): boolean {
    const atFirst = this.#idsAtFirst.get(topic)
    const now = this.#context.cluster.topic(topic)?.topicId ?? null
    return atFirst !== undefined && now !== null && now !== atFirst
  }

  /** As it is on record, else as this member found it: that goes on record with its first commit. */
  #countAtFirst(topic: string): number | null {
    const { cluster, settings } = this.#context
    if (settings.from === 'earliest' || settings.groupId === null || this.#companions.has(topic)) return null
    const known = cluster.topic(topic)
    return known === undefined ? null : this.#atFirst.ofOrNow(known)
  }

  #assignedAt({ topic, partition, position, committed }: NewPosition, epoch: number): AssignedPartition {
    const { fetcher } = this.#parts
    const { cluster } = this.#context
    const logNow = (assigned: AssignedPartition) => cluster.logOf(topic, fetcher.logs.topicIdOf(assigned))
    return {
      topic,
      partition,
      epoch,
      position,
      committed,
      partitionsAtFirst: this.#countAtFirst(topic),
      get log() {
        return logNow(this)
      },
      leaderEpochs(from, to) {
        return fetcher.logs.leaderEpochs(this, from, to)
      },
    }
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition)
}

function assignedOf(held: Iterable<Held>): readonly AssignedPartition[] {
  return [...held].flatMap(({ assigned }) => assigned ?? [])
}

function tenureOver(): StateError {
  return new StateError('assignment-over', 'the assignment is over')
}

function endTenure({ tenure }: Held): void {
  tenure.abort(tenureOver())
}
