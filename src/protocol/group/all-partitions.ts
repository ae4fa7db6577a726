import { DriverError, TidemarkError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { pause } from '../../runtime/pause.js'
import { StateMachine, type Moves } from '../../runtime/state-machine.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { ConsumeContext } from '../cluster/client-context.js'
import { partitionCounts, partitionCountsChanged } from '../cluster/topic-watch.js'
import type { Membership, MembershipEvents, MembershipFacts } from './membership.js'

type ReaderState = 'looking' | 'reading' | 'draining' | 'stopped' | 'failed'

const moves: Moves<ReaderState> = {
  looking: ['reading', 'stopped', 'failed'],
  reading: ['draining', 'failed'],
  draining: ['stopped'],
  stopped: [],
  failed: [],
}

/** Reads every partition of the topics without a group, also those that are added later. Commits nothing. */
export class AllPartitions implements Membership {
  readonly #context: ConsumeContext
  readonly #events: MembershipEvents
  readonly #machine = new StateMachine<ReaderState>('the reader of all partitions', 'looking', moves)
  readonly #ending = new AbortController()
  #failure: TidemarkError | null = null
  #trouble: string | null = null
  #stopDeadline = Infinity
  #running: Promise<void> | null = null
  #mine: readonly TopicPartition[] = []

  constructor(context: ConsumeContext, events: MembershipEvents) {
    this.#context = context
    this.#events = events
  }

  start(): void {
    this.#running ??= this.#run().catch((cause: unknown) => {
      const message = `the reader of all partitions met a defect: ${String(cause)}; report it with its cause`
      this.#events.lost(this.#mine)
      this.#events.failed(new DriverError('defect', message, { cause }))
    })
  }

  async stop(deadline: number): Promise<void> {
    this.#stopDeadline = Math.min(this.#stopDeadline, deadline)
    this.#ending.abort(new Error('the consumer was stopped'))
    if (this.#machine.is('draining')) void this.#events.revoked(this.#mine, this.#stopDeadline) // waited for by the first call
    await this.#running
  }

  fail(error: TidemarkError): void {
    this.#failure ??= error
    this.#ending.abort(error)
  }

  identity(): null {
    return null
  }

  /** Without a group there are no commits to refuse. */
  commitRefused(): 'out' {
    return 'out'
  }

  trouble(): string | null {
    return this.#trouble
  }

  hasAssignment(): boolean {
    return this.#machine.is('reading', 'draining')
  }

  facts(): MembershipFacts {
    return { state: this.#machine.current, memberId: null, generationId: -1, lastHeartbeatAt: null }
  }

  async #run(): Promise<void> {
    await this.#look()
    if (!this.#ending.signal.aborted) await this.#read()
    await this.#finish()
  }

  /** Until the cluster has told which of the topics there are. */
  async #look(): Promise<void> {
    const { cluster, runtime, settings } = this.#context
    const { clock, random } = runtime
    const { topics, requestTimeoutMs, logger } = settings
    for (let attempt = 1; !this.#ending.signal.aborted; attempt += 1) {
      try {
        await cluster.refresh(topics, clock.now() + requestTimeoutMs)
        return
      } catch (failure) {
        if (failure instanceof TidemarkError && !failure.retriable) this.fail(failure)
        this.#trouble = failure instanceof Error ? failure.message : String(failure)
        logger.debug({ topics, error: String(failure) }, 'topics are not known yet')
        await pause(clock, brokerBackoff(attempt, random), this.#ending.signal)
      }
    }
  }

  async #read(): Promise<void> {
    const { settings, onTopicsChange } = this.#context
    const { from } = settings
    this.#machine.to('reading')
    let known: ReadonlyMap<string, number> = new Map()
    // A topic that is made anew may have fewer partitions for a while. The others stay ours and wait for their leaders:
    // when they come back they go on as those that never went.
    let most: ReadonlyMap<string, number> = new Map()
    let start = from
    while (!this.#ending.signal.aborted) {
      const { topics } = settings
      const counts = partitionCounts(this.#context.cluster, topics)
      const fresh = added(most, counts)
      this.#mine = [...this.#mine, ...fresh]
      this.#events.assigned(fresh, start)
      known = new Map([...known, ...counts])
      most = new Map([...known].map(([topic, count]) => [topic, Math.max(count, most.get(topic) ?? 0)]))
      // What appears from now on was written while we were reading: nothing of it may be passed over.
      start = 'earliest'
      const others = new AbortController()
      const stopHearing = onTopicsChange?.(() => others.abort())
      const either = AbortSignal.any([this.#ending.signal, others.signal])
      await partitionCountsChanged(this.#context, topics, known, either).catch(() => undefined) // only these make it reject
      stopHearing?.()
      if (others.signal.aborted) known = most = await this.#letGo(most)
    }
  }

  /** Of what was read the topics that are read no more. Returns what is left. */
  async #letGo(known: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, number>> {
    const { settings, runtime } = this.#context
    const topics = new Set(settings.topics)
    const gone = this.#mine.filter(({ topic }) => !topics.has(topic))
    if (gone.length > 0) {
      await this.#events.revoked(gone, runtime.clock.now() + settings.rebalanceTimeoutMs)
      this.#mine = this.#mine.filter(({ topic }) => topics.has(topic))
    }
    return new Map([...known].filter(([topic]) => topics.has(topic)))
  }

  async #finish(): Promise<void> {
    if (this.#failure !== null) {
      this.#events.lost(this.#mine)
      this.#machine.to('failed')
      this.#events.failed(this.#failure)
      return
    }
    if (this.#machine.is('reading')) {
      this.#machine.to('draining')
      await this.#events.revoked(this.#mine, this.#stopDeadline)
    }
    this.#machine.to('stopped')
  }
}

function added(known: ReadonlyMap<string, number>, counts: ReadonlyMap<string, number>): readonly TopicPartition[] {
  return [...counts].flatMap(([topic, count]) => {
    const first = known.get(topic) ?? 0
    return Array.from({ length: Math.max(0, count - first) }, (_, index) => ({ topic, partition: first + index }))
  })
}
