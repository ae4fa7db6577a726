import { wasKilled, type MemberHistory, type Run } from './consuming-history.js'
import type { MemberVersion } from './member-process.js'

/** What came again because members of one version were killed. */
export interface KillRepeats {
  readonly kills: number
  /** Records that a killed member had settled and that were handled again. */
  readonly settled: number
  /** The longest time between settling such a record and the kill. */
  readonly oldestMs: number
}

/** What was settled so long before a member's last answered commit is in that commit, or in one before; it takes some ms, on a busy machine more. */
const commitTakesMs = 1_000

/** Counts what killed members had settled in vain. */
export class Kills {
  readonly #settled: Record<MemberVersion, number> = { former: 0, present: 0 }
  readonly #oldestMs: Record<MemberVersion, number> = { former: 0, present: 0 }
  readonly #lastCommit: ReadonlyMap<MemberHistory, number>

  constructor(private readonly members: readonly MemberHistory[]) {
    this.#lastCommit = new Map(members.map((member) => [member, lastCommit(member)]))
  }

  /** All runs of one record that was handled more than once, in order; returns those that should have been committed. */
  note(runs: readonly Run[]): readonly Run[] {
    const inVain = runs.slice(0, -1).filter(wasSettledByKilled)
    for (const { endedAt, tenure } of inVain) {
      const { fate, version } = tenure.member
      this.#settled[version]++
      if (fate.kind === 'killed') this.#oldestMs[version] = Math.max(this.#oldestMs[version], fate.at - endedAt)
    }
    return inVain.filter(({ endedAt, tenure: { member } }) => {
      return member.version === 'present' && endedAt < (this.#lastCommit.get(member) ?? -Infinity) - commitTakesMs
    })
  }

  of(version: MemberVersion): KillRepeats {
    const kills = this.members.filter(({ fate, version: own }) => own === version && fate.kind === 'killed').length
    return { kills, settled: this.#settled[version], oldestMs: this.#oldestMs[version] }
  }
}

const wasSettledByKilled = (run: Run): boolean => wasKilled(run.tenure) && run.endedAt !== Infinity && !run.late

const lastCommit = ({ events }: MemberHistory): number =>
  events.reduce((latest, event) => (event.kind === 'committed' ? event.at : latest), -Infinity)
