import { InvalidArgumentError, Option } from 'commander'
import type { TopicPartition } from '../message/topic-partition.js'
import type { ResetPosition } from '../operations/group-offsets.js'

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 1024,
  mi: 1024 ** 2,
  gi: 1024 ** 3,
  ti: 1024 ** 4,
}

/** `500ms`, `10s`, `1.5h`, `3d` in ms. */
export function duration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  if (number === undefined) throw new InvalidArgumentError('Write a time with its unit: 500ms, 10s, 5m, 1.5h or 3d.')
  return Number(number) * (units[unit as string] as number)
}

/** An option that takes a time of more than 0, which help tells as it would be typed. */
export function timeOption(flags: string, description: string, unless: string): Option {
  return new Option(flags, description).argParser(someTime).default(duration(unless), unless)
}

function someTime(text: string): number {
  const ms = duration(text)
  if (ms > 0) return ms
  throw new InvalidArgumentError('Write a time of more than 0.')
}

/** `700`, `1.5MB`, `2GiB` in bytes. */
export function bytes(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?$/i.exec(text) ?? []
  if (number === undefined) throw new InvalidArgumentError('Write bytes: 700, 1.5MB or 2GiB.')
  return Number(number) * (byteUnits[unit.toLowerCase()] as number)
}

export function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= least) return number
    throw new InvalidArgumentError(`Write a whole number from ${least}.`)
  }
}

export function numberFrom(least: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (text.trim() !== '' && Number.isFinite(number) && number >= least) return number
    throw new InvalidArgumentError(`Write a number from ${least}.`)
  }
}

/** `orders:3`; gathers those of an option that is given several times. */
export function place(text: string, before: readonly TopicPartition[] = []): readonly TopicPartition[] {
  const [, topic, partition] = /^([a-zA-Z0-9._-]+):(\d{1,9})$/.exec(text) ?? []
  if (topic === undefined) throw new InvalidArgumentError('Write topic:partition, for example orders:3.')
  return [...before, { topic, partition: Number(partition) }]
}

export function gathered(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}

/** Where a health server is asked. Who is to be let in is a variable: what is typed is seen by whoever lists processes. */
export function address(text: string, before: readonly URL[] = []): readonly URL[] {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') {
    return [...before, url]
  }
  throw new InvalidArgumentError('Write the address of a health server: http://pod-1:8081.')
}

/** A moment as ms since the Unix epoch: with its zone, or a date, which begins in UTC. */
export function moment(text: string): number {
  const isWhole = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
  const time = Date.parse(text)
  if (isWhole && !Number.isNaN(time)) return time
  throw new InvalidArgumentError('Write a time with its zone, 2026-01-02T15:04:05Z, or a date, 2026-01-02.')
}

/** `earliest`, `latest`, an offset, `+10` or `-10` records from where it is, or a time. */
export function position(text: string): ResetPosition {
  if (text === 'earliest' || text === 'latest') return text
  if (/^[+-]\d{1,15}$/.test(text)) return { shiftBy: Number(text) }
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) }
  try {
    return { timestamp: moment(text) }
  } catch {
    throw new InvalidArgumentError(
      'Write earliest, latest, an offset (4711), so many records (+10, -10), or a time with its zone (2026-01-02T15:04:05Z).',
    )
  }
}
