import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { lettersVerdict } from '../../../src/console/model/letters-verdict.js'
import { resetView } from '../../../src/console/model/reset-view.js'
import { thinned } from '../../../src/console/model/thinned.js'
import { transactionsView, type TransactionsSight } from '../../../src/console/model/transactions-view.js'
import { kept } from '../../../src/console/server/kept.js'
import { counted } from '../../../src/console/watch/counted.js'
import { Standstills } from '../../../src/console/watch/standstills.js'
import type { GroupLag, PartitionLag } from '../../../src/lag/lag-report.js'
import type { LetterCounts } from '../../../src/letters/letter-counts.js'
import { virtualClock } from '../../../src/testing.js'

const at = 1_000_000

function placed(partition: number, more: Partial<PartitionLag> = {}): PartitionLag {
  return {
    ...{ topic: 'orders', partition, committed: 10, start: 0, end: 30, lag: 20, lagMs: 5_000, trend: 'ok' },
    ...more,
  }
}

function lagOf(partitions: readonly PartitionLag[]): GroupLag {
  const lag = partitions.reduce((sum, one) => sum + one.lag, 0)
  return {
    ...{ group: 'billing', at, partitions, unseen: [], lag, lagMs: null },
    ...{ trend: 'ok', drainMs: null, instancesThatHelp: 1 },
  }
}

describe('what was never committed', () => {
  const never = placed(1, { committed: null, lag: 30, lagMs: null, trend: 'never-committed' })

  it('is in no sum', () => {
    expect(counted(lagOf([placed(0), never]), new Map())).toMatchObject({ lag: 20, lagMs: 5_000 })
  })

  it('counts as its own process knows it', () => {
    const facts = {
      ...{ state: 'active', settled: 12, position: 30, unsettled: 18, running: 1, queued: 17, waitsFor: 'handler' },
      ...{ stalledMs: 0, stoppedBy: null, pausedBy: [], deadLetterFailures: 0 },
    }
    const told = counted(lagOf([placed(0), never]), new Map([['orders-1', facts]]))
    expect([told.lag, told.lagMs, told.partitions[1]?.lag]).toEqual([38, null, 18])
  })

  it('is no standstill', () => {
    const standstills = new Standstills()
    standstills.note(lagOf([placed(0), never]))
    const stands = standstills.note({ ...lagOf([placed(0), never]), at: at + 60_000 })
    expect([stands.get('orders', 0)?.since, stands.get('orders', 1)]).toEqual([at, undefined])
  })
})

describe('transactions', () => {
  const described = {
    ...{ transactionalId: 'payout-4', producerId: 9_012, producerEpoch: 3, state: 'Ongoing', timeoutMs: 900_000 },
    ...{ startedAt: at - 720_000, partitions: [{ topic: 'ledger', partition: 1 }] },
  }
  const held = [
    { topic: 'ledger', partition: 1, hides: 3_021 },
    { topic: 'log', partition: 0, hides: 7 },
  ]
  const open = { producerId: 7_741, producerEpoch: 0, firstOffset: 5, lastWrittenAt: at - 7_200_000 }
  const seen = (more: Partial<TransactionsSight>): TransactionsSight => ({ at, described: [], held, open: [], ...more })

  it('names the open one that hides records, for how long, and when it ends', () => {
    const { verdict, rows, idle } = transactionsView(
      seen({ described: [described, { ...described, transactionalId: 'idle', state: 'CompleteCommit' }] }),
      [],
    )
    expect(verdict).toMatchObject({
      level: 'watch',
      text: 'The open transaction payout-4, begun 12 min ago, hides 3,021 records on ledger-1; times out in 3 min.',
    })
    expect([rows.length, idle]).toEqual([1, 1])
  })

  it('puts first what nobody will end, with the command that does', () => {
    const strays = [{ ...open, transactionalId: null, topic: 'log', partition: 0 }]
    const { verdict, rows } = transactionsView(seen({ described: [described], open: strays }), [])
    expect(verdict.level).toBe('act')
    expect(verdict.text).toMatch(
      /^A transaction of producer 7741 e0 hangs, quiet for 2 h: .* hides 7 records on log-0\.$/,
    )
    expect(rows[0]?.commands).toEqual([
      'kafka-transactions.sh --bootstrap-server <broker> abort --topic log --partition 0 --start-offset 5',
    ])
  })

  it('takes one that has just begun for nothing to look at, and none for none', () => {
    const young = { ...described, startedAt: at - 9_000 }
    expect(transactionsView(seen({ described: [young] }), []).verdict).toMatchObject({
      level: 'ok',
      text: '1 transaction is open, none for long.',
    })
    expect(transactionsView(seen({ held: [] }), []).verdict.text).toBe('No transaction is open.')
  })
})

