import { describe, expect, it } from 'vitest'
import type { FailedRecord } from '../../../src/consumer/handling/failed-record.js'
import { Discard } from '../../../src/consumer/handling/fate.js'
import type { HandlerContext } from '../../../src/consumer/handling/handler.js'
import type { AssignedPartition, CommitOutcome, OffsetToCommit } from '../../../src/driver/consumer.js'
import type { Message } from '../../../src/message/message.js'
import { parseCommitMetadata } from '../../../src/offsets/commit-metadata.js'
import { completedRangesSection, parseCompletedRanges } from '../../../src/offsets/completed-ranges.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { setUp, type Options } from './consumer-setup.js'
import { record } from './fake-driver.js'

const recordsOfPartition = 40
const partitions = [0, 1, 2]
const steps = 250

interface Call {
  readonly partition: number
  readonly offsets: readonly number[]
  readonly lane: string
  /** Which assignment (or seek) it was started under. */
  readonly tenure: number
  readonly signal: AbortSignal
  readonly end: (error?: Error) => void
}

/** One partition as the test knows it: its log, what the group has stored, and who may handle it now. */
class Place {
  readonly offsets: number[] = []
  readonly keys = new Map<number, string | null>()
  readonly done = new Set<number>()
  stored: { offset: number; metadata: string | null } | null = null
  assigned: AssignedPartition | null = null
  state: 'gone' | 'ours' | 'draining' | 'seeking' = 'gone'
  userPaused = false
  fetching = true
  position = 0
  tenure = 0
  /** Touched since the tenure began. */
  readonly started = new Set<number>()
  readonly lastStarted = new Map<string, number>()
}

