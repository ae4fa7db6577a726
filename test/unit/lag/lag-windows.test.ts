import { expect, it } from 'vitest'
import type { SeenGroup } from '../../../src/lag/lag-look.js'
import { LagWindows } from '../../../src/lag/lag-windows.js'

type Seen = Readonly<Record<string, number>>

/** Half of what came in each topic is committed. */
function group(name: string, ends: Seen, unseen: SeenGroup['unseen'] = []): SeenGroup {
  const partitions = Object.entries(ends).map(([topic, end]) => ({
    topic,
    partition: 0,
    committed: end / 2,
    start: 0,
    end,
  }))
  return { group: name, partitions, unseen, failure: null }
}

const hidden = { topic: 'hidden', partition: 0, reason: 'no-leader' } as const
const gone = { topic: 'gone', partition: null, reason: 'not-there' } as const
const failed = { topic: null, partition: null, reason: 'failed', why: 'no answer' } as const

/** Ages by topic of the first group, one look a second. */
function ages(looks: readonly (readonly SeenGroup[])[]): Readonly<Record<string, number | null>> {
  const windows = new LagWindows(4)
  const reports = looks.map((groups, look) => windows.add(groups, look * 1_000, 0))
  return Object.fromEntries((reports.at(-1)?.[0]?.partitions ?? []).map(({ topic, lagMs }) => [topic, lagMs]))
}

it('what is known of topics that are gone is forgotten, also while something else is unseen for good', () => {
  expect(
    ages([
      [group('g', { hidden: 0, gone: 0, left: 0, read: 0 })],
      [group('g', { read: 10 }, [hidden, gone])],
      [group('g', { read: 20 }, [hidden])],
      // Of those that were forgotten nothing is known of before, and of those that were hidden all is.
      [group('g', { hidden: 30, gone: 30, left: 30, read: 30 })],
    ]),
  ).toEqual({ hidden: 1_500, gone: null, left: null, read: 1_500 })
})

it('what is known of a group is kept while its coordinator does not tell, and what others read with it', () => {
  expect(
    ages([
      [group('g', { own: 0, both: 0 }), group('other', { both: 0, others: 0 })],
      [group('g', {}, [failed]), group('other', {})],
      [group('g', { own: 20, both: 20, others: 20 }), group('other', {})],
    ]),
  ).toEqual({ own: 1_000, both: 1_000, others: null })
})
