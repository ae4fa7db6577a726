import { alertInvariants } from './alert-invariants.js'
import { convergeInvariants } from './converge-invariants.js'
import type { Evidence } from './evidence.js'
import type { Finding, Invariant } from './invariant.js'
import { stageInvariants } from './stage-invariants.js'

export interface Verdict extends Finding {
  readonly number: number
  readonly promise: string
  /** `unseen`: there was nothing of it to look at. */
  readonly state: 'holds' | 'broken' | 'unseen'
}

/** Of the pipeline, in the order of their numbers. */
export const invariants: readonly Invariant[] = [...alertInvariants, ...convergeInvariants, ...stageInvariants].sort(
  (one, other) => one.number - other.number,
)

/** @param when `running`: only what holds at any moment is looked at */
export function verify(evidence: Evidence, when: 'at rest' | 'running' = 'at rest'): Verdict[] {
  const due = invariants.filter(({ holds }) => when === 'at rest' || holds === 'always')
  return due.map(({ number, promise, check }) => {
    const finding = check(evidence)
    const state = finding.wrong.length > 0 ? 'broken' : finding.looked === '' ? 'unseen' : 'holds'
    return { number, promise, state, ...finding }
  })
}

const toldOf = 5

/** A line for each invariant, with what is wrong below it; the sentence comes last. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  const lines = verdicts.flatMap(({ number, promise, state, looked, wrong, unseen }) => [
    `${String(number).padStart(2)} ${state.padEnd(6)} ${promise}`,
    ...(looked === '' ? [] : [`          ${looked}`]),
    ...(unseen === undefined ? [] : [`          not seen: ${unseen}`]),
    ...wrong.slice(0, toldOf).map((one) => `        ! ${one}`),
    ...(wrong.length > toldOf ? [`        ! and ${wrong.length - toldOf} more`] : []),
  ])
  const count = (state: Verdict['state']): number => verdicts.filter((one) => one.state === state).length
  const sum = `${count('holds')} hold, ${count('broken')} are broken, ${count('unseen')} cannot be seen here`
  return [...lines, sum].join('\n')
}
