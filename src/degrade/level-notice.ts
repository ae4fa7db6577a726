import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import type { Rule, Rules } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'
import { json } from '../serde/json.js'
import type { Serde } from '../serde/serde.js'
import type { Level } from './ladder.js'

/** A level as somebody has set it. Plain data. */
export interface LevelNotice {
  readonly level: Level
  /** Who sets levels later has a higher one; below the one in force nothing is heeded. The time of day in ms does for it. */
  readonly epoch: number
  /** It holds for so long, ms, unless it is set again; at most 600,000 count. */
  readonly lastsMs: number
}

/** Longest that any level lasts without being set again. */
export const longestMs = 600_000

const anAmount = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value >= 0

const rules: Rules<LevelNotice> = {
  level: { expected: '0, 1, 2 or 3', accepts: (value) => [0, 1, 2, 3].includes(value as number) },
  epoch: { expected: 'a number from 0, as the time of day in ms', accepts: anAmount },
  lastsMs: { expected: `how long it holds, ms from 0; it counts up to ${longestMs}`, accepts: anAmount },
}

const fields = Object.keys(rules) as (keyof LevelNotice)[]

/** Also what came over a topic; whoever wrote it may say more. */
function isNotice(value: unknown): value is LevelNotice {
  return isRecord(value) && fields.every((name) => rules[name].accepts(value[name]))
}

/** @throws ConfigError with every problem, when it is no notice */
export function requireNotice(call: string, value: unknown): void {
  if (isNotice(value)) return
  if (!isRecord(value)) {
    throw new ConfigError(call, [{ path: 'notice', message: came(value), fix: 'write { level, epoch, lastsMs }' }])
  }
  const wrong = fields.filter((name) => !rules[name].accepts(value[name]))
  const issues = wrong.map((name) => ({
    path: `notice.${name}`,
    message: came(value[name]),
    fix: `write ${rules[name].expected}`,
  }))
  throw new ConfigError(call, issues)
}

/** What is no notice reads as this one, which is over already. */
const noNotice: LevelNotice = Object.freeze({ level: 0, epoch: 0, lastsMs: 0 })

const asJson = json<unknown>()

/**
 * Anybody may write to a control topic, and a partition stops at what it cannot decode: nobody would hear of levels any
 * more. So everything decodes.
 */
export const noticeSerde: Serde<LevelNotice> = {
  name: 'level',
  encode(notice) {
    requireNotice('send', notice)
    return asJson.encode(notice)
  },
  decode(bytes) {
    try {
      const value = asJson.decode(bytes)
      return isNotice(value) ? value : noNotice
    } catch {
      return noNotice
    }
  },
}

/** By the name of its serde: a program may load this module in two forms. */
export const aControlTopic: Rule = {
  expected: 'what controlTopic returned',
  accepts: (value) => isRecord(value) && isRecord(value['value']) && value['value']['name'] === noticeSerde.name,
}
