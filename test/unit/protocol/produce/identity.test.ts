import { expect, test } from 'vitest'
import { DriverError } from '../../../../src/errors.js'
import type { Identity, IdentityWaiter, PartitionIdentity } from '../../../../src/protocol/produce/identity.js'
import { createProtocolProducer } from '../../../../src/protocol/produce/producer.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { batch, cp, ScriptedConnection, stamps } from './producer-script.js'

/** As a transaction would have it: one batch in doubt, and nothing goes on before somebody aborted. */
class AbortsOnDoubt implements Identity, PartitionIdentity {
  readonly transaction = null
  readonly isTransactional = false
  mustAbort = false
  #next = 0

  of(): PartitionIdentity {
    return this
  }

  ready(waiter: IdentityWaiter): boolean {
    if (!this.mustAbort) return true
    queueMicrotask(() => waiter.identityRefused(new DriverError('must-abort', 'abort the transaction first')))
    return false
  }

  stopWaiting(): void {}

  stamp() {
    return { producerId: 9, producerEpoch: 3, baseSequence: this.#next }
  }

  stored(recordCount: number): void {
    this.#next += recordCount
  }

  doubt(): void {
    this.mustAbort = true
  }

  refused(): 'give-up' {
    this.mustAbort = true
    return 'give-up'
  }

  close(): void {}
}

test('an identity that aborts on doubt: after a batch in doubt nothing is written, on no partition, and nothing is claimed', async () => {
  const clock = virtualClock({ start: 1_000_000 })
  const connection = new ScriptedConnection(clock)
  const identity = new AbortsOnDoubt()
  const producer = createProtocolProducer(connection, { clock, random: seededRandom(1) }, cp, () => identity)
  await clock.runUntil(producer.loadTopic('t', clock.now() + 1_000))
  const stored = producer.produce(batch(0, 2), clock.now() + 1_000)
  await clock.advance(0)
  connection.last.answerAll({})
  expect(await clock.runUntil(stored)).toMatchObject({ outcome: 'stored' })
  const doubtful = producer.produce(batch(0), clock.now() + 1_000)
  expect(await clock.runUntil(doubtful)).toMatchObject({ outcome: 'unknown' })
  const after = await clock.runUntil(producer.produce(batch(2), clock.now() + 1_000))
  expect(after).toMatchObject({ outcome: 'not-stored', error: { code: 'must-abort' } })
  expect(connection.initCalls).toBe(0)
  expect(stamps(connection)).toEqual([
    [9, 3, 0],
    [9, 3, 2],
  ])
  identity.mustAbort = false
  const next = producer.produce(batch(2), clock.now() + 1_000)
  await clock.advance(0)
  connection.last.answerAll({})
  expect(await clock.runUntil(next)).toMatchObject({ outcome: 'stored' })
})
