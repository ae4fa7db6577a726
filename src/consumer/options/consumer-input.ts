import { ConfigError } from '../../errors.js'
import { came } from '../../input/came.js'
import { isRecord } from '../../input/shapes.js'

/** Throws `ConfigError` unless it is a list of partitions. */
export function requirePartitions(call: string, partitions: unknown): void {
  const expected = 'write a list of { topic, partition }, or leave it out for all'
  if (!Array.isArray(partitions)) {
    throw new ConfigError(call, [{ path: 'partitions', message: came(partitions), fix: expected }])
  }
  const issues = partitions.flatMap((place: unknown, index) =>
    isPlace(place) ? [] : [{ path: `partitions.${index}`, message: came(place), fix: 'write { topic, partition }' }],
  )
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

function isPlace(place: unknown): boolean {
  return isRecord(place) && typeof place['topic'] === 'string' && typeof place['partition'] === 'number'
}

function isPosition(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
