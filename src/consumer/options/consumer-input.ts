import { ConfigError } from '../../errors.js'
import { came } from '../../input/came.js'
import { isRecord } from '../../input/shapes.js'

/** Throws `ConfigError` unless it is a list of partitions, or whole topics, of these topics. */
export function requirePlaces(
  call: string,
  places: unknown,
  topics: readonly { readonly topic: string }[],
  read: { has(topic: string): boolean },
): void {
  const expected = 'write a list of { topic, partition }, or of { topic } for all of it, or leave it out for all'
  if (!Array.isArray(places)) {
    throw new ConfigError(call, [{ path: 'places', message: came(places), fix: expected }])
  }
  const names = topics.map(({ topic }) => topic)
  const issues = places.flatMap((place: unknown, index) => {
    const path = `places.${index}`
    if (!isPlace(place)) return [{ path, message: came(place), fix: 'write { topic, partition }, or { topic }' }]
    if (names.includes(place.topic) || read.has(place.topic)) return []
    const fix = `write one of its topics: ${names.join(', ')}`
    return [{ path: `${path}.topic`, message: `${place.topic} is not read by this consumer`, fix }]
  })
  if (issues.length > 0) throw new ConfigError(call, issues)
}

/** Throws `ConfigError` unless topic and partition name a place. */
export function requirePlace(call: string, topic: unknown, partition: unknown): void {
  const issues = [
    ...(typeof topic === 'string' ? [] : [{ path: 'topic', message: came(topic), fix: "write the topic's name" }]),
    ...(Number.isSafeInteger(partition)
      ? []
      : [{ path: 'partition', message: came(partition), fix: 'write the number of the partition' }]),
  ]
  if (issues.length > 0) throw new ConfigError(call, issues)
}

/** Throws `ConfigError` unless it is an offset or a time. */
export function requireSeekTarget(target: unknown): void {
  const timestamp: unknown = isRecord(target) ? target['timestamp'] : undefined
  if (isPosition(target) || isPosition(timestamp)) return
  const fix = 'write an offset as a whole number from 0, or { timestamp } in milliseconds since 1970'
  const issue =
    timestamp === undefined
      ? { path: 'target', message: came(target), fix }
      : { path: 'target.timestamp', message: came(timestamp), fix }
  throw new ConfigError('seek', [issue])
}

function isPlace(place: unknown): place is { readonly topic: string } {
  if (!isRecord(place) || typeof place['topic'] !== 'string') return false
  const { partition } = place
  return partition === undefined || (Number.isSafeInteger(partition) && (partition as number) >= 0)
}

function isPosition(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
