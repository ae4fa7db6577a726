import type { OutboxStore } from './outbox-store.js'
import { resolveRelayOptions, type RelayOptions, type ResolvedRelayOptions } from './relay-options.js'
import { OutboxRelay, type RelayFacts, type RelayParts, type RelayStopOptions } from './relay.js'

type GivenParts = Pick<RelayParts, 'producer' | 'runtime' | 'telemetry'>

/** The relays of one messaging that are not stopped. */
export class Relays {
  readonly #all = new Set<OutboxRelay>()

  /** @throws ConfigError with every problem */
  make(store: OutboxStore, given: RelayOptions, partsFor: (options: ResolvedRelayOptions) => GivenParts): OutboxRelay {
    const options = resolveRelayOptions(store, given)
    const relay: OutboxRelay = new OutboxRelay({
      ...partsFor(options),
      store,
      options,
      onStopped: () => this.#all.delete(relay),
    })
    this.#all.add(relay)
    return relay
  }

  facts(): readonly RelayFacts[] {
    return [...this.#all].map((relay) => relay.facts())
  }

  stop(options: RelayStopOptions): readonly Promise<void>[] {
    return [...this.#all].map((relay) => relay.stop(options))
  }
}
