import { checkCompression } from './config/check-compression.js'
import { clientOf, type ClientOfMessaging } from './config/client-of.js'
import { closeRules, type CloseOptions } from './config/close-options.js'
import { sendsInTransactions, transactionLimits } from './config/transaction-config.js'
import { resolveConsumerOptions, type ConsumerConfig, type MessagingConsumerOptions } from './config/consumer-config.js'
import { lookBeforeStart } from './config/look-before-start.js'
import {
  resolveMessagingOptions,
  type MessagingOptions,
  type ResolvedMessagingOptions,
} from './config/messaging-options.js'
import { resolveProducerOptions, type MessagingProducerOptions } from './config/producer-config.js'
import { Producers } from './config/producers.js'
import { profiles } from './config/profiles.js'
import { SettingsLint } from './config/settings-lint.js'
import { resolveTopics } from './config/topic-list.js'
import { Consumer } from './consumer/consumer.js'
import type { ConsumerFacts } from './consumer/watch/facts.js'
import { letterProducer } from './dead-letter/dead-letter-producer.js'
import { deadLetterRoute } from './dead-letter/dead-letter-route.js'
import { dedupedBy } from './dedupe/deduped-delivery.js'
import { StateError } from './errors.js'
import { optionProblem } from './input/option-rules.js'
import { requireEnsureOptions, type AdminCallOptions } from './operations/admin-input.js'
import { Admin } from './operations/admin.js'
import { DurabilityCheck } from './operations/durability-check.js'
import { ensureTopics } from './operations/ensure-topics.js'
import { Visits } from './operations/visits.js'
import type { OutboxStore } from './outbox/outbox-store.js'
import type { RelayOptions } from './outbox/relay-options.js'
import type { OutboxRelay, RelayFacts } from './outbox/relay.js'
import { Relays } from './outbox/relays.js'
import type { Producer, ProducerFacts } from './producer/producer.js'
import { orderedBy } from './reorder/sequencer.js'
import { tellForgottenDelays } from './retry/delay-look.js'
import { retryLater } from './retry/retry-later.js'
import type { Clock } from './runtime/clock.js'
import type { Random } from './runtime/random.js'
import { withinDeadline } from './runtime/within-deadline.js'
import type { Telemetry } from './telemetry/guard.js'
import { Troubles, type StandingTrouble } from './telemetry/troubles.js'
import type { Topic } from './topic/topic.js'
import type { ExactlyOnce } from './transaction/exactly-once.js'
import type { Transaction } from './transaction/transaction.js'
import { requireTransaction, type TransactionOptions } from './transaction/transaction-options.js'
import { TransactionRunners } from './transaction/transaction-runners.js'
import { sideTopicOf } from './config/reorder-option.js'
import { namesOf } from './topic/topic-lookup.js'

/** What runs (also what has failed and was not stopped yet), for health and metrics. Plain data: it may be turned into JSON as it is. */
export interface MessagingFacts {
  readonly client: string
  /** When they were taken: wall time, ms since the Unix epoch. */
  readonly at: number
  /** `closing` from the call of `close` on, also when it has ended. */
  readonly state: 'open' | 'closing'
  readonly producers: readonly ProducerFacts[]
  readonly consumers: readonly ConsumerFacts[]
  readonly relays: readonly RelayFacts[]
  /** Of the surroundings of all of them, as a broker that does not answer: told as an event, and not ended. */
  readonly troubles: readonly StandingTrouble[]
}

/** How long a transaction may wait for its turn and for its id. */
const beginMs = 60_000

/** Part of what is left of a close that transactions may take to end by themselves. */
const transactionsShare = 0.5

/** Part of a close that consumers may take: they send while they drain, so producers close after them. */
const consumersShare = 0.7

/**
 * The way to one Kafka cluster under one profile. Makes producers and consumers, and closes them in order.
 *
 * @example
 * const messaging = createMessaging({ driver: kafkajs({ brokers: ['localhost:9092'] }), profile: 'cp' })
 */
export class Messaging implements AsyncDisposable {
  readonly #options: ResolvedMessagingOptions
  readonly #producers: Producers
  readonly #consumers = new Set<Consumer>()
  readonly #relays = new Relays()
  /** Of the surroundings of all clients. */
  readonly #troubles: Troubles
  readonly #telemetry: Telemetry
  /** @internal Which settings do not go together. */
  readonly lint: SettingsLint
  readonly #visits: Visits
  readonly #durability: DurabilityCheck
  readonly #transactions: TransactionRunners
  #admin: Admin | null = null
  #closing: Promise<void> | null = null

