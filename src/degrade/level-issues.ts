import type { ConfigIssue } from '../errors.js'
import { came } from '../input/came.js'
import { missingOptions, optionIssues, wholeNumber, type Rule, type Rules } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'
import type { LevelRule } from './level-rules.js'

const aPriority: Rule = { ...wholeNumber(1), expected: 'a priority: a whole number from 1, the most important' }

const rules: Rules<LevelRule> = {
  shedFrom: aPriority,
  divertFrom: aPriority,
  sample: { expected: '{ from, share }', accepts: isRecord },
}

const sampleRules: Rules<NonNullable<LevelRule['sample']>> = {
  from: aPriority,
  share: {
    expected: 'the share of the keys that is handled, from 0 to 1',
    accepts: (value) => typeof value === 'number' && value >= 0 && value <= 1,
  },
}

const levels = ['1', '2', '3']

/** Every problem of what levels do, at its own place. */
export function levelIssues(given: Readonly<Record<string, unknown>>): ConfigIssue[] {
  return Object.entries(given).flatMap(([level, rule]) => {
    const path = `levels.${level}`
    if (!levels.includes(level)) return [{ path, message: 'is no level', fix: 'write rules for 1, 2 and 3' }]
    if (rule === undefined) return []
    if (!isRecord(rule)) return [{ path, message: came(rule), fix: 'write { shedFrom, divertFrom, sample }' }]
    const { sample } = rule
    return [...at(path, optionIssues(rule, rules)), ...(isRecord(sample) ? sampleIssues(`${path}.sample`, sample) : [])]
  })
}

function sampleIssues(path: string, sample: object): ConfigIssue[] {
  return at(path, [...optionIssues(sample, sampleRules), ...missingOptions(sample, sampleRules, ['from', 'share'])])
}

function at(path: string, issues: readonly ConfigIssue[]): ConfigIssue[] {
  return issues.map((issue) => ({ ...issue, path: `${path}.${issue.path}` }))
}
