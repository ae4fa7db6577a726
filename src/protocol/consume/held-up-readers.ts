import type { FetchedPartition } from '../../connection/requests/fetch.js'
import type { ConsumerSettings } from '../../driver/consumer.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { tell } from '../../telemetry/tell.js'
import type { ClientContext } from '../cluster/client-context.js'
import type { LeftOut } from '../fetch/left-out.js'
import { TransactionsView } from '../cluster/transactions-view.js'

/** Longer than transactions live by default: whoever wrote it does not end it, or cannot. */
const standsForMs = 30_000

/**
 * Where committed records end before the log does.
 *
 * | state      | means                                      | leaves to                              |
 * |------------|--------------------------------------------|----------------------------------------|
 * | `standing` | an open transaction begins there           | asked (still there after `standsForMs`) |
 * | `asked`    | whose it is is asked for                   | told                                   |
 * | `told`     | it was told                                | –                                      |
 *
 * Each is forgotten when the place moves; of one that was told that is told too.
 */
interface Standing {
  readonly place: TopicPartition
  readonly offset: number
  readonly since: number
  state: 'standing' | 'asked' | 'told'
}

type HeldUpContext = ClientContext<Pick<ConsumerSettings, 'isolation' | 'requestTimeoutMs' | 'logger' | 'metrics'>>

/**
 * Readers of committed records get no further than the first record of an open transaction, and seem to have nothing to
 * do. So where that stands still although more is written it is told, with whose transaction it is.
 */
export class HeldUpReaders {
  readonly #context: HeldUpContext
  readonly #view: TransactionsView
  readonly #standing = new Map<string, Standing>()

  constructor(context: HeldUpContext) {
    this.#context = context
    // Once: who cannot tell now is not asked again and again.
    this.#view = new TransactionsView(context, async (_, attempt) => void (await attempt()))
  }

  /** From an answer without an error. */
  seen({ topic, partition, highWatermark, lastStableOffset }: FetchedPartition): void {
    // A broker that says -1 does not say it.
    if (this.#context.settings.isolation !== 'read-committed' || lastStableOffset < 0) return
    const isOpen = lastStableOffset < highWatermark
    if (!isOpen && this.#standing.size === 0) return
    const key = partitionKey(topic, partition)
    const known = this.#standing.get(key)
    const now = this.#context.runtime.clock.now()
    if (isOpen && known?.offset === lastStableOffset) return this.#look(known, now)
    const place = { topic, partition }
    if (isOpen) this.#standing.set(key, { place, offset: lastStableOffset, since: now, state: 'standing' })
    else this.#standing.delete(key)
    if (known?.state === 'told') {
      tell(this.#context.settings, { kind: 'readers-go-on', topic, partition, offset: lastStableOffset })
    }
  }

  /** An answer had nothing new of these. */
  stand(leftOut: LeftOut): void {
    const now = this.#context.runtime.clock.now()
    for (const [key, known] of this.#standing) if (leftOut.has(key)) this.#look(known, now)
  }

  #look(known: Standing, now: number): void {
    if (known.state !== 'standing' || now - known.since < standsForMs) return
    known.state = 'asked'
    void this.#tellWhose(known) // never rejects
  }

  close(): void {
    this.#standing.clear()
  }

  async #tellWhose(standing: Standing): Promise<void> {
    const { place } = standing
    const { clock } = this.#context.runtime
    const { settings } = this.#context
    const open = await this.#view.open([place], clock.now() + settings.requestTimeoutMs).catch(() => [])
    if (this.#standing.get(partitionKey(place.topic, place.partition)) !== standing) return
    standing.state = 'told'
    const [first] = open.toSorted((one, other) => one.firstOffset - other.firstOffset)
    tell(settings, {
      ...{ kind: 'readers-held-up', ...place, offset: standing.offset },
      transactionalId: first?.transactionalId ?? null,
      producerId: first?.producerId ?? null,
      heldUpMs: Math.round(clock.now() - standing.since),
    })
  }
}
