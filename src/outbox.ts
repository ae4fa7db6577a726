/** The relay that sends what an outbox holds, and the port of the outbox; `tidemark/sql` has one in a database. */
export type { OutboxBacklog, OutboxContent, OutboxRow, OutboxStore } from './outbox/outbox-store.js'
export type { OutboxRelay, RelayFacts, RelayState, RelayStopOptions } from './outbox/relay.js'
export type { RelayOptions } from './outbox/relay-options.js'
