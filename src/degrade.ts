/** Subpath `tidemark/degrade`: handling less while there is too much to do, and saying so. */
export { controlTopic, followLevels } from './degrade/control.js'
export { degradation, type Degradation, type DegradationFacts } from './degrade/degradation.js'
export { degradeHeader } from './message/headers.js'
export type { DegradationOptions } from './degrade/degradation-options.js'
export { Ladder, type LadderOptions, type Level } from './degrade/ladder.js'
export type { LevelNotice } from './degrade/level-notice.js'
export type { LevelRule, LevelRules, Verdict } from './degrade/level-rules.js'
export { levelWatcher, type LevelWatcher, type LevelWatcherOptions } from './degrade/level-watcher.js'
