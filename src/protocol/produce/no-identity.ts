import type { Identity, PartitionIdentity, Stamp } from './identity.js'

const unstamped: Stamp = Object.freeze({ producerId: -1, producerEpoch: -1, baseSequence: -1 })

const nobody: PartitionIdentity = {
  isTransactional: false,
  ready: () => true,
  stopWaiting: () => undefined,
  stamp: () => unstamped,
  stored: () => undefined,
  doubt: () => undefined,
  refused: () => 'give-up',
}

/** Without idempotence brokers know nobody: they store what comes, also twice. */
export class NoIdentity implements Identity {
  readonly transaction = null

  of(): PartitionIdentity {
    return nobody
  }

  close(): void {}
}
