import type { Clock, Timer } from '../runtime/clock.js'
import type { ClientEvent, EventKind } from './events.js'

/** How something that lasts is told. */
interface Course {
  /** It counts when it has lasted so long; what ends before was none. */
  readonly afterMs: number
  /** What ends it. These are told of troubles that were told, and of no other. */
  readonly ends: readonly EventKind[]
  /** What ends it too, and is told whether there was a trouble or not. */
  readonly endsToo?: readonly EventKind[] | undefined
  /** Of the surroundings: one for all clients of a messaging. */
  readonly shared?: boolean | undefined
}

/**
 * What lasts: told once, again at rising distances, and when it ends. Of one kind there is one for each place (topic and
 * partition, or node) that its event names.
 */
const courses: { readonly [Kind in EventKind]?: Course } = {
  'starts-unknown': { afterMs: 10_000, ends: ['starts-known'] },
  stalled: { afterMs: 0, ends: ['stall-ended'] },
  'partition-stopped': { afterMs: 0, ends: ['partition-restarted'] },
  'dead-letter-delayed': { afterMs: 0, ends: [], endsToo: ['dead-lettered', 'partition-stopped'] },
  'fetch-unanswered': { afterMs: 0, ends: ['fetch-answered'] },
  'commit-delayed': { afterMs: 10_000, ends: ['commit-caught-up'] },
  'outside-group': { afterMs: 10_000, ends: ['inside-group-again'] },
}

/** What a kind of event ends, and whether it is told where nothing was to be ended. */
const endings = new Map<EventKind, { readonly of: readonly EventKind[]; readonly isToldAlone: boolean }>()
for (const [kind, { ends, endsToo = [] }] of Object.entries(courses) as [EventKind, Course][]) {
  for (const end of [...ends, ...endsToo]) {
    const known = endings.get(end)
    const isToldAlone = endsToo.includes(end) || known?.isToldAlone === true
    endings.set(end, { of: [...(known?.of ?? []), kind], isToldAlone })
  }
}

/** Between the first telling and the next; then it doubles. */
const againMs = 60_000
const mostAgainMs = 600_000

interface Trouble {
  readonly since: number
  /** The latest words for it, and where they go. */
  event: ClientEvent
  say: Say
  /** How often it was told. */
  told: number
  /** When it is to be told next. */
  at: number
  distanceMs: number
}

/** What a line has beside its event. */
export interface Lasting {
  readonly lastsMs: number
  /** How often it was told before; missing when it was not. */
  readonly again?: number | undefined
}

/** Tells an event: `first` counts and is heard, `again` is a line only. */
export type Say = (event: ClientEvent, which: 'first' | 'again', lasting?: Lasting) => void

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
 * | told      | its end                    | none: the end is written with how long it lasted, and heard |
 * | any       | its partition is given up, it is forgotten, or the client is closed | none, and nobody hears of it |
 *
 * One timer, and none while there is no trouble.
 */
export class Troubles {
  readonly #clock: Clock
  readonly #surroundings: Troubles | null
  readonly #standing = new Map<string, Trouble>()
  #timer: { readonly at: number; readonly timer: Timer } | null = null
  #state: 'open' | 'closed' = 'open'

  /** @param surroundings where troubles stand that all clients share */
  constructor(clock: Clock, surroundings: Troubles | null = null) {
    this.#clock = clock
    this.#surroundings = surroundings
  }

  /** An event of the client happened: says it now, later or never. */
  take(event: ClientEvent, say: Say): void {
    const course = courses[event.kind]
    const ended = this.#ended(event, say)
    if (course !== undefined) this.#homeOf(event.kind).#stands(event, course, say)
    else if (ended === 'not-an-end') say(event, 'first')
    if (event.kind === 'drained')
      for (const { topic, partition } of event.drain.partitions) this.#left(topic, partition)
  }

  /** It is over without anybody being able to say that it ended well. */
  forget(kind: EventKind): void {
    for (const [key, { event }] of this.#standing) if (event.kind === kind) this.#standing.delete(key)
    this.#arm()
  }

  /** What its client began has ended; it may begin anew. */
  forgetAll(): void {
    this.#standing.clear()
    this.#arm()
  }

  /** No timer is left, and nothing more is told again. */
  close(): void {
    this.#state = 'closed'
    this.#standing.clear()
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

  #stands(event: ClientEvent, { afterMs }: Course, say: Say): void {
    const key = keyOf(event.kind, event)
    const known = this.#standing.get(key)
    if (known !== undefined) {
      known.event = event
      known.say = say
      return
    }
    if (this.#state === 'closed') return say(event, 'first')
    const since = this.#clock.now()
    this.#standing.set(key, { since, event, say, told: 0, at: since + afterMs, distanceMs: againMs })
    if (afterMs === 0) this.#tellDue()
    else this.#arm()
  }

  #tellDue(): void {
    const now = this.#clock.now()
    for (const [key, trouble] of [...this.#standing]) {
      // What is told may have changed what stands.
      if (trouble.at <= now && this.#standing.get(key) === trouble) this.#tell(trouble, now)
    }
    this.#arm()
  }

  #tell(trouble: Trouble, now: number): void {
    const { told, since, event, say } = trouble
    trouble.told += 1
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
