import { TidemarkError } from '../errors.js'
import { wallTimeOf, type Clock, type Timer } from '../runtime/clock.js'
import { courses, endings, repeating, toldOnce, type Course } from './courses.js'
import type { ClientEvent, EventKind } from './events.js'
import { Repeats } from './repeats.js'

/** Of what repeats. */
const repeatMs = 60_000
/** Between the first telling and the next; then it doubles. */
const againMs = 60_000
const mostAgainMs = 600_000

interface Trouble {
  readonly since: number
  /** The latest words for it, and where they go. */
  event: ClientEvent
  say: Say
  /** When nobody of them is left, it is nobody's. */
  readonly metBy: Set<Troubles>
  metAt: number
  toldAt: number
  /** How often it was told. */
  told: number
  /** When it is to be told next. */
  at: number
  distanceMs: number
}

/** Something that lasts: it was told, and has not ended. Plain data. */
export interface StandingTrouble {
  /** The event that told it. */
  readonly kind: ClientEvent['kind']
  /** Wall time, ms since the Unix epoch. */
  readonly since: number
  /** What it is about, as far as its event says. */
  readonly topic: string | null
  readonly partition: number | null
  readonly node: number | 'bootstrap' | null
  /** Of its latest error, where that is one of ours. */
  readonly code: string | null
}

/** What a line has beside its event. */
export interface Lasting {
  readonly lastsMs: number
  /** How often it was told before; missing when it was not. */
  readonly again?: number | undefined
}

/** Tells an event: `first` counts and is heard, `repeated` too but is news at most, `again` is a line only. */
export type Say = (event: ClientEvent, which: 'first' | 'repeated' | 'again', lasting?: Lasting) => void

/**
 * The troubles of one client that last.
 *
 * | a trouble | news                       | becomes |
 * |-----------|----------------------------|---------|
 * | none      | it is told                 | waiting for `afterMs`; told when that is 0 |
 * | waiting   | it is told again           | waiting still, with the latest words |
 * | waiting   | `afterMs` are over         | told: counted, written, heard |
 * | waiting   | its end                    | none, and nobody hears of it |
 * | told      | it is told again           | told, with the latest words |
 * | told      | the distance is over       | told: written again with how long it lasts; the distance doubles |
 * | told      | nobody met it again where it lapses | none: that is told |
 * | told      | its end                    | none: the end is written with how long it lasted, and heard |
 * | any       | its partition is given up, it is forgotten, or the client is closed | none, and nobody hears of it |
 *
 * One timer, and none while there is no trouble.
 */
export class Troubles {
  readonly #clock: Clock
  readonly #surroundings: Troubles | null
  readonly #standing = new Map<string, Trouble>()
  readonly #repeats: Repeats
  readonly #saidOnce = new Set<EventKind>()
  #timer: { readonly at: number; readonly timer: Timer } | null = null
  #state: 'open' | 'closed' = 'open'

  /** @internal @param surroundings where troubles stand that all clients share */
  constructor(clock: Clock, surroundings: Troubles | null = null) {
    this.#clock = clock
    this.#repeats = new Repeats(clock, repeatMs)
    this.#surroundings = surroundings
  }

