import type { Paint } from './paint.js'
import type { Report } from './report.js'
import type { Session } from './session.js'

/** Options of a command that changes something. */
export interface ChangeOptions {
  readonly dryRun?: boolean | undefined
  readonly yes?: boolean | undefined
}

export interface PlannedChange<Outcome> {
  /** There is nothing to be done. */
  readonly isEmpty: boolean
  readonly question: string
  /** What would be done, for who is asked. */
  readonly plan: (paint: Paint) => string
  /** Does exactly what is shown: another look might find something else. */
  readonly work: () => Promise<Outcome>
  /** `null` where nothing was done. */
  readonly report: (outcome: Outcome | null) => Report
}

/**
 * Shows what would be done, lets somebody say yes to it, does it, and tells what came of it; with `dryRun` shows it only.
 *
 * @throws WrongUse when nobody said yes
 */
export async function carryOut<Outcome>(
  session: Session,
  { dryRun, yes }: ChangeOptions,
  { isEmpty, question, plan, work, report }: PlannedChange<Outcome>,
): Promise<Report> {
  if (dryRun === true || isEmpty) return report(null)
  await session.confirm(question, yes, plan)
  return report(await session.change(work))
}
