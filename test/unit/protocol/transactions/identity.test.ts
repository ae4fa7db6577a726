import { describe, expect, it } from 'vitest'
import { TransactionalIdentity } from '../../../../src/protocol/transactions/identity.js'

describe('the identity of a producer with transactions', () => {
  it('names a record of the transaction that ends, and none of one before it', () => {
    const identity = new TransactionalIdentity('x')
    const waiter = { identityReady: () => {}, identityRefused: () => {}, identityDelayed: () => {} }
    const [one, other] = [identity.of({ topic: 't', partition: 0 }), identity.of({ topic: 't', partition: 1 })]
    identity.begin({ producerId: 1, producerEpoch: 0 }, 2)
    for (const partition of [one, other]) partition.ready(waiter)
    one.stored(1, 5)
    other.stored(1, 7)
    expect(identity.finish()).toEqual({ topic: 't', partition: 0, offset: 5 })
    identity.begin({ producerId: 1, producerEpoch: 1 }, 2)
    other.ready(waiter)
    other.stored(1, 9)
    expect(identity.finish()).toEqual({ topic: 't', partition: 1, offset: 9 })
  })
})