describe('a reset', () => {
  const one = { topic: 'orders', partition: 0, from: 10, offset: 4, earliest: 0, latest: 30 }
  const two = { ...one, partition: 1, from: 10, offset: 13 }

  it('tells what would be read again and skipped, and the command with the name as a shell takes it', () => {
    const { verdict, command } = resetView(`it's`, 'earliest', [one, two], [])
    expect(verdict.text).toBe(`it's would read 6 records again and skip 3 records on 2 partitions`)
    expect(command).toBe(`tidemark group reset 'it'\\''s' --to earliest`)
  })

  it('says who keeps it from being done', () => {
    const { verdict } = resetView('billing', 'latest', [one], ['billing-5', 'billing-7'])
    expect([verdict.text, verdict.action]).toEqual([
      expect.stringMatching(/; refused while 2 members are active$/),
      'stop billing-5, billing-7 first',
    ])
  })
})

describe('letters', () => {
  const counts: LetterCounts = {
    ...{ letters: 214, cameBack: 3, oldestAt: at - 90_000, newestAt: at - 60_000 },
    ...{
      byReason: { invalid: 190, exhausted: 24 },
      byError: {},
      byOrigin: {},
      byGroup: { billing: 214 },
      byWriter: {},
    },
  }

  it('say how many, why, from whom, and when the oldest is deleted', () => {
    expect(lettersVerdict('orders.dlq', counts, false, { at, leavesAt: at + 187_200_000 }).text).toBe(
      'orders.dlq: 214 letters, the newest 1 min ago: 190 invalid, all from billing, 3 came back after a redrive; the oldest is deleted in 2 d 4 h',
    )
  })

  it('say whether there are none, or none that is meant', () => {
    const none = { ...counts, letters: 0 }
    const told = [false, true].map((isFiltered) => lettersVerdict('d', none, isFiltered, { at, leavesAt: null }).text)
    expect(told).toEqual(['d holds no letter.', 'No letter in d is meant by this.'])
  })
})

it('sends a few samples of many, evenly and with the newest', () => {
  const samples = Array.from({ length: 720 }, (_, index) => ({ at: index, lag: index, lagMs: null }))
  const sent = thinned(samples, 80)
  expect([sent.length, sent.at(-1)?.at, (sent.at(-1)?.at ?? 0) - (sent.at(-2)?.at ?? 0)]).toEqual([80, 719, 9])
})

it('asks once for what costs much, however many want it, and again when it is old, wanted, or has failed', async () => {
  const clock = virtualClock()
  let asked = 0
  const ask = kept(clock, 1_000, async () => {
    asked += 1
    if (asked === 2) throw new Error('not now')
    return asked
  })
  expect(await Promise.all([ask(false), ask(true), ask(false)])).toEqual([1, 1, 1])
  await expect(ask(true)).rejects.toThrow('not now')
  expect([await ask(false), await ask(false), await ask(true)]).toEqual([3, 3, 4])
})

it('has the colours of all pictures', async () => {
  const { dark, light } = await import('../../../src/pictures/theme.js')
  const css = readFileSync(fileURLToPath(new URL('../../../src/console/page/public/page.css', import.meta.url)), 'utf8')
  const told = [...css.matchAll(/--([a-z]+): (#[0-9a-f]{6});/g)].map(([, token, colour]) => `${token} ${colour}`)
  const used = told.slice(0, told.length / 2).map((text) => text.split(' ')[0] as keyof typeof light)
  expect(used).toContain('act')
  expect(told).toEqual([light, dark].flatMap((theme) => used.map((token) => `${token} ${theme[token]}`)))
})
