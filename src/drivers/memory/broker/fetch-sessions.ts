import { brokerCode } from '../../../connection/broker-error.js'
import type { FetchAnswer, FetchedPartition, FetchPartition, FetchRequest } from '../../../connection/requests/fetch.js'
import { partitionKey, type TopicPartition } from '../../../message/topic-partition.js'
import type { ClusterState } from '../cluster/cluster-state.js'

/** What is remembered of one place of a session: what is asked of it, and what was told last. */
interface Remembered {
  asked: FetchPartition
  highWatermark: number
  logStartOffset: number
}

interface Session {
  readonly id: number
  epoch: number
  usedAt: number
  readonly isById: boolean
  readonly places: Map<string, Remembered>
}

/** One request with all that it asks for, and what its answer is to be made into. */
type FetchInFull =
  | { readonly kind: 'refused'; readonly answer: FetchAnswer }
  | {
      readonly kind: 'asked'
      readonly request: FetchRequest
      readonly shorten: (answer: FetchAnswer) => FetchAnswer
    }

const mostSessions = 1_000
/** After so long a session that nobody uses makes room for another. */
const keptMs = 120_000

/** Asks for all, and for a session; below it, for all and none. */
const anew = 0

/** The sessions of one broker, which knows none any more once it was restarted. */
export class FetchSessions {
  /** In the order in which they were used. */
  readonly #sessions = new Map<number, Session>()
  #made = 0
  #life = 0

  constructor(
    private readonly cluster: ClusterState,
    private readonly node: number,
  ) {}

  inFull(request: FetchRequest): FetchInFull {
    const life = this.cluster.lifeOf(this.node)
    if (life !== this.#life) this.#sessions.clear()
    this.#life = life
    const { session: part } = request
    if (part === undefined) return { kind: 'asked', request, shorten: (answer) => answer }
    if (part.epoch > anew) return this.#goOn(request, part)
    this.#sessions.delete(part.id)
    if (part.epoch < anew) return { kind: 'asked', request, shorten: (answer) => answer }
    return { kind: 'asked', request, shorten: (answer) => this.#open(request, part.isById, answer) }
  }

  #goOn(request: FetchRequest, { id, epoch, forgotten, isById }: NonNullable<FetchRequest['session']>): FetchInFull {
    const session = this.#sessions.get(id)
    if (session === undefined) return refused(brokerCode.FETCH_SESSION_ID_NOT_FOUND)
    if (session.epoch !== epoch) return refused(brokerCode.INVALID_FETCH_SESSION_EPOCH)
    if (session.isById !== isById) return refused(brokerCode.FETCH_SESSION_TOPIC_ID_ERROR)
    session.epoch += 1
    session.usedAt = this.cluster.runtime.clock.now()
    this.#sessions.delete(id)
    this.#sessions.set(id, session)
    for (const asked of request.partitions) {
      const known = session.places.get(keyOf(asked))
      if (known?.asked.topicId === asked.topicId) known.asked = asked
      else session.places.set(keyOf(asked), { asked, highWatermark: -1, logStartOffset: -1 })
    }
    for (const each of forgotten) {
      if (session.places.get(keyOf(each))?.asked.topicId === each.topicId) session.places.delete(keyOf(each))
    }
    const partitions = [...session.places.values()].map(({ asked }) => asked)
    return { kind: 'asked', request: { ...request, partitions }, shorten: (answer) => onlyNews(session, answer) }
  }

  #open(request: FetchRequest, isById: boolean, answer: FetchAnswer): FetchAnswer {
    const now = this.cluster.runtime.clock.now()
    if (this.#sessions.size >= mostSessions) {
      const [oldest] = this.#sessions.values()
      if (oldest !== undefined && now - oldest.usedAt > keptMs) this.#sessions.delete(oldest.id)
      else return { ...answer, sessionId: 0 }
    }
    this.#made += 1
    const session: Session = { id: this.#made, epoch: 1, usedAt: now, isById, places: new Map() }
    this.#sessions.set(session.id, session)
    for (const asked of request.partitions) {
      session.places.set(keyOf(asked), { asked, highWatermark: -1, logStartOffset: -1 })
    }
    for (const fetched of answer.partitions) noteNews(session, fetched)
    return { ...answer, sessionId: session.id }
  }
}

const keyOf = ({ topic, partition }: TopicPartition) => partitionKey(topic, partition)

function refused(errorCode: number): FetchInFull {
  return { kind: 'refused', answer: { throttleTimeMs: 0, errorCode, sessionId: 0, partitions: [] } }
}

function onlyNews(session: Session, answer: FetchAnswer): FetchAnswer {
  const partitions = answer.partitions.filter((fetched) => noteNews(session, fetched))
  return { ...answer, sessionId: session.id, partitions }
}

/** Is there anything in it that was not told before? What gave records is served last the next time. */
function noteNews({ places }: Session, fetched: FetchedPartition): boolean {
  const key = keyOf(fetched)
  const known = places.get(key)
  if (known === undefined) return false
  const { errorCode, highWatermark, logStartOffset, batches, preferredReadReplica = -1 } = fetched
  if (batches.length > 0) {
    places.delete(key)
    places.set(key, known)
  }
  const isChanged = known.highWatermark !== highWatermark || known.logStartOffset !== logStartOffset
  // After an error everything is news.
  known.highWatermark = errorCode === brokerCode.NONE ? highWatermark : -1
  known.logStartOffset = logStartOffset
  return isChanged || batches.length > 0 || errorCode !== brokerCode.NONE || preferredReadReplica >= 0
}