  /** @internal */
  constructor(options: ResolvedMessagingOptions) {
    this.#options = options
    this.#troubles = new Troubles(options.driver.runtime.clock)
    this.#telemetry = this.#client({})
    this.lint = new SettingsLint(options.closeTimeoutMs, this.#telemetry)
    this.#visits = new Visits(() => this.#makeAdmin(), options.driver.runtime.clock)
    this.#durability = new DurabilityCheck(this.#visits, this.#telemetry)
    this.#producers = new Producers(options, this.#durability, () => this.#client({}))
    this.#transactions = new TransactionRunners(
      (id) => this.#producers.transactional(id),
      options.driver.runtime.clock,
      beginMs,
    )
  }

  /** A producer of its own, with its own connections. Throws `ConfigError` with every problem of the options. */
  producer(options: MessagingProducerOptions = {}): Producer {
    this.#requireOpen('producer')
    const config = resolveProducerOptions(options, this.#options.profile)
    if (config.profile.producer.transactional) throw sendsInTransactions(config.profile.name)
    checkCompression(config.options.compression, this.#options.driver)
    return this.#producers.make(config.options, this.#producers.durabilityOf(config.profile))
  }

  /** A consumer; call its `start`. Throws `ConfigError` with every problem of the options. */
  consumer<const Topics extends readonly Topic[]>(options: MessagingConsumerOptions<Topics>): Consumer<Topics> {
    this.#requireOpen('consumer')
    const config = resolveConsumerOptions(options, this.#options.profile, this.#options.groupProtocol)
    if (config.classicFor.length > 0) {
      const fields = { group: config.options.group, options: config.classicFor }
      this.#telemetry.logger.info(
        fields,
        'the classic group protocol is taken: these options mean nothing in the other',
      )
    }
    return this.#makeConsumer(config)
  }

  /**
   * Runs `handle` and makes all that it sends visible together, or nothing of it; resolves to what `handle` returned once
   * that is committed. Needs the profile `transactional` and Kafka 2.5. One transaction of an id runs at a time; the next waits.
   *
   * @param id who we are to the brokers: of this instance alone and the same after a restart, which then ends what the
   *   process before it left open
   * @throws TransactionError with `outcome` `aborted`: nothing of it is visible, for the reason in `cause`. Or `unknown`:
   *   nobody could tell whether it was committed; its `resolution` tells later
   * @throws ConfigError when it cannot be run so; StateError inside another transaction, and after `close`
   * @example
   * await messaging.transaction('billing-0', async (transaction) => {
   *   await transaction.send(invoices, invoice)
   *   await transaction.send(audit, entry)
   * })
   */
  async transaction<Result>(
    id: string,
    handle: (transaction: Transaction) => Promise<Result> | Result,
    options: TransactionOptions = {},
  ): Promise<Result> {
    this.#requireOpen('transaction')
    requireTransaction(id, handle, options)
    return this.#transactions.run(id, handle, transactionLimits(options, this.#options.profile))
  }

  /**
   * Creates what `defineTopic` describes and the cluster does not have, and warns of topics that exist in another shape;
   * resolves to the names created. Under `cp` they are made with three copies, or as many as there are brokers, and
   * `min.insync.replicas` 2, unless the definition says otherwise.
   *
   * @throws DriverError `not-durable`, with `durability: 'refuse'`, when a topic is not kept as the profile promises; the
   *   message names the command that mends it
   */
  async ensureTopics(topics: readonly Topic[], options: AdminCallOptions = {}): Promise<readonly string[]> {
    const listed = resolveTopics('ensureTopics', topics)
    requireEnsureOptions(options)
    const { profile } = this.#options
    return ensureTopics(
      {
        admin: this.admin,
        questions: { admin: this.admin, clock: this.#options.driver.runtime.clock, signal: this.#visits.signal },
        check: this.#durability,
        needs: profile.brokerNeeds,
        setting: this.#producers.durabilityOf(profile),
        telemetry: this.#telemetry,
      },
      listed,
      options.timeoutMs ?? 30_000,
    )
  }

  /**
   * A relay, which sends what an outbox holds, with a producer of its own and with acks=all whatever the profile; call its
   * `start`. `outbox` is one of `sqlOutbox` of `tidemark/sql`, or yours. Throws `ConfigError` with every problem.
   */
  relay(outbox: OutboxStore, options: RelayOptions = {}): OutboxRelay {
    this.#requireOpen('relay')
    return this.#relays.make(outbox, options, ({ maxRequestBytes }) => ({
      producer: this.#producers.make(
        resolveProducerOptions({ maxRequestBytes }, profiles.cp).options,
        this.#producers.durabilityOf(profiles.cp),
      ),
      runtime: this.#options.driver.runtime,
      telemetry: this.#client({}),
    }))
  }

  /** @internal The clock of its driver. */
  get clock(): Clock {
    return this.#options.driver.runtime.clock
  }

  /** @internal The chance of its driver. */
  get random(): Random {
    return this.#options.driver.runtime.random
  }

  /** @internal Aborts at the end of its close. */
  get closed(): AbortSignal {
    return this.#visits.signal
  }

  /** @internal Of the client, for what is told beside its producers and consumers. */
  get telemetry(): Telemetry {
    return this.#telemetry
  }

  /** @internal For records that are what is left: acks=all and idempotence whatever the profile, as large as they were read. */
  letterProducer(): Producer {
    this.#requireOpen('redrive')
    const { profile } = this.#options
    const { options } = resolveProducerOptions(letterProducer, profiles.cp)
    return this.#producers.make(options, this.#producers.durabilityOf(profile))
  }

  get admin(): Admin {
    this.#requireOpen('admin')
    this.#admin ??= this.#makeAdmin()
    return this.#admin
  }

  /** How all that belongs to it stands now, as plain data for JSON: each producer, consumer and relay. Asks no broker. */
  facts(): MessagingFacts {
    return {
      client: this.#options.clientId,
      at: this.clock.wallTime(),
      state: this.#closing === null ? 'open' : 'closing',
      producers: this.#producers.all().map((producer) => producer.facts()),
      consumers: [...this.#consumers].map((consumer) => consumer.facts()),
      relays: this.#relays.facts(),
      troubles: this.#troubles.standing(),
    }
  }

  /**
   * Consumers drain, commit and leave, and relays end what they send; then producers flush; then connections close. Bounded.
   * Idempotent. Called inside a handler, or the body of a loop, of one of its consumers it begins all that and resolves at
   * once, since the end waits for whoever calls.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const problem = optionProblem('close', options, closeRules)
    if (problem !== null) return Promise.reject(problem)
    const { timeoutMs = this.#options.closeTimeoutMs, force = false } = options
    if (force) this.#force()
    this.#closing ??= this.#close(force ? 0 : timeoutMs)
    if (![...this.#consumers].some((consumer) => consumer.isCalling())) return this.#closing
    this.#closing.catch(() => undefined) // whoever closes from elsewhere is told
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#options.driver.runtime
    const deadline = clock.now() + timeoutMs
    const share = { timeoutMs: timeoutMs * consumersShare }
    const stops = [...[...this.#consumers].map((consumer) => consumer.stopEntirely(share)), ...this.#relays.stop(share)]
    const stopped = await Promise.allSettled(stops)
    // What is open is ended by its own handler, else aborted.
    await this.#withinShare(deadline, this.#transactions.idle())
    this.#transactions.close()
    await this.#withinShare(deadline, this.#transactions.idle())
    // A handler that outlived its consumer may still want to send; nobody would close what is made for it now.
    const flushed = await this.#producers.close(Math.max(0, deadline - clock.now()))
    await this.#visits.close()
    await this.#admin?.close()
    this.#troubles.close()
    this.#telemetry.metrics.close?.()
    const failures = [...stopped, ...flushed]
      .filter((end) => end.status === 'rejected')
      .map((end) => end.reason as unknown)
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed in order')
  }

  /** Waits no longer than a part of what is left. */
  async #withinShare(deadline: number, work: Promise<unknown>): Promise<void> {
    const { clock } = this.#options.driver.runtime
    const end = deadline - Math.max(0, deadline - clock.now()) * (1 - transactionsShare)
    await withinDeadline(work, { clock, deadline: end, onLate: () => undefined })
  }

  #force(): void {
    const ends: Promise<unknown>[] = [
      ...[...this.#consumers].map((consumer) => consumer.stop({ timeoutMs: 0, force: true })),
      ...this.#relays.stop({ timeoutMs: 0 }),
      ...this.#producers.all().map((producer) => producer.close({ timeoutMs: 0 })),
    ]
    // Whoever forces a close does not wait for how it ends; the promise of the close tells.
    void Promise.allSettled(ends)
  }

  #makeAdmin(): Admin {
    const { driver } = this.#options
    return new Admin(driver.createAdmin(this.#client({})), driver.runtime.clock)
  }

  #makeConsumer(config: ConsumerConfig): Consumer {
    const { profile, options, deadLetter, dedupe, reorder, transaction, retryLater: delays } = config
    const { driver } = this.#options
    const client = this.#client({ group: options.group ?? undefined })
    const exactlyOnce =
      transaction === null
        ? null
        : this.#producers.exactlyOnce(profile, transaction, () => (this.#admin ??= this.#makeAdmin()))
    const letters = () => this.#producers.shared('dead letters', profiles.cp, letterProducer)
    const consumer: Consumer = new Consumer(options, {
      driver,
      ...client,
      delivery: dedupe === null ? undefined : dedupedBy(dedupe, client),
      stage: null,
      ordering: reorder === null ? undefined : orderedBy(reorder),
      ledger: exactlyOnce?.ledger,
      outputs: exactlyOnce?.outputs,
      deadLetter:
        deadLetter === null ? null : deadLetterRoute(deadLetter, options.topics, letters, exactlyOnce?.publish),
      deadLetterPolicy: deadLetter?.policy,
      writes: [deadLetter?.topic, reorder === null ? null : sideTopicOf(reorder)].filter((name) => name != null),
      delayTopics:
        delays === null
          ? undefined
          : retryLater(delays, { producer: letters, cluster: () => this.admin, join: exactlyOnce?.putOff }),
      beforeStart: (signal) => {
        this.lint.starting(consumer)
        return this.#beforeStart(config, signal, exactlyOnce)
      },
      onStopped: () => {
        this.lint.remove(consumer)
        this.#consumers.delete(consumer)
        void exactlyOnce?.close() // never rejects
      },
      closing: async () => this.#closing?.catch(() => undefined),
      send: async (topic, value, sendOptions) => {
        if (profile.producer.transactional) throw sendsInTransactions(profile.name)
        return this.#producers.shared(profile, profile).send(topic, value, sendOptions)
      },
      offsetAt: async (partition, timestamp) => {
        const [offset] = await this.admin.listOffsets([partition], { timestamp })
        return offset as number
      },
    })
    this.#consumers.add(consumer)
    this.lint.add(consumer, config)
    return consumer
  }

  #client({ group }: { readonly group?: string | undefined }): ClientOfMessaging {
    return clientOf(this.#options, this.#troubles, group)
  }

  /** What is read is looked at beside the start: it is a warning and no more. */
  async #beforeStart(config: ConsumerConfig, signal: AbortSignal, exactlyOnce: ExactlyOnce | null): Promise<void> {
    await exactlyOnce?.begin(this.clock.now() + beginMs)
    const setting = this.#producers.durabilityOf(config.profile)
    const read = namesOf(config.options.topics)
    const { driver, logger } = this.#options
    if (setting !== null) {
      void this.#durability.read(setting, read) // never rejects
      this.#tellForgottenDelays(config)
    }
    const { clock } = driver.runtime
    const written = await lookBeforeStart(config, { admin: () => this.admin, clock, logger, signal })
    if (setting !== null && !signal.aborted) await this.#durability.written(setting, written)
  }

  #tellForgottenDelays({ retryLater, options: { group, topics } }: ConsumerConfig): void {
    if (retryLater !== null || group === null) return
    const { logger } = this.#options
    const asking = this.#visits.visit(({ admin: cluster, signal }) =>
      tellForgottenDelays({ group, topics: namesOf(topics) }, { cluster, logger, signal }),
    )
    asking.catch(() => undefined) // what it could not close
  }

  #requireOpen(action: string): void {
    if (this.#closing === null) return
    throw new StateError('closed', `${action} was called on a messaging that is closing or closed; make a new one`)
  }
}

/** Connects driver, profile and options. Nothing is opened yet. Throws `ConfigError` with every problem. */
export function createMessaging(options: MessagingOptions): Messaging {
  return new Messaging(resolveMessagingOptions(options))
}
