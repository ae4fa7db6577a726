import { expect, it } from 'vitest'
import { NextRecordAges, type NextRecord } from '../../../src/lag/next-record-age.js'
import type { TopicPartition } from '../../../src/message/topic-partition.js'

const minute = 60_000
const hour = 60 * minute
const call = { timeoutMs: 1_000 }
const start = 1_000 * hour

/** Logs with a record at each of these times, by partition; keeps what was asked for. */
function logs(times: readonly (readonly number[])[]) {
  const asked: string[] = []
  const listOffsets = async (places: readonly TopicPartition[], position: unknown) => {
    const { timestamp } = position as { readonly timestamp: number }
    asked.push(`${(start - timestamp) / minute} min of ${places.map(({ partition }) => partition).join()}`)
    return places.map(({ partition }) => {
      const log = times[partition] as readonly number[]
      const first = log.findIndex((time) => time >= timestamp)
      return first === -1 ? log.length : first
    })
  }
  return { ages: new NextRecordAges({ listOffsets }), asked }
}

function next(partition: number, committed: number, end: number): NextRecord {
  return { topic: 't', partition, committed, end }
}

it('asks of a record that was the next one before only whether it is older than one step more', async () => {
  const { ages, asked } = logs([[start - 2 * hour, start], [start]])
  expect(await ages.look([next(0, 0, 2), next(1, 0, 1)], start, call)).toEqual([hour, 0])
  expect(asked.splice(0)).toEqual(['1 min of 0,1', '10 min of 0', '60 min of 0', '360 min of 0'])
  expect(await ages.look([next(0, 0, 2), next(1, 0, 1)], start, call)).toEqual([hour, 0])
  expect(asked.splice(0)).toEqual(['1 min of 1', '360 min of 0'])
  expect(await ages.look([next(0, 0, 2)], start + 5 * hour, call)).toEqual([6 * hour])
})

it('asks anew where the group went on, or the log is another one', async () => {
  const { ages } = logs([[start - 2 * hour, start - 2 * minute, start]])
  expect(await ages.look([next(0, 0, 3)], start, call)).toEqual([hour])
  expect(await ages.look([next(0, 1, 3)], start, call)).toEqual([minute])
  const younger = logs([[start, start]])
  expect(await younger.ages.look([next(0, 0, 2)], start + 2 * hour, call)).toEqual([hour])
  expect(await younger.ages.look([next(0, 0, 1)], start, call)).toEqual([0])
})
