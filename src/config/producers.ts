import { StateError } from '../errors.js'
import type { Admin } from '../operations/admin.js'
import type { DurabilityCheck, DurabilitySetting } from '../operations/durability-check.js'
import type { ResolvedProducerOptions } from '../producer/producer-options.js'
import { Producer } from '../producer/producer.js'
import { ExactlyOnce } from '../transaction/exactly-once.js'
import type { MemberTransactionsSettings } from '../transaction/member.js'
import type { TransactionalParts } from '../transaction/transaction-runners.js'
import type { ClientOfMessaging } from './client-of.js'
import type { ResolvedMessagingOptions } from './messaging-options.js'
import { resolveProducerOptions, type MessagingProducerOptions } from './producer-config.js'
import type { Profile } from './profiles.js'
import { transactionalIdOf } from './transaction-option.js'
import { withoutTransactions } from './transaction-config.js'

/** Every producer of one messaging: those that its user asked for, and those that its consumers and transactions send with. */
export class Producers {
  readonly #options: ResolvedMessagingOptions
  readonly #durability: DurabilityCheck
  readonly #client: () => ClientOfMessaging
  readonly #all = new Set<Producer>()
  /** Producers that consumers send with: one for each profile, and one for dead letters. */
  readonly #shared = new Map<Profile | 'dead letters', Producer>()
  #state: 'open' | 'closing' = 'open'

  constructor(options: ResolvedMessagingOptions, durability: DurabilityCheck, client: () => ClientOfMessaging) {
    this.#options = options
    this.#durability = durability
    this.#client = client
  }

  all(): readonly Producer[] {
    return [...this.#all]
  }

  /** What is asked of topics that are written under this profile; `null`: nothing. */
  durabilityOf({ name, brokerNeeds, durability }: Profile): DurabilitySetting | null {
    const chosen = this.#options.durability ?? durability
    if (brokerNeeds === null || chosen === 'off') return null
    return { profile: name, needs: brokerNeeds, durability: chosen }
  }

  make(options: ResolvedProducerOptions, setting: DurabilitySetting | null): Producer {
    return this.#make(options, setting, this.#client(), undefined).producer
  }

  /** One whose records go in transactions alone. Throws `ConfigError` when the driver has none. */
  transactional(
    transactionalId: string,
    profile = this.#options.profile,
    own: MessagingProducerOptions = {},
  ): TransactionalParts {
    const { options } = resolveProducerOptions(own, profile)
    const { producer, ofDriver } = this.#make(options, this.durabilityOf(profile), this.#client(), transactionalId)
    const { transactions } = ofDriver
    if (transactions === undefined) throw withoutTransactions(this.#options.driver.name)
    return { producer, transactions }
  }

  /** What a consumer sends with whose offsets go with what it sends. */
  exactlyOnce(
    profile: Profile,
    settings: MemberTransactionsSettings,
    cluster: () => Pick<Admin, 'committedOffsets'>,
  ): ExactlyOnce {
    const { clientId, driver } = this.#options
    const { runtime } = driver
    const id = transactionalIdOf(clientId, settings, runtime.random)
    // What is not stored by then is aborted with its transaction.
    const own = { deliveryTimeoutMs: settings.timeoutMs }
    const { maxRequestBytes, bufferBytes, maxBlockMs } = resolveProducerOptions(own, profile).options
    return new ExactlyOnce({
      settings: { ...settings, maxRequestBytes, bufferBytes, maxBlockMs },
      committed: async (partitions) => cluster().committedOffsets(settings.group, partitions),
      ...this.transactional(id, profile, own),
      runtime,
      tracing: this.#client().tracing,
    })
  }

  /** One for all consumers of a profile, or for the dead letters of all. */
  shared(purpose: Profile | 'dead letters', profile: Profile, options: MessagingProducerOptions = {}): Producer {
    const known = this.#shared.get(purpose)
    if (known !== undefined) return known
    if (this.#state === 'closing') throw new StateError('closed', 'a send was called on a messaging that is closed')
    // Dead-letter topics were looked at when their consumer started: what failed is not refused for how it is kept.
    const setting = purpose === 'dead letters' ? null : this.durabilityOf(profile)
    const producer = this.make(resolveProducerOptions(options, profile).options, setting)
    this.#shared.set(purpose, producer)
    return producer
  }

  /** None is made any more for consumers. Never rejects. */
  close(timeoutMs: number): Promise<PromiseSettledResult<unknown>[]> {
    this.#state = 'closing'
    return Promise.allSettled(this.all().map((producer) => producer.close({ timeoutMs })))
  }

  #make(
    options: ResolvedProducerOptions,
    setting: DurabilitySetting | null,
    client: ClientOfMessaging,
    transactionalId: string | undefined,
  ) {
    const { driver } = this.#options
    const ofDriver = driver.createProducer({ ...client, ...options, transactionalId })
    const producer: Producer = new Producer({
      driver: ofDriver,
      runtime: driver.runtime,
      options,
      beforeFirstSend:
        setting === null ? undefined : (topic, withinMs) => this.#durability.written(setting, [topic], withinMs),
      onClosed: () => {
        client.troubles.close()
        client.metrics.close?.()
        this.#all.delete(producer)
      },
      ...client,
    })
    this.#all.add(producer)
    return { producer, ofDriver }
  }
}
