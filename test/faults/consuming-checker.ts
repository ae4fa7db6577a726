import { counts, isReported, wasKilled, wasLost, type MemberHistory, type Run } from './consuming-history.js'
import { Kills, type KillRepeats } from './kill-repeats.js'
import type { MemberVersion } from './member-process.js'
import type { Sample } from './consuming-samples.js'

export const promises = [
  /** Every record was handled to the end by the partition's owner. */
  'missed',
  /** A record of a key started before the one before it had ended, without either being reported. */
  'outOfOrder',
  /** A record was handled twice, and neither a report nor a kill tells why. */
  'unexplainedRepeat',
  /** A commit covers a record that nobody had handled by then. */
  'committedAhead',
  /** A handler of the owner was running, or began later, below what was committed. */
  'handledBelowCommit',
  /** A killed member of this version had settled it longer before its last answered commit than it takes to commit. */
  'repeatedLongSettled',
  /** The committed offset of a partition went back. */
  'wentBack',
  /** A handler outlived its assignment and its signal did not say so. */
  'notAborted',
  /** A member did what no fault excuses: failed, stopped a partition, or did not leave in order. */
  'brokenMember',
] as const
export type BrokenPromise = (typeof promises)[number]

export interface History {
  /** Absolute, on the clock of the members. */
  readonly startedAt: number
  readonly members: readonly MemberHistory[]
  readonly samples: readonly Sample[]
  /** End of each partition's log. */
  readonly ends: readonly number[]
}

export interface ConsumingReport {
  readonly records: number
  readonly runs: number
  readonly repeats: number
  readonly repeatsReported: number
  readonly repeatsAfterKill: number
  readonly kills: Readonly<Record<MemberVersion, KillRepeats>>
  readonly lateEnds: number
  readonly abandoned: number
  readonly drains: Readonly<Record<string, number>>
  readonly refusedCommits: number
  readonly samples: number
  readonly broken: Readonly<Record<BrokenPromise, number>>
  readonly examples: Readonly<Record<BrokenPromise, readonly string[]>>
}

const examplesKept = 3

/** Compares what members did, by their own logs, with what the group had committed meanwhile. */
export class ConsumingChecker {
  readonly #history: History
  readonly #broken = Object.fromEntries(promises.map((name) => [name, 0])) as Record<BrokenPromise, number>
  readonly #examples = Object.fromEntries(promises.map((name) => [name, [] as string[]])) as Record<
    BrokenPromise,
    string[]
  >
  /** By partition and offset. */
  readonly #runs: Run[][][]
  readonly #kills: Kills
  #repeats = 0
  #repeatsReported = 0
  #repeatsAfterKill = 0

  constructor(history: History) {
    this.#history = history
    this.#kills = new Kills(history.members)
    this.#runs = history.ends.map((end) => Array.from({ length: end }, () => []))
    for (const run of this.#all()) this.#runs[run.tenure.partition]?.[run.offset]?.push(run)
    for (const partition of this.#runs) for (const runs of partition) runs.sort((a, b) => a.startedAt - b.startedAt)
  }

  report(): ConsumingReport {
    this.#checkEveryRecordHandled()
    this.#checkOrder()
    this.#checkRepeats()
    this.#checkCommits()
    this.#checkRunsAgainstCommits()
    this.#checkSignals()
    this.#checkMembers()
    const { members, samples, ends } = this.#history
    const all = [...this.#all()]
    const drains: Record<string, number> = {}
    const reports = members.flatMap(({ events }) =>
      events.flatMap((event) => (event.kind === 'drained' ? [event.report] : [])),
    )
    for (const { reason } of reports) drains[reason] = (drains[reason] ?? 0) + 1
    return {
      records: ends.reduce((sum, end) => sum + end, 0),
      runs: all.length,
      repeats: this.#repeats,
      repeatsReported: this.#repeatsReported,
      repeatsAfterKill: this.#repeatsAfterKill,
      kills: { former: this.#kills.of('former'), present: this.#kills.of('present') },
      lateEnds: all.filter(({ late }) => late).length,
      abandoned: reports.reduce((sum, { abandoned }) => sum + abandoned, 0),
      drains,
      refusedCommits: members.reduce((sum, { events }) => sum + refusedCommits(events), 0),
      samples: samples.length,
      broken: this.#broken,
      examples: this.#examples,
    }
  }

  *#all(): Generator<Run> {
    for (const { tenures } of this.#history.members) for (const { runs } of tenures) yield* runs
  }

  #checkEveryRecordHandled(): void {
    this.#runs.forEach((records, partition) =>
      records.forEach((runs, offset) => {
        if (!runs.some(counts))
          this.#break(
            'missed',
            `${partition}@${offset}: ${runs.map((run) => this.#show(run)).join(', ') || 'never started'}`,
          )
      }),
    )
  }

  /** In one assignment without exception; between owners, unless the earlier or the later run was reported or killed. */
  #checkOrder(): void {
    const byKey = new Map<string, Run[]>()
    for (const run of this.#all()) {
      const id = `${run.tenure.partition} ${run.key}`
      const runs = byKey.get(id)
      if (runs === undefined) byKey.set(id, [run])
      else runs.push(run)
    }
    for (const runs of byKey.values()) this.#checkOrderOfKey(runs.sort((a, b) => a.startedAt - b.startedAt))
  }

