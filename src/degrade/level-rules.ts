import { murmur2 } from '../topic/murmur2.js'
import type { Level } from './ladder.js'

/** What one level does with records that are not kept. Priorities count from 1, the most important; more may be shed. */
export interface LevelRule {
  /** Records of this priority and of less important ones are shed. */
  readonly shedFrom?: number | undefined
  /** Those are sent to `divertTo`, and not handled now. */
  readonly divertFrom?: number | undefined
  /** Of those a part of the keys is kept, each key wholly or not at all; what has no key is kept. */
  readonly sample?: { readonly from: number; readonly share: number } | undefined
}

/** What is done at each level; a level without a rule handles everything. */
export type LevelRules = Readonly<Partial<Record<1 | 2 | 3, LevelRule | undefined>>>

export const defaultRules: LevelRules = {
  2: { sample: { from: 3, share: 0.5 } },
  3: { shedFrom: 3, sample: { from: 2, share: 0.5 } },
}

/** What becomes of a message at a level. */
export type Verdict = 'handle' | 'shed' | 'divert'

/** The first that fits: shed, divert, sample. */
export function verdictOf(level: Level, rules: LevelRules, priority: number, key: Buffer | null): Verdict {
  const rule = level === 0 ? undefined : rules[level]
  if (rule === undefined) return 'handle'
  const { shedFrom = Infinity, divertFrom = Infinity, sample } = rule
  if (priority >= shedFrom) return 'shed'
  if (priority >= divertFrom) return 'divert'
  if (sample === undefined || priority < sample.from || key === null) return 'handle'
  return placeOf(key) < sample.share ? 'handle' : 'shed'
}

/** From 0 to 1, the same for a key everywhere. Mixed again: the hash itself has chosen the partition. */
function placeOf(key: Buffer): number {
  let mixed = murmur2(key)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 4_294_967_296
}
