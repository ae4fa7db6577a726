/** Subpath `tidemark/health`: how a process stands, and why; a server that says so. */
export { healthOf, watchHealth, type HealthWatch } from './health/health-watch.js'
export { judgeHealth, type Health, type HealthReason, type LoopDelay } from './health/judge.js'
export type { Gravity, HealthCode } from './health/reasons.js'
export type { StandingTrouble } from './telemetry/troubles.js'
export { healthServer, type HealthServer, type HealthServerOptions } from './health/health-server.js'
export { lintSettings, type LintOptions, type LintReport } from './health/lint-settings.js'
export type { LintFinding } from './config/lint.js'
export type { LintCode, LintSeverity } from './config/lint-rules.js'