function history(seed: number) {
  const random = seededRandom(seed)
  const draw = (below: number) => Math.floor(random.next() * below)
  const chance = (probability: number) => random.next() < probability
  const order = (['partition', 'key', 'none'] as const)[seed % 3] ?? 'none'
  const batches = order !== 'key' && seed % 2 === 0
  const concurrency = 1 + draw(6)
  const places = partitions.map(() => new Place())
  const placeOf = (partition: number) => places[partition] as Place
  for (const place of places) {
    for (let offset = draw(3); place.offsets.length < recordsOfPartition; offset += chance(0.1) ? 3 : 1) {
      place.offsets.push(offset)
      place.keys.set(offset, chance(0.2) ? null : `k${draw(4)}`)
    }
  }
  const running = new Set<Call>()
  const problems: string[] = []
  const problem = (what: string) => problems.push(what)

  const begin = (messages: readonly Message[], { signal }: HandlerContext): void | Promise<void> => {
    const { partition } = messages[0] as Message
    const place = placeOf(partition)
    const offsets = messages.map(({ offset }) => offset)
    const key = messages[0]?.key ?? null
    const lane = order === 'partition' ? 'all' : order === 'key' && key !== null ? `key ${key.toString()}` : ''
    const what = `${partition}@${offsets.join()}`
    if (place.state !== 'ours') problem(`${what} was started while its partition was ${place.state}`)
    if (place.userPaused) problem(`${what} was started while its partition was paused`)
    if (running.size >= concurrency) problem(`${what} was started beside ${running.size} others`)
    for (const offset of offsets) {
      place.started.add(offset)
    }
    if (lane !== '') {
      const rival = [...running].find(
        (call) => call.partition === partition && call.lane === lane && call.tenure === place.tenure,
      )
      if (rival !== undefined && !rival.signal.aborted) problem(`${what} overtakes ${rival.offsets.join()}`)
      const last = place.lastStarted.get(lane) ?? -1
      // A failed batch is handed over again record by record.
      if (!batches && (offsets[0] as number) <= last) problem(`${what} comes after ${last}`)
      place.lastStarted.set(lane, offsets.at(-1) as number)
    }
    const settle = (error?: Error) => {
      if (error === undefined || error instanceof Discard) for (const offset of offsets) place.done.add(offset)
    }
    if (chance(0.2)) {
      settle()
      return undefined
    }
    return new Promise((resolve, reject) => {
      const call: Call = {
        partition,
        offsets,
        lane,
        tenure: place.tenure,
        signal,
        end: (error) => {
          running.delete(call)
          // Alone, a failed record is dead-lettered; told to end, it is handled again.
          settle(error)
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      running.add(call)
      if (chance(0.7)) signal.addEventListener('abort', () => call.end(signal.reason as Error), { once: true })
    })
  }

  const deadLetter = (failed: FailedRecord): Promise<void> => {
    if (chance(0.4)) return Promise.reject(new Error('no broker'))
    placeOf(failed.partition).done.add(failed.record.offset)
    return Promise.resolve()
  }

  const options: Options = {
    order,
    concurrency,
    drainMs: 1_000,
    handlerTimeoutMs: 20_000,
    commit: chance(0.5) ? 'each' : { everyMs: 700, everyMessages: 7 },
    highMark: { records: 30, bytes: 1_000_000 },
    lowMark: { records: 10, bytes: 500_000 },
    ...(batches
      ? { handleBatch: begin, batchMessages: 1 + draw(5) }
      : { handle: (message: Message, context: HandlerContext) => begin([message], context) }),
  }
  const all = setUp(options, chance(0.8) ? { deadLetter } : {})
  const { clock, driver, consumer, drains } = all

  const check = ({ partition, nextOffset, metadata }: OffsetToCommit) => {
    const place = placeOf(partition)
    const open = place.offsets.filter((offset) => offset < nextOffset && !place.done.has(offset))
    if (open.length > 0) problem(`commit of ${partition}@${nextOffset} passes ${open.join()}`)
    const section = parseCommitMetadata(metadata).get(completedRangesSection)
    for (const { from, to } of parseCompletedRanges(section, nextOffset)) {
      const hidden = place.offsets.filter((offset) => offset >= from && offset < to && !place.done.has(offset))
      if (hidden.length > 0) problem(`commit of ${partition}@${nextOffset} hides ${hidden.join()}`)
    }
  }
  driver.commit = async (offsets): Promise<readonly CommitOutcome[]> => {
    for (const offset of offsets) {
      check(offset)
      const place = placeOf(offset.partition)
      if (place.assigned?.epoch !== offset.epoch) problem(`commit of ${offset.partition} under an epoch that is over`)
    }
    const late = chance(0.3) ? draw(400) : 0
    const outcomes = offsets.map(({ partition, nextOffset, metadata }): CommitOutcome => {
      if (chance(0.15)) return 'pending'
      placeOf(partition).stored = { offset: nextOffset, metadata }
      return 'committed'
    })
    if (late > 0) await clock.sleep(late)
    return outcomes
  }
  driver.pause = ({ partition }) => void (placeOf(partition).fetching = false)
  driver.resume = ({ partition }) => void (placeOf(partition).fetching = true)
  driver.seek = ({ partition }, offset) => void (placeOf(partition).position = offset)

  const assign = async (partition: number) => {
    const place = placeOf(partition)
    place.state = 'ours'
    place.fetching = true
    place.tenure += 1
    place.started.clear()
    place.lastStarted.clear()
    place.position = place.stored?.offset ?? 0
    const assigning = driver.assign('t', partition, { committed: place.stored, position: place.position })
    place.assigned = driver.assignment().find((one) => one.partition === partition) ?? null
    await assigning
  }
  const deliver = (partition: number) => {
    const place = placeOf(partition)
    if (place.assigned === null || place.state === 'draining' || place.state === 'gone' || !place.fetching) return
    const next = place.offsets.filter((offset) => offset >= place.position).slice(0, draw(12))
    const end = (next.at(-1) ?? place.position - 1) + 1
    place.position = end
    driver.deliver(
      place.assigned,
      next.map((offset) => record(offset, place.keys.get(offset))),
      end,
    )
  }
  /** Whatever was begun in this tenure and is not known to the group as done must be named. */
  const covered = (place: Place, partition: number, began: readonly number[]) => {
    const report = drains.findLast((one) => one.partitions.some((each) => each.partition === partition))
    if (report === undefined) return problem('a drain was not reported')
    for (const offset of began) {
      const isStored = offset < (place.stored?.offset ?? 0)
      const isNamed = report.possibleDuplicates.some(
        (range) => range.partition === partition && offset >= range.from && offset < range.to,
      )
      const section = parseCommitMetadata(place.stored?.metadata ?? null).get(completedRangesSection)
      const isKept = parseCompletedRanges(section, place.stored?.offset ?? -1).some(
        ({ from, to }) => offset >= from && offset < to,
      )
      if (!isStored && !isNamed && !isKept) problem(`${partition}@${offset} may be repeated and is not reported`)
    }
  }
  const giveUp = async (partition: number) => {
    const place = placeOf(partition)
    const { assigned } = place
    if (assigned === null || place.state === 'gone' || place.state === 'draining') return
    if (chance(0.3)) {
      place.state = 'gone'
      driver.lose(assigned)
      covered(place, partition, [...place.started])
      place.assigned = null
      return
    }
    place.state = 'draining'
    await driver.revoke(assigned, 500 + draw(3_000))
    if (place.state !== 'draining' || place.assigned !== assigned) return
    covered(place, partition, [...place.started])
    place.state = 'gone'
    place.assigned = null
  }
  const seek = async (partition: number) => {
    const place = placeOf(partition)
    if (place.state !== 'ours' || place.userPaused) return
    place.state = 'seeking'
    const target = place.offsets[draw(place.offsets.length)] as number
    try {
      await consumer.seek('t', partition, Math.min(target, place.stored?.offset ?? 0))
    } catch {
      return // taken away meanwhile
    }
    if (place.state !== 'seeking') return
    place.state = 'ours'
    place.tenure += 1
    place.started.clear()
    place.lastStarted.clear()
  }
  const togglePause = (partition: number) => {
    const place = placeOf(partition)
    if (place.state !== 'ours') return
    place.userPaused = !place.userPaused
    if (place.userPaused) consumer.pause([{ topic: 't', partition }])
    else consumer.resume([{ topic: 't', partition }])
  }
  const endOne = () => {
    const call = [...running][draw(running.size)]
    if (call === undefined) return
    const fate = random.next()
    call.end(fate < 0.8 ? undefined : fate < 0.9 ? new Error('no') : new Discard('not wanted'))
  }

  const run = async () => {
    const doings: Promise<unknown>[] = []
    await consumer.start()
    for (const partition of partitions) await assign(partition)
    for (let step = 0; step < steps; step += 1) {
      const partition = draw(partitions.length)
      const what = random.next()
      if (what < 0.35) deliver(partition)
      else if (what < 0.75) endOne()
      else if (what < 0.8) togglePause(partition)
      else if (what < 0.84) doings.push(seek(partition))
      else if (what < 0.88) doings.push(giveUp(partition))
      else if (what < 0.92 && placeOf(partition).state === 'gone') doings.push(assign(partition))
      await clock.advance(chance(0.3) ? draw(300) : 0)
      if (problems.length > 0) return
    }
    // Everything is well from now on: whatever was not handled is.
    const allDone = () => places.every(({ offsets, done }) => offsets.every((offset) => done.has(offset)))
    for (let round = 0; round < 400 && !allDone(); round += 1) {
      for (const partition of partitions) {
        const place = placeOf(partition)
        if (place.userPaused && place.state === 'ours') togglePause(partition)
        if (place.state === 'gone') await assign(partition)
        const stopped = consumer
          .facts()
          .partitions.some((one) => one.partition === partition && one.state === 'stopped')
        if (stopped && place.state === 'ours') doings.push(seek(partition))
        deliver(partition)
      }
      for (const call of [...running]) call.end()
      await clock.advance(200)
    }
    const missing = partitions.flatMap((partition) =>
      placeOf(partition)
        .offsets.filter((offset) => !placeOf(partition).done.has(offset))
        .map((offset) => `${partition}@${offset}`),
    )
    if (missing.length > 0)
      problem(`never handled: ${missing.join(' ')} ${JSON.stringify(consumer.facts().partitions)}`)
    const ended = consumer.stop({ timeoutMs: 5_000 })
    for (const place of places) if (place.state === 'ours') place.state = 'draining'
    await clock.runUntil(ended)
    await clock.advance(60_000)
    await Promise.allSettled(doings)
    if (clock.pendingTimers > 0) problem(`${clock.pendingTimers} timers are left`)
  }
  return { run, problems }
}

describe('a consumer, whatever happens at whatever moment', () => {
  it.each(Array.from({ length: 40 }, (_, index) => index + 1))(
    'keeps order, concurrency, commits and reports, and handles everything in the end (seed %i)',
    async (seed) => {
      const { run, problems } = history(seed)
      await run()
      expect(problems).toEqual([])
    },
  )
})
