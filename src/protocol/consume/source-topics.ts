import type { ConsumerSettings } from '../../driver/consumer.js'
import type { Unavailable } from '../../telemetry/events.js'
import { tell } from '../../telemetry/tell.js'
import type { ClientContext } from '../cluster/client-context.js'
import { judgeTopicCode } from '../cluster/codes.js'

type TopicsContext = ClientContext<
  Pick<ConsumerSettings, 'topics' | 'requestTimeoutMs' | 'logger' | 'metrics' | 'onEvent' | 'troubles'>
>

/**
 * Whether the topics that a consumer reads are there, as far as brokers told; tells of those that are not. Reads along with
 * every metadata answer and asks by itself but once: a member that leads nobody has no other reason to.
 */
export class SourceTopics {
  readonly #context: TopicsContext
  readonly #states = new Map<string, 'there' | Unavailable>()
  #stopListening: () => void = () => undefined
  #look: 'none' | 'due' = 'none'

  constructor(context: TopicsContext) {
    this.#context = context
  }

  start(): void {
    const { cluster, runtime, settings } = this.#context
    this.#stopListening = cluster.onChange(() => this.#lookSoon())
    // Unanswered: whoever reads the topics asks again and again.
    void cluster.refresh(settings.topics, runtime.clock.now() + settings.requestTimeoutMs).catch(() => undefined)
  }

  unavailable(): readonly { readonly topic: string; readonly why: Unavailable }[] {
    return [...this.#states].flatMap(([topic, why]) => (why === 'there' ? [] : [{ topic, why }]))
  }

  close(): void {
    this.#stopListening()
  }

  /** Not while the answer is being taken in: whoever hears of it may run anything. */
  #lookSoon(): void {
    if (this.#look === 'due') return
    this.#look = 'due'
    void Promise.resolve().then(() => {
      this.#look = 'none'
      for (const topic of this.#context.settings.topics) this.#judge(topic)
    })
  }

  #judge(topic: string): void {
    const { settings } = this.#context
    const before = this.#states.get(topic)
    const now = this.#stateOf(topic, before)
    if (now === undefined) return
    this.#states.set(topic, now)
    if (now !== 'there') tell(settings, { kind: 'topic-unavailable', topic, why: now })
    else if (before !== undefined && before !== 'there') tell(settings, { kind: 'topic-available', topic })
  }

  #stateOf(topic: string, before: 'there' | Unavailable | undefined): 'there' | Unavailable | undefined {
    const told = this.#context.cluster.topic(topic)
    if (told === undefined) return before
    switch (judgeTopicCode(told.errorCode)) {
      case 'known':
      case 'not-yet':
        return 'there'
      case 'forbidden':
        return 'forbidden'
      case 'denied':
      case 'impossible':
        return told.partitions.length > 0 ? 'deleted' : 'missing'
    }
  }
}
