import { brokerCode } from '../../connection/broker-error.js'
import type { FetchAnswer, FetchPartition, FetchSessionPart } from '../../connection/requests/fetch.js'

type State =
  | { readonly kind: 'none' }
  /** The broker knows what `#told` says, and waits for the request with this epoch. */
  | { readonly kind: 'open'; readonly id: number; readonly epoch: number }
  /** The broker may remember something under this id; what, nobody knows. */
  | { readonly kind: 'in-doubt'; readonly id: number }

const none: State = { kind: 'none' }

/** Epochs that go on with a session are above 0. */
const firstEpoch = 1
const lastEpoch = 2 ** 31 - 1

interface Next {
  /** What of all that is wanted the request has to name. */
  readonly partitions: readonly FetchPartition[]
  readonly session: FetchSessionPart
}

/**
 * What one broker remembers of what it is asked for, so that a request names only what has changed, and an answer only what
 * is new. One request at a time is on its way:
 *
 * | state    | the next request                                                   | then, until its answer |
 * |----------|--------------------------------------------------------------------|------------------------|
 * | none     | names all, and asks for a session                                  | none                   |
 * | in doubt | names all, and asks for a session in place of that one             | in doubt               |
 * | open     | names what is new or has another place, and what is not wanted now | in doubt               |
 * | open, but a topic was made anew, or ids of topics became known | as in doubt            | in doubt               |
 *
 * | the answer                                               | the state            | its partitions |
 * |----------------------------------------------------------|----------------------|----------------|
 * | to all, with an id                                       | open, epoch 1        | count          |
 * | to all, without one: the broker has no room              | none                 | count          |
 * | to what has changed, with the same id                    | open, the next epoch | count          |
 * | to what has changed, with another id or none             | in doubt             | count          |
 * | to what has changed: FETCH_SESSION_ID_NOT_FOUND (the broker was restarted, or needed the room) | none | all is asked anew at once |
 * | to what has changed: any other error, INVALID_FETCH_SESSION_EPOCH too | in doubt  | all is asked anew at once |
 * | to all: any error                                        | as before the answer | whoever asked waits, as for any refusal |
 * | none, late, cut off, not readable                        | as before the answer | none           |
 *
 * So nothing is ever built on a request of which it is not known that the broker carried it out, and a late one cannot
 * spoil what came after: a request of a former session, or of a former epoch, is refused by the broker. What a session
 * leaves in a broker is given up there when it needs the room.
 */
export class FetchSession {
  #state: State = none
  readonly #told = new Map<string, FetchPartition>()
  readonly #topics = new Map<string, string>()
  #isById = false
  /** The epoch of the request that is on its way. */
  #asked = 0
  /** As `#told` says. */
  #wanted: ReadonlyMap<string, FetchPartition> | null = null

  /**
   * The next request, by which the broker is to know all of `wanted`, and nothing else.
   *
   * @param wanted by a key of each place, in the order in which they are to be served; the same object says that nothing of it has changed
   */
  next(wanted: ReadonlyMap<string, FetchPartition>): Next {
    const isAsBefore = wanted === this.#wanted
    this.#wanted = wanted
    const isById = isAsBefore ? this.#isById : everyTopicHasAnId(wanted.values())
    const state = this.#state
    const goesOn = state.kind === 'open' && isById === this.#isById && (isAsBefore || !this.#hasOtherTopic(wanted))
    if (!goesOn) return this.#all(wanted, isById)
    this.#state = { kind: 'in-doubt', id: state.id }
    this.#asked = state.epoch
    return isAsBefore
      ? { partitions: [], session: this.#part(state.id, state.epoch, []) }
      : this.#changes(wanted, state)
  }

  #changes(
    wanted: ReadonlyMap<string, FetchPartition>,
    { id, epoch }: { readonly id: number; readonly epoch: number },
  ): Next {
    const partitions: FetchPartition[] = []
    for (const [key, place] of wanted) {
      const told = this.#told.get(key)
      if (told !== undefined && isSame(told, place)) continue
      partitions.push(place)
      this.#tell(key, place)
    }
    const forgotten = this.#told.size > wanted.size ? this.#forget(wanted) : []
    return { partitions, session: this.#part(id, epoch, forgotten) }
  }

  /** `anew`: the answer is to nothing, and all is to be asked at once. */
  answered({ errorCode, sessionId = 0 }: Pick<FetchAnswer, 'errorCode' | 'sessionId'>): 'counts' | 'anew' {
    const wentOn = this.#asked >= firstEpoch
    if (errorCode !== brokerCode.NONE) {
      if (errorCode === brokerCode.FETCH_SESSION_ID_NOT_FOUND) this.#state = none
      return wentOn ? 'anew' : 'counts'
    }
    if (!wentOn) this.#state = sessionId === 0 ? none : { kind: 'open', id: sessionId, epoch: firstEpoch }
    else if (this.#state.kind === 'in-doubt' && this.#state.id === sessionId) {
      this.#state = { kind: 'open', id: sessionId, epoch: this.#asked === lastEpoch ? firstEpoch : this.#asked + 1 }
    }
    return 'counts'
  }

  #all(wanted: ReadonlyMap<string, FetchPartition>, isById: boolean): Next {
    const id = this.#state.kind === 'none' ? 0 : this.#state.id
    if (this.#state.kind === 'open') this.#state = { kind: 'in-doubt', id }
    this.#asked = 0
    this.#isById = isById
    this.#told.clear()
    this.#topics.clear()
    for (const [key, place] of wanted) this.#tell(key, place)
    return { partitions: [...wanted.values()], session: this.#part(id, 0, []) }
  }

  #part(id: number, epoch: number, forgotten: readonly FetchPartition[]): FetchSessionPart {
    const topicOf = (topicId: string) => this.#topics.get(topicId)
    return { id, epoch, forgotten, isById: this.#isById, all: this.#told, topicOf }
  }

  #tell(key: string, place: FetchPartition): void {
    this.#told.set(key, place)
    if (place.topicId !== null) this.#topics.set(place.topicId, place.topic)
  }

  #forget(wanted: ReadonlyMap<string, FetchPartition>): readonly FetchPartition[] {
    const forgotten: FetchPartition[] = []
    for (const [key, place] of this.#told) {
      if (wanted.has(key)) continue
      forgotten.push(place)
      this.#told.delete(key)
    }
    return forgotten
  }

  /** Of the same name: brokers that know topics by their names would take one for the other. */
  #hasOtherTopic(wanted: ReadonlyMap<string, FetchPartition>): boolean {
    for (const [key, { topicId }] of wanted) {
      const told = this.#told.get(key)
      if (told !== undefined && told.topicId !== topicId) return true
    }
    return false
  }
}

function everyTopicHasAnId(places: Iterable<FetchPartition>): boolean {
  for (const { topicId } of places) if (topicId === null) return false
  return true
}

function isSame(told: FetchPartition, place: FetchPartition): boolean {
  if (told === place) return true
  return (
    told.fetchOffset === place.fetchOffset &&
    told.currentLeaderEpoch === place.currentLeaderEpoch &&
    told.partitionMaxBytes === place.partitionMaxBytes
  )
}