  #checkOrderOfKey(runs: readonly Run[]): void {
    let running: Run[] = []
    const lastOfTenure = new Map<unknown, number>()
    for (const run of runs) {
      running = running.filter(({ endedAt }) => endedAt > run.startedAt)
      const wrong = running.find((other) => other.tenure === run.tenure || (!isExcused(other) && !isExcused(run)))
      const last = lastOfTenure.get(run.tenure) ?? -1
      if (wrong !== undefined) this.#break('outOfOrder', `${this.#show(run)} began during ${this.#show(wrong)}`)
      else if (run.offset <= last) this.#break('outOfOrder', `${this.#show(run)} began after offset ${last} of its key`)
      lastOfTenure.set(run.tenure, run.offset)
      running.push(run)
    }
  }

  #checkRepeats(): void {
    for (const records of this.#runs) {
      for (const runs of records) {
        if (runs.length < 2) continue
        this.#repeats += runs.length - 1
        for (const run of this.#kills.note(runs)) this.#break('repeatedLongSettled', this.#show(run))
        const reported = runs.filter(isReported).length
        const killed = runs.filter((run) => !isReported(run) && wasKilled(run.tenure)).length
        this.#repeatsReported += Math.min(reported, runs.length - 1)
        this.#repeatsAfterKill += Math.min(killed, Math.max(0, runs.length - 1 - reported))
        if (runs.length - reported - killed > 1)
          this.#break('unexplainedRepeat', runs.map((run) => this.#show(run)).join(', '))
      }
    }
  }

  /** Each sample against what had been handled when it was taken. */
  #checkCommits(): void {
    const doneAt = this.#runs.map((records) => records.map((runs) => earliestEnd(runs)))
    const allDoneAt = doneAt.map((records) => {
      let latest = -Infinity
      return records.map((at) => (latest = Math.max(latest, at)))
    })
    const before = new Map<number, number>()
    for (const { at, offsets } of this.#history.samples) {
      for (const [partition, { offset, completed }] of offsets) {
        const last = before.get(partition) ?? 0
        if (offset < last) this.#break('wentBack', `${partition}: ${offset} after ${last}, at ${this.#time(at)}`)
        before.set(partition, offset)
        const done = offset === 0 ? -Infinity : (allDoneAt[partition]?.[offset - 1] ?? Infinity)
        if (done > at) {
          const first = doneAt[partition]?.findIndex((time) => time > at) ?? -1
          this.#break(
            'committedAhead',
            `${partition}: ${offset} at ${this.#time(at)}, but ${first}: ${this.#showRecord(partition, first)}`,
          )
        }
        for (const { from, to } of completed) {
          for (let inside = from; inside < to; inside++) {
            if ((doneAt[partition]?.[inside] ?? Infinity) <= at) continue
            this.#break(
              'committedAhead',
              `${partition}: range ${from}–${to} at ${this.#time(at)}, but ${inside}: ${this.#showRecord(partition, inside)}`,
            )
            break
          }
        }
      }
    }
  }

  /** An owner starts at what is committed and commits only what it has done, so nothing of its own is ever below. */
  #checkRunsAgainstCommits(): void {
    const { samples } = this.#history
    for (const run of this.#all()) {
      if (wasLost(run.tenure) || isReported(run)) continue
      const { tenure, offset, startedAt } = run
      const end = Math.min(run.endedAt, tenure.report?.at ?? Infinity, killedAt(run))
      const atEnd = samples[lastBefore(samples, end)]?.offsets.get(tenure.partition)
      if (atEnd !== undefined && atEnd.offset > offset) {
        this.#break('handledBelowCommit', `${this.#show(run)}, committed was ${atEnd.offset} before it ended`)
        continue
      }
      const atStart = samples[lastBefore(samples, startedAt)]?.offsets.get(tenure.partition)
      const isBelieved = tenure.member.version === 'former' || atStart?.isMarked === true
      const range = isBelieved && atStart?.completed.find(({ from, to }) => offset >= from && offset < to)
      if (range)
        this.#break('handledBelowCommit', `${this.#show(run)}, committed as completed in ${range.from}–${range.to}`)
    }
  }

  #checkSignals(): void {
    for (const run of this.#all()) if (run.late && !run.aborted) this.#break('notAborted', this.#show(run))
  }

  #checkMembers(): void {
    for (const { name, fate, exitCode, events, tenures } of this.#history.members) {
      for (const event of events)
        if (event.kind === 'broken') this.#break('brokenMember', `${name} ${this.#time(event.at)}: ${event.message}`)
      if (fate.kind !== 'told-to-leave') continue
      if (exitCode !== 0)
        this.#break(
          'brokenMember',
          `${name} ended with ${exitCode ?? 'a kill, not in its time,'} after SIGTERM at ${this.#time(fate.at)}`,
        )
      const silent = tenures.find(({ report }) => report === null)
      if (silent !== undefined)
        this.#break('brokenMember', `${name} left partition ${silent.partition} without a report`)
    }
  }

  #break(promise: BrokenPromise, example: string): void {
    this.#broken[promise]++
    if (this.#examples[promise].length < examplesKept) this.#examples[promise].push(example)
  }

  #showRecord(partition: number, offset: number): string {
    return this.#runs[partition]?.[offset]?.map((run) => this.#show(run)).join(', ') || 'never started'
  }

  #show(run: Run): string {
    const { tenure, offset, startedAt, endedAt, late } = run
    const reason =
      tenure.report === null ? tenure.member.fate.kind : `${tenure.report.drain.reason} ${this.#time(tenure.report.at)}`
    const end = endedAt === Infinity ? 'no end' : `${this.#time(endedAt)}${late ? ' late' : ''}`
    return `[${tenure.partition}@${offset} ${tenure.member.name}#${tenure.number} ${this.#time(startedAt)}–${end}, ${reason}${isReported(run) ? ', reported' : ''}]`
  }

  #time(at: number): string {
    return `${((at - this.#history.startedAt) / 1_000).toFixed(3)} s`
  }
}

const isExcused = (run: Run): boolean => isReported(run) || wasKilled(run.tenure)

const killedAt = ({ tenure: { member } }: Run): number => (member.fate.kind === 'killed' ? member.fate.at : Infinity)

const earliestEnd = (runs: readonly Run[]): number =>
  runs.reduce((earliest, run) => (counts(run) ? Math.min(earliest, run.endedAt) : earliest), Infinity)

/** Index of the last sample that was there before a time; -1 when none was. */
function lastBefore(samples: readonly Sample[], time: number): number {
  let low = 0
  let high = samples.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((samples[middle]?.at ?? Infinity) < time) low = middle + 1
    else high = middle
  }
  return low - 1
}

function refusedCommits(events: MemberHistory['events']): number {
  return events.reduce((most, event) => (event.kind === 'facts' ? Math.max(most, event.commits.lost) : most), 0)
}
