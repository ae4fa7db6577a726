import type { OwnedPartition } from '../partition/owned-partition.js'
import { DrainTime } from './drain-time.js'
import { abandon, drain, type AbandonReason, type DrainTools } from './drain.js'
import type { DrainReport } from '../../telemetry/drain-report.js'

interface RunningDrain {
  readonly partitions: readonly OwnedPartition[]
  readonly time: DrainTime
  readonly ended: Promise<void>
}

/** The drains under way: a partition has at most one, and whoever asks again can only shorten it. */
export class RunningDrains {
  readonly #tools: DrainTools
  readonly #onReport: (report: DrainReport) => void
  readonly #running = new Set<RunningDrain>()
  #last: DrainReport | null = null

  constructor(tools: DrainTools, onReport: (report: DrainReport) => void) {
    this.#tools = tools
    this.#onReport = onReport
  }

  /** Of the last drain that ended. */
  get last(): DrainReport | null {
    return this.#last
  }

  /**
   * Gives partitions up in order. One that is drained already ends by the earlier of both deadlines.
   *
   * @param finishMs most time for running handlers
   * @param deadline by `clock.now()` for everything
   */
  async drain(
    partitions: readonly OwnedPartition[],
    reason: 'revoked' | 'stopped',
    finishMs: number,
    deadline: number,
  ): Promise<void> {
    const fresh = partitions.filter((partition) => partition.state.is('active', 'stopped'))
    const earlier = [...this.#running].filter((one) =>
      one.partitions.some((partition) => partitions.includes(partition)),
    )
    for (const { time } of earlier) time.shorten(finishMs, deadline)
    await Promise.all([...earlier.map(({ ended }) => ended), this.#drainFresh(fresh, reason, finishMs, deadline)])
  }

  /** Gives partitions up at once: nothing is awaited, nothing committed. */
  abandon(partitions: readonly OwnedPartition[], reason: AbandonReason): void {
    const left = partitions.filter((partition) => !partition.isGone)
    if (left.length > 0) this.#report(abandon(left, reason, this.#tools))
  }

  async #drainFresh(
    partitions: readonly OwnedPartition[],
    reason: 'revoked' | 'stopped',
    finishMs: number,
    deadline: number,
  ): Promise<void> {
    if (partitions.length === 0) return
    const time = new DrainTime(this.#tools.clock, finishMs, deadline)
    const ended = drain(partitions, reason, time, this.#tools).then((report) => this.#report(report))
    const running = { partitions, time, ended }
    this.#running.add(running)
    try {
      await ended
    } finally {
      this.#running.delete(running)
      time.over()
    }
  }

  #report(report: DrainReport): void {
    // Everything went lost while it was drained, and that was told.
    if (report.partitions.length === 0) return
    this.#last = report
    this.#onReport(report)
  }
}
