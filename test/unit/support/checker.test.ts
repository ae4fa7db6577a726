import { describe, expect, it } from 'vitest'
import { Checker, type Violation } from '../../support/checker.js'
import { Ledger, type Outcome } from '../../support/ledger.js'

const stored = (partition: number, offset: number): Outcome => ({ kind: 'stored', partition, offset })
const notStored: Outcome = { kind: 'not-stored', reason: 'refused' }
const unknown: Outcome = { kind: 'unknown', reason: 'timeout' }

/** Sends one record for each outcome, all with one key, and shows the checker a log of [partition, offset, sequence]. */
function check(outcomes: readonly (Outcome | null)[], log: readonly (readonly [number, number, number])[], key = 'k') {
  const ledger = new Ledger('run')
  for (const outcome of outcomes) {
    const id = ledger.invoke(0, key)
    if (outcome !== null) ledger.settle(id, outcome)
  }
  const checker = new Checker(ledger)
  for (const [partition, offset, sequence] of log) {
    checker.record({ partition, offset, value: Buffer.from(ledger.value({ producer: 0, sequence }, 60)) })
  }
  return checker.report()
}

const only = (violation: Violation, count = 1) => ({
  ...{ lost: 0, doubled: 0, notStoredButPresent: 0, misplaced: 0, outOfOrder: 0, unsettled: 0, foreign: 0 },
  [violation]: count,
})

describe('the checker', () => {
  it('finds nothing in a log that is as it was told', () => {
    const report = check(
      [stored(0, 3), notStored, unknown, stored(0, 5)],
      [
        [0, 3, 0],
        [0, 5, 3],
      ],
    )
    expect(report.broken).toEqual(only('lost', 0))
    expect(report).toMatchObject({ acknowledged: 2, notStored: 1, unknown: 1, unknownPresent: 0, inLog: 2 })
  })

  it('lets an unknown record be there once', () => {
    const report = check([unknown], [[0, 0, 0]])
    expect(report.broken).toEqual(only('lost', 0))
    expect(report.unknownPresent).toBe(1)
  })

  it.each<[Violation, readonly (Outcome | null)[], readonly (readonly [number, number, number])[]]>([
    ['lost', [stored(0, 0), stored(0, 1)], [[0, 1, 1]]],
    [
      'doubled',
      [stored(0, 0)],
      [
        [0, 0, 0],
        [0, 1, 0],
      ],
    ],
    [
      'doubled',
      [unknown],
      [
        [0, 0, 0],
        [1, 0, 0],
      ],
    ],
    ['notStoredButPresent', [notStored], [[0, 0, 0]]],
    ['misplaced', [stored(0, 7)], [[0, 8, 0]]],
    ['misplaced', [stored(1, 7)], [[0, 7, 0]]],
    [
      'outOfOrder',
      [stored(0, 1), stored(0, 0)],
      [
        [0, 0, 1],
        [0, 1, 0],
      ],
    ],
    [
      'outOfOrder',
      [stored(0, 0), stored(1, 0)],
      [
        [0, 0, 0],
        [1, 0, 1],
      ],
    ],
    ['unsettled', [null], []],
  ])('finds what is %s', (violation, outcomes, log) => {
    const report = check(outcomes, log)
    expect(report.broken).toEqual(only(violation))
    expect(report.examples[violation]).toHaveLength(1)
  })

  it('asks no order of records without a key', () => {
    expect(
      check(
        [stored(0, 1), stored(0, 0)],
        [
          [0, 0, 1],
          [0, 1, 0],
        ],
        '',
      ).broken,
    ).toEqual(only('lost', 0))
  })

  it('finds what is foreign: another run, a sequence never sent, no value', () => {
    const ledger = new Ledger('run')
    const checker = new Checker(ledger)
    for (const value of ['other 0 0 ', 'run 0 0 ', 'run x y', null]) {
      checker.record({ partition: 0, offset: 0, value: value === null ? null : Buffer.from(value) })
    }
    expect(checker.report().broken).toEqual(only('foreign', 4))
  })
})

describe('the ledger', () => {
  it('refuses a second outcome of one record', () => {
    const ledger = new Ledger('run')
    const id = ledger.invoke(0, 'k')
    ledger.settle(id, unknown)
    expect(() => ledger.settle(id, stored(0, 0))).toThrow('settled twice')
  })

  it('counts states and reasons', () => {
    const ledger = new Ledger('run')
    for (const outcome of [unknown, unknown, notStored, stored(0, 0)]) ledger.settle(ledger.invoke(1, ''), outcome)
    ledger.invoke(1, '')
    expect(ledger.counts).toEqual({ invoked: 1, stored: 1, 'not-stored': 1, unknown: 2 })
    expect([...ledger.reasons]).toEqual([
      ['timeout', 2],
      ['refused', 1],
    ])
  })
})
