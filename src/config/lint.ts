import type { LintFacts, LintSeverity } from './lint-facts.js'
import { lintRules, type LintCode } from './lint-rules.js'

/** Settings that do not go together. Plain data. */
export interface LintFinding {
  readonly code: LintCode
  readonly severity: LintSeverity
  /** Whose settings. */
  readonly subject: string
  readonly reason: string
  readonly fix: string
}

/** Everything that the rules find, in their order; changes nothing and asks nobody. */
export function lint(facts: LintFacts): readonly LintFinding[] {
  return Object.entries(lintRules).flatMap(([code, { severity, find }]) =>
    find(facts).map((found) => ({ code: code as LintCode, severity, ...found })),
  )
}
