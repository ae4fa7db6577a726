import { describe, expect, it } from 'vitest'
import { SendError } from '../../../src/errors.js'
import { Lease } from '../../../src/outbox/lease.js'
import type { OutboxContent, OutboxRow } from '../../../src/outbox/outbox-store.js'
import { RowSender } from '../../../src/outbox/row-sender.js'
import type { Clock } from '../../../src/runtime/clock.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { noMetrics } from '../../../src/telemetry/metrics.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

const row: OutboxRow = { number: 1, lane: 'a', previous: null, topic: 't', sizeBytes: 1 }
const content: OutboxContent = { number: 1, key: null, value: null, headers: [], partition: null, timestamp: 1 }

/** A process that was stopped: time has gone on, and none of its timers has fired yet. */
function sleeper() {
  const seen = { now: 0 }
  const clock: Clock = { ...virtualClock(), now: () => seen.now, setTimer: () => ({ cancel: () => undefined }) }
  return { seen, clock }
}

const leaseOn = (clock: Clock, lead: () => Promise<boolean>) =>
  new Lease({
    store: { lead, resign: () => Promise.resolve() },
    clock,
    random: seededRandom(1),
    leaseMs: 1_000,
    onUnreachable: () => undefined,
  })

function senderOn(clock: Clock, end: () => Promise<never>) {
  const sent: number[] = []
  const held: string[] = []
  const sender = new RowSender({
    producer: {
      send: (_: unknown, { number }: OutboxContent) => {
        sent.push(number)
        return end()
      },
    } as never,
    store: { hold: (_, code) => Promise.resolve(void held.push(code)) },
    topics: [],
    sendTimeoutMs: 1_000,
    clock,
    storeTimeoutMs: 1_000,
    telemetry: { logger: silentLogger, metrics: noMetrics },
    onNotSent: () => undefined,
    onUnreachable: () => undefined,
  })
  return { sender, sent, held }
}

describe('a lease', () => {
  it('counts from when it was asked for, and of its time 80 %', async () => {
    const { seen, clock } = sleeper()
    const lease = leaseOn(clock, () => {
      seen.now = 300
      return Promise.resolve(true)
    })
    expect(lease.isValid).toBe(false)
    expect(await lease.take()).toBe(true)
    seen.now = 799
    expect(lease.isValid).toBe(true)
    seen.now = 800
    expect(lease.isValid).toBe(false)
  })

  it('that ran out while its process slept lets nothing be sent, before any timer says so', async () => {
    const { seen, clock } = sleeper()
    const lease = leaseOn(clock, () => Promise.resolve(true))
    await lease.take()
    seen.now = 5_000
    const { sender, sent } = senderOn(clock, () => Promise.reject(new Error('not reached')))
    expect(await sender.send(row, content, lease)).toBe('failed')
    expect(sent).toEqual([])
    expect(lease.signal.aborted).toBe(false)
  })
})

describe('a send of a row', () => {
  it.each([
    ['refused for good', new SendError('message-too-large', 'not-stored', 'too large'), 'held', ['message-too-large']],
    ['not stored for another reason', new SendError('send-timeout', 'not-stored', 'late'), 'failed', []],
    ['unknown', new SendError('message-too-large', 'unknown', 'nobody knows'), 'failed', []],
    ['failed otherwise', new Error('a defect'), 'failed', []],
  ] as const)('that is %s', async (_, error, end, codes) => {
    const { clock } = sleeper()
    const { sender, held } = senderOn(clock, () => Promise.reject(error))
    const term = { holder: 'h', isValid: true, signal: new AbortController().signal }
    expect(await sender.send(row, content, term)).toBe(end)
    expect(held).toEqual(codes)
  })
})
