import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
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

/** Also what came over a topic. */
function isNotice(value: unknown): value is LevelNotice {
  if (!isRecord(value)) return false
  const { level, epoch, lastsMs } = value as Partial<LevelNotice>
  return [0, 1, 2, 3].includes(level as number) && isAmount(epoch) && isAmount(lastsMs)
}

const isAmount = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value >= 0

/** @throws ConfigError when it is no notice */
export function requireNotice(call: string, value: unknown): void {
  if (isNotice(value)) return
  const fix = `write { level: 0 to 3, epoch, lastsMs }, both numbers from 0; lastsMs counts up to ${longestMs}`
  throw new ConfigError(call, [{ path: 'notice', message: came(value), fix }])
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