  /** An event of the client happened: says it now, later or never. */
  take(event: ClientEvent, say: Say): void {
    if (toldOnce.has(event.kind) && (this.#surroundings ?? this).#wasSaid(event.kind)) return
    const course = courses[event.kind]
    const ended = this.#ended(event, say)
    if (course !== undefined) this.#homeOf(event.kind).#stands(event, course, say, this)
    else if (ended === 'not-an-end') say(event, this.#isRepeated(event) ? 'repeated' : 'first')
    if (event.kind === 'drained')
      for (const { topic, partition } of event.drain.partitions) this.#left(topic, partition)
  }

  /** What was told and has not ended, of this client alone: what all share stands in the surroundings. */
  standing(): readonly StandingTrouble[] {
    const told = [...this.#standing.values()].filter((trouble) => trouble.told > 0)
    return told.map(({ event, since }) => standingOf(event, wallTimeOf(this.#clock, since)))
  }

  /** It is over without anybody being able to say that it ended well. */
  forget(kind: EventKind): void {
    this.#homeOf(kind).#leave(this, kind)
  }

  /** What its client began has ended; it may begin anew. */
  forgetAll(): void {
    this.#standing.clear()
    this.#arm()
    if (this.#surroundings !== null) this.#surroundings.#leave(this, null)
  }

  /** No timer is left, and nothing more is told again. */
  close(): void {
    this.#state = 'closed'
    this.forgetAll()
  }

  /** What nobody else met is gone. */
  #leave(client: Troubles, kind: EventKind | null): void {
    for (const [key, { event, metBy }] of this.#standing) {
      if (kind !== null && event.kind !== kind) continue
      if (metBy.delete(client) && metBy.size === 0) this.#standing.delete(key)
    }
    this.#arm()
  }

  /** Says the end where there is one to be said. */
  #ended(event: ClientEvent, say: Say): 'ended' | 'not-an-end' {
    const ending = endings.get(event.kind)
    if (ending === undefined) return 'not-an-end'
    for (const kind of ending.of) {
      const home = this.#homeOf(kind)
      const key = keyOf(kind, event)
      const trouble = home.#standing.get(key)
      if (trouble === undefined) continue
      home.#standing.delete(key)
      home.#arm()
      if (trouble.told === 0 || ending.isToldAlone) continue
      say(event, 'first', { lastsMs: home.#clock.now() - trouble.since })
    }
    return ending.isToldAlone ? 'not-an-end' : 'ended'
  }

  #stands(event: ClientEvent, { afterMs }: Course, say: Say, by: Troubles): void {
    const key = keyOf(event.kind, event)
    const known = this.#standing.get(key)
    if (known !== undefined) {
      known.event = event
      known.say = say
      known.metAt = this.#clock.now()
      known.metBy.add(by)
      return
    }
    if (this.#state === 'closed') return say(event, 'first')
    const since = this.#clock.now()
    const times = { since, metAt: since, toldAt: since, at: since + afterMs }
    this.#standing.set(key, { event, say, metBy: new Set([by]), told: 0, distanceMs: againMs, ...times })
    if (afterMs === 0) this.#tellDue()
    else this.#arm()
  }

  #tellDue(): void {
    const now = this.#clock.now()
    for (const [key, trouble] of [...this.#standing]) {
      // What is told may have changed what stands.
      if (trouble.at > now || this.#standing.get(key) !== trouble) continue
      if (this.#lapses(trouble)) this.#lapsed(key, trouble)
      else this.#tell(trouble, now)
    }
    this.#arm()
  }

  #lapses({ event, told, metAt, toldAt }: Trouble): boolean {
    return told > 0 && metAt <= toldAt && courses[event.kind]?.lapsesInto !== undefined
  }

  #lapsed(key: string, { event, since, metAt, say }: Trouble): void {
    this.#standing.delete(key)
    const into = courses[event.kind]?.lapsesInto
    if (into === undefined || into === 'silence') return
    const { node } = event as { readonly node?: number | 'bootstrap' }
    say({ kind: into, node } as ClientEvent, 'first', { lastsMs: metAt - since })
  }

  #wasSaid(kind: EventKind): boolean {
    const wasSaid = this.#saidOnce.has(kind)
    this.#saidOnce.add(kind)
    return wasSaid
  }

  #isRepeated(event: ClientEvent): boolean {
    const causeOf = repeating[event.kind] as ((event: ClientEvent) => string) | undefined
    return causeOf !== undefined && this.#repeats.met(`${event.kind}/${causeOf(event)}`) === 'too-soon'
  }

  #tell(trouble: Trouble, now: number): void {
    const { told, since, event, say } = trouble
    trouble.told += 1
    trouble.toldAt = now
    trouble.at = now + trouble.distanceMs
    trouble.distanceMs = Math.min(mostAgainMs, trouble.distanceMs * 2)
    if (told === 0) say(event, 'first')
    else say(event, 'again', { lastsMs: now - since, again: told })
  }

  #left(topic: string, partition: number): void {
    for (const [key, { event }] of this.#standing) {
      if ('topic' in event && 'partition' in event && event.topic === topic && event.partition === partition)
        this.#standing.delete(key)
    }
    this.#arm()
  }

  #arm(): void {
    let at = Infinity
    for (const trouble of this.#standing.values()) at = Math.min(at, trouble.at)
    if (this.#timer?.at === at) return
    this.#timer?.timer.cancel()
    this.#timer = null
    if (at === Infinity) return
    const timer = this.#clock.setTimer(Math.max(0, at - this.#clock.now()), () => {
      this.#timer = null
      this.#tellDue()
    })
    timer.unref?.()
    this.#timer = { at, timer }
  }

  #homeOf(kind: EventKind): Troubles {
    return courses[kind]?.shared === true ? (this.#surroundings ?? this) : this
  }
}

function standingOf(event: ClientEvent, since: number): StandingTrouble {
  const {
    topic = null,
    partition = null,
    node = null,
    error,
  } = event as {
    readonly topic?: string
    readonly partition?: number
    readonly node?: number | 'bootstrap'
    readonly error?: unknown
  }
  const code = error instanceof TidemarkError ? error.code : null
  return { kind: event.kind, since, topic, partition, node, code }
}

function keyOf(kind: EventKind, event: ClientEvent): string {
  const {
    topic = '',
    partition = '',
    node = '',
  } = event as {
    readonly topic?: string
    readonly partition?: number
    readonly node?: number | 'bootstrap'
  }
  return `${kind}/${topic}/${partition}/${node}`
}
