import { timeText } from '../../text/figures.js'
import type { NameCounts } from '../../letters/letter-counts.js'
import { countText, type Verdict } from './verdict.js'

/** A level as the newest notice of a control topic sets it. */
export interface LevelSight {
  readonly topic: string
  readonly level: number
  /** `null`: nobody has set one that is kept. */
  readonly setAt: number | null
  /** How long it holds; 0 when it has ended. */
  readonly leftMs: number
}

/** A topic of what was not handled. */
export interface ShedTopic {
  readonly topic: string
  /** Offsets in it. */
  readonly records: number
  /** Of the newest ones: `shed at level 2`. */
  readonly byOutcome: NameCounts
  readonly byOrigin: NameCounts
  readonly newestAt: number | null
}

export interface ShedView {
  readonly at: number
  readonly verdict: Verdict
  readonly levels: readonly LevelSight[]
  readonly topics: readonly ShedTopic[]
}

export function shedView(levels: readonly LevelSight[], topics: readonly ShedTopic[], at: number): ShedView {
  return { at, levels, topics, verdict: verdictOf(levels, topics) }
}

function verdictOf(levels: readonly LevelSight[], topics: readonly ShedTopic[]): Verdict {
  const [highest] = levels
    .filter(({ level, leftMs }) => level > 0 && leftMs > 0)
    .sort((one, other) => other.level - one.level)
  const records = topics.reduce((sum, one) => sum + one.records, 0)
  const aside = `${countText(records, 'record')} at most lie${records === 1 ? 's' : ''} aside`
  if (highest !== undefined) {
    const { topic, level, leftMs } = highest
    const text = `Level ${level} is in force by ${topic}, for ${timeText(leftMs)} more; ${aside}.`
    return { level: 'watch', text, action: 'look at why its groups are behind' }
  }
  if (records > 0) return { level: 'ok', text: `Nothing is shed now; ${aside}.`, action: null }
  return { level: 'ok', text: 'Nothing is shed, and nothing was.', action: null }
}
