import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readReport } from '../../../examples/alarm/report.js'
import { noDataRules, rules } from '../../../examples/alarm/rules.js'
import { readSource, sources } from '../../../examples/alarm/sources.js'
import type { RawEvent } from '../../../examples/alarm/topics.js'
import { expectAlertInvariants } from './invariants.js'
import { batches, freshFolder, openPipeline, readTables, type Pipeline } from './pipeline.js'
import { cases, simulate } from './reference.js'

describe('detect and alert over the five series', () => {
  let folder: string
  let pipeline: Pipeline

  beforeEach(async () => {
    folder = freshFolder()
    pipeline = await openPipeline(folder)
  })
  afterEach(() => pipeline.close())

  /** All series, a chunk of each in turn, as they meet on a partition. */
  async function interleaved(chunk = 500): Promise<RawEvent[]> {
    const queues = await Promise.all(sources.map(async (source) => batches(await readSource(source), chunk)))
    const longest = Math.max(...queues.map((queue) => queue.length))
    return Array.from({ length: longest }, (_, index) => queues.flatMap((queue) => queue[index] ?? [])).flat()
  }

  async function runAll(events: readonly RawEvent[], size = 700): Promise<void> {
    for (const batch of batches(events, size)) await pipeline.run(batch)
  }

  it('stores the alerts of the independent simulation, with begin, latest and end', async () => {
    await runAll(await interleaved())

    for (const [strategyId, name] of [
      [11, 'machine'],
      [12, 'latency'],
      [13, 'rds'],
      [14, 'elb'],
      [15, 'adCost'],
    ] as const) {
      const stored = await pipeline.alertStore.db
        .selectFrom('alert')
        .select(['begin_time', 'latest_time', 'end_time', 'event_count'])
        .where('strategy_id', '=', strategyId)
        .orderBy('generation')
        .execute()
      expect(stored.map((row) => [row.begin_time, row.latest_time, row.end_time, row.event_count])).toEqual(
        simulate(cases[name]).alerts.map((one) => [one.beginTime, one.latestTime, one.endTime, one.events]),
      )
    }
    const report = await readReport({
      sources,
      rules,
      noDataRules,
      detectDb: pipeline.detectStore.db,
      alertDb: pipeline.alertStore.db,
    })
    expect(report.map((line) => [line.accepted, line.anomalies, line.triggers, line.alerts, line.windowsHit])).toEqual([
      [22_683, 1_539, 1_488, 16, 4],
      [4_021, 3, 3, 2, 2],
      [4_032, 675, 644, 10, 2],
      [4_032, 16, 16, 14, 2],
      [1_538, 10, 10, 6, 3],
      // Nobody says here how time goes on.
      [null, 0, 0, 0, 0],
    ])
    await expectAlertInvariants(pipeline)
  })

  it('changes no row when everything is replayed, also through a database opened anew', async () => {
    const events = (await interleaved()).slice(0, 12_000)
    await runAll(events)
    const before = await readTables(pipeline)
    await pipeline.close()

    pipeline = await openPipeline(folder)
    const sentAgain = []
    for (const batch of batches(events, 450)) sentAgain.push(...(await pipeline.run(batch)))
    expect(sentAgain).toEqual([])
    expect(await readTables(pipeline)).toEqual(before)
  })

  it('stores the same whatever the batches are cut like', async () => {
    const events = (await interleaved(97)).slice(0, 12_000)
    for (const batch of batches(events, 61)) await pipeline.run(batch)
    const small = await readTables(pipeline)
    await pipeline.close()
    pipeline = await openPipeline(freshFolder())
    for (const batch of batches(events, 5_000)) await pipeline.run(batch)
    expect(await readTables(pipeline)).toEqual(small)
  })

  it('says the same once more when detect dies between its transaction and what it has to say', async () => {
    const machine = await readSource(sources[0]!)
    const events = machine.slice(3_000, 6_000)
    const decided = await pipeline.runAndDieBeforeSending(events)
    expect(decided.length).toBeGreaterThan(0)
    // In other batches: what was decided stays with its record.
    const again = []
    for (const batch of batches(events, 700)) again.push(...(await pipeline.runAndDieBeforeSending(batch)))
    expect(again).toEqual(decided)
    expect(await pipeline.run(events)).toEqual(decided)
    expect(await pipeline.apply(again)).toEqual(again.map(() => 'repeated'))
    // What Kafka has committed is said no more.
    await pipeline.run((await readSource(sources[0]!)).slice(6_000, 6_100))
    expect(await pipeline.run(events)).toEqual([])
    await expectAlertInvariants(pipeline)
  })

  it('says in a topic that was made anew what happens there, and nothing that had its place before', async () => {
    const fatal = async (source: number): Promise<RawEvent[]> => {
      const rows = (await readSource(sources[source]!)).slice(0, 10)
      return rows.map((row) => ({ ...row, raw_data: { ...row.raw_data, value: 1_000 } }))
    }
    const [latency, requests, cost] = [await fatal(1), await fatal(3), await fatal(4)]
    expect(await pipeline.run(latency)).toHaveLength(10)
    expect(await pipeline.runAndDieBeforeSending(requests)).toHaveLength(10)
    await pipeline.close()

    pipeline = await openPipeline(folder)
    // Where requests were there are others now, of which all is known, and of which nothing is.
    const calm = (await readSource(sources[0]!)).slice(0, 10)
    expect(await pipeline.runAndDieBeforeSending([...calm, ...latency])).toEqual([])
    await pipeline.close()
    pipeline = await openPipeline(folder)
    const decided = await pipeline.runAndDieBeforeSending([...calm, ...cost])
    expect(decided.map(({ alert_name }) => alert_name)).toEqual(Array(10).fill('cost per click high'))
    expect(await pipeline.run([...calm, ...cost])).toEqual(decided)
  })

  it('keeps the first value of a time and counts the others as conflicts', async () => {
    const latency = await readSource(sources[1]!)
    await runAll(latency)
    const stored = await pipeline.detectStore.db
      .selectFrom('metric_point')
      .select('value')
      .where('ts', '=', Date.parse('2014-03-09T03:00:00Z') / 1000)
      .execute()
    const first = latency.find((row) => row.timestamp === Date.parse('2014-03-09T03:00:00Z') / 1000)
    expect(stored).toEqual([{ value: String(first?.raw_data.value) }])
  })
})
