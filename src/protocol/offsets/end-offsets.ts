import type { FetchedPartition } from '../../connection/requests/fetch.js'
import type { ConsumerSettings, KnownEnd } from '../../driver/consumer.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { pause } from '../../runtime/pause.js'
import { whenAborted } from '../../runtime/when-aborted.js'
import type { ClientContext } from '../cluster/client-context.js'
import { latest, lookUpOffsets } from './look-up.js'

type EndOffsetContext = ClientContext<Pick<ConsumerSettings, 'fetch' | 'isolation' | 'requestTimeoutMs' | 'logger'>>

interface Followed extends TopicPartition {
  readonly tenure: AbortSignal
  /** Of its topic when it was taken up; `null` where brokers do not tell. */
  readonly topicId: string | null
}

/** Of what was asked of a broker at once, what it had nothing new to tell of. */
interface StandingStill {
  /** The same object as long as the same is asked. */
  readonly asked: ReadonlyMap<string, object>
  /** Everything that was asked for. */
  readonly isAll: boolean
  has(key: string): boolean
}

interface Known extends Omit<KnownEnd, 'at'> {
  /** One for all that stand still together: an answer without news moves it, and none of them is looked at. */
  told: { at: number }
}

/** What is older than this, beside the time a fetch may wait, is asked for. */
const maxAgeMs = 5_000
const checkMs = 2_500

/**
 * Where the logs of our partitions end: of what may be read under the isolation level. Fetches tell it in passing; what
 * is not fetched, because it is paused or its broker is in trouble, is asked for every few seconds, each broker once. Where
 * the topic was made anew with fewer partitions there is nothing to read of the others, for as long as they are missing.
 */
export class EndOffsets {
  readonly #context: EndOffsetContext
  readonly #known = new Map<string, Known>()
  /** When all that was asked together was last told to stand still, as long as nothing of it was told apart since. */
  #standing: WeakMap<StandingStill['asked'], Known['told']> | null = null
  /** By partition, while its tenure runs. */
  readonly #followed = new Map<string, Followed>()
  /** Aborts, and is `null`, when nothing is followed any more. */
  #asking: AbortController | null = null

  constructor(context: EndOffsetContext) {
    this.#context = context
  }

  /** `null` until a broker has told it. */
  of({ topic, partition }: TopicPartition): KnownEnd | null {
    const known = this.#known.get(partitionKey(topic, partition))
    if (known === undefined) return null
    const { offset, stored, told } = known
    return endAt(offset, stored ?? offset, told.at)
  }

  /**
   * From an answer without an error. A follower may be behind: its leader is asked as well, every few seconds. A broker that
   * says -1 does not say it.
   */
  seen({ topic, partition, highWatermark, lastStableOffset }: FetchedPartition, by: 'leader' | 'follower'): void {
    const { runtime, settings } = this.#context
    const offset = settings.isolation === 'read-committed' ? lastStableOffset : highWatermark
    if (offset < 0) return
    const key = partitionKey(topic, partition)
    if (by === 'leader') this.#put(key, endAt(offset, highWatermark, runtime.clock.now()))
    else this.#furtherThan(key, offset, highWatermark)
  }

  /** Of these nothing has changed since it was told. */
  stand(leftOut: StandingStill): void {
    const at = this.#context.runtime.clock.now()
    const standing = leftOut.isAll ? this.#standing?.get(leftOut.asked) : undefined
    if (standing !== undefined) {
      standing.at = at
      return
    }
    const told = { at }
    for (const key of leftOut.asked.keys()) {
      const known = this.#known.get(key)
      if (known !== undefined && leftOut.has(key)) known.told = told
    }
    if (leftOut.isAll) (this.#standing ??= new WeakMap()).set(leftOut.asked, told)
    else this.#standing?.delete(leftOut.asked)
  }

  #put(key: string, { offset, stored, at }: KnownEnd): void {
    const told = { at }
    this.#known.set(key, stored === undefined ? { offset, told } : { offset, stored, told })
    this.#standing = null
  }

