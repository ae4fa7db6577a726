import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { missingOptions, optionIssues, type Rules } from '../input/option-rules.js'
import { isRecord, isText } from '../input/shapes.js'
import type { Message } from '../message/message.js'
import type { Level } from './ladder.js'
import { levelIssues } from './level-issues.js'
import type { LevelRules } from './level-rules.js'
import { isMessaging } from './messaging-rule.js'

/** Options of `degradation`. `Value` is what the topics of its consumer hold. */
export interface DegradationOptions<Value = unknown> {
  /**
   * What must never be put aside. Only where it says `false` may a record be: at anything else, and where it throws, which
   * is told and counted, the record is handled at every level.
   */
  readonly keep: (message: Message<Value>) => boolean
  /** How important a record is: 1 is the most important. Where it throws the record is handled. Default 1 for all. */
  readonly priorityOf?: ((message: Message<Value>) => number) | undefined
  /** What each level does. Default: 2 keeps half of the keys of priority 3 and below; 3 sheds those, and keeps half of 2. */
  readonly levels?: LevelRules | undefined
  /** Topic that takes what is shed, with its bytes and headers that say where it came from. It must exist. */
  readonly shedTo: string
  /** Topic that takes what is diverted. Needed where a level diverts. */
  readonly divertTo?: string | undefined
  /** Told when another level holds. What it throws is logged and changes nothing. */
  readonly onLevel?: ((level: Level, before: Level) => void) | undefined
}

const aFunction = (expected: string) => ({ expected, accepts: (value: unknown) => typeof value === 'function' })
const aTopic = { expected: 'the name of a topic', accepts: isText }

const rules: Rules<DegradationOptions> = {
  keep: aFunction('a function (message) that returns true for what must never be put aside'),
  priorityOf: aFunction('a function (message) that returns 1 for the most important'),
  levels: { expected: '{ 1, 2, 3 }, each { shedFrom, divertFrom, sample: { from, share } }', accepts: isRecord },
  shedTo: aTopic,
  divertTo: aTopic,
  onLevel: aFunction('a function (level, before)'),
}

/** @throws ConfigError with every problem of the options */
export function requireDegradation<Value>(messaging: unknown, options: DegradationOptions<Value>): void {
  const issues = optionIssues(options, rules)
  if (!isMessaging.accepts(messaging)) {
    issues.push({ path: 'messaging', message: came(messaging), fix: `give ${isMessaging.expected}` })
  }
  if (isRecord(options) && isRecord(options.levels)) issues.push(...levelIssues(options.levels))
  issues.push(...missingOptions(options, rules, ['keep', 'shedTo']))
  if (issues.length === 0) {
    const diverts = Object.values(options.levels ?? {}).some((rule) => rule?.divertFrom !== undefined)
    if (diverts && options.divertTo === undefined) {
      issues.push({ path: 'divertTo', message: 'is missing', fix: 'name the topic that takes what levels divert' })
    }
  }
  if (issues.length > 0) throw new ConfigError('degradation', issues)
}
