import type { LintFacts } from './lint-facts.js'
import { lintRules, type Found, type LintCode, type LintSeverity } from './lint-rules.js'

/** Settings that do not go together. Plain data. */
export interface LintFinding extends Found {
  readonly code: LintCode
  readonly severity: LintSeverity
}

/** Everything that the rules find, in their order; changes nothing and asks nobody. */
export function lint(facts: LintFacts): readonly LintFinding[] {
  return Object.entries(lintRules).flatMap(([code, { severity, find }]) =>
    find(facts).map((found) => ({ code: code as LintCode, severity, ...found })),
  )
}