  #furtherThan(key: string, offset: number, stored: number): void {
    const known = this.#known.get(key)
    if (known !== undefined) this.#put(key, endAt(Math.max(known.offset, offset), stored, known.told.at))
  }

  /** Keeps the end of a partition known until `tenure` aborts; what was known before counts no more. */
  follow({ topic, partition }: TopicPartition, tenure: AbortSignal, topicId: string | null): void {
    if (tenure.aborted) return
    const key = partitionKey(topic, partition)
    this.#known.delete(key)
    this.#followed.set(key, { topic, partition, tenure, topicId })
    void whenAborted(tenure).then(() => this.#drop(key, tenure)) // never rejects
    if (this.#asking === null) {
      this.#asking = new AbortController()
      void this.#keepAsking(this.#asking.signal) // never rejects
    }
  }

  #drop(key: string, tenure: AbortSignal): void {
    if (this.#followed.get(key)?.tenure === tenure) this.#followed.delete(key)
    if (this.#followed.size > 0) return
    this.#asking?.abort()
    this.#asking = null
  }

  async #keepAsking(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await pause(this.#context.runtime.clock, checkMs, over)
      if (!over.aborted) await this.#askForOld(over)
    }
  }

  /** Asks at once for what nobody has told yet. Resolves when it is known, or was asked for in vain. Never rejects. */
  async learn(): Promise<void> {
    const over = this.#asking?.signal
    if (over !== undefined) await this.#askForOlderThan(-Infinity, over)
  }

  /** The same topic never has fewer: what is missing there is not known yet. */
  #isGone({ topic, partition, topicId }: Followed): boolean {
    const { cluster } = this.#context
    const now = cluster.topic(topic)
    if (now === undefined || now.topicId === null || topicId === null || now.topicId === topicId) return false
    return now.partitions.length > 0 && cluster.partition(topic, partition) === undefined
  }

  /** Of whose ends nobody has told since then. */
  #untoldSince(oldest: number): readonly Followed[] {
    const old: Followed[] = []
    for (const [key, at] of this.#followed) if (isOlder(this.#known.get(key), oldest)) old.push(at)
    return old
  }

  async #askForOld(over: AbortSignal): Promise<void> {
    const { runtime, settings } = this.#context
    await this.#askForOlderThan(runtime.clock.now() - maxAgeMs - settings.fetch.maxWaitMs, over)
  }

  async #askForOlderThan(oldest: number, over: AbortSignal): Promise<void> {
    const { runtime, settings } = this.#context
    const askedAt = runtime.clock.now()
    const old = this.#untoldSince(oldest)
    if (old.length === 0) return
    try {
      const questions = old.map(({ topic, partition }) => ({ topic, partition, timestamp: latest }))
      const findings = await lookUpOffsets(this.#context, questions, askedAt + settings.requestTimeoutMs, over)
      for (const [index, finding] of findings.entries()) {
        const place = old[index]
        if (place === undefined || place.tenure.aborted) continue
        if (finding.kind !== 'found') {
          if (this.#isGone(place)) this.#put(partitionKey(place.topic, place.partition), nothingAt(runtime.clock.now()))
          continue
        }
        // A fetch that came meanwhile knows better.
        if ((this.of(place)?.at ?? -Infinity) < askedAt) {
          // How far the log goes beyond is told by fetches alone.
          const stored = this.of(place)?.stored ?? finding.offset
          const end = endAt(finding.offset, stored, runtime.clock.now())
          this.#put(partitionKey(place.topic, place.partition), end)
        }
      }
    } catch (failure) {
      // Nothing rests on it but the lag, whose age can be seen.
      settings.logger.debug({ error: String(failure) }, 'looking up the ends of logs failed; tried again later')
    }
  }
}

function nothingAt(at: number): KnownEnd {
  return { offset: 0, at }
}

function endAt(offset: number, stored: number, at: number): KnownEnd {
  return stored > offset ? { offset, at, stored } : { offset, at }
}

/** What nobody has told is older than anything. */
function isOlder(known: Known | undefined, oldest: number): boolean {
  return known === undefined || known.told.at < oldest
}
