import { hash } from 'node:crypto'
import type { Strategy } from './detect/rule.js'
import type { RawEvent } from './topics.js'

/**
 * Every id is a function of the input alone: a replay after a crash makes the same ids, so whoever reads twice can see it.
 *
 * Parts are length-prefixed before hashing, or `('ab', 'c')` and `('a', 'bc')` would be one id.
 */
function digest(algorithm: 'sha256' | 'md5', parts: readonly (string | number)[]): string {
  return hash(algorithm, parts.map((part) => `${Buffer.byteLength(String(part))}:${part}`).join(''))
}

/** Key and value stay together and keys are sorted: `{src: A, dst: B}` and `{src: B, dst: A}` must not meet in one id. */
function pairs(dimensions: Readonly<Record<string, string>>): string[] {
  return Object.keys(dimensions)
    .sort()
    .flatMap((name) => [name, dimensions[name] ?? ''])
}

/** One input row: the source and its place in it, not its time, since real data repeats times. */
export function rawEventId(source: string, row: number): string {
  return digest('sha256', ['raw_event', source, row])
}

/** What access says of a time, to one partition. */
export function heartbeatId(partition: number, timeSeconds: number): string {
  return digest('sha256', ['heartbeat', partition, timeSeconds])
}

/** Lists of ports, which change while the series goes on: they are looked at, and are no part of what it is. */
const volatile: readonly string[] = ['listen', 'nonlisten', 'not_accurate_listen']

export function stableDimensions(dimensions: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(dimensions).filter(([name]) => !volatile.includes(name)))
}

/** One time series: 32 hex characters. */
export function seriesId(bizId: number, metric: string, dimensions: Readonly<Record<string, string>>): string {
  return digest('md5', [bizId, metric, ...pairs(stableDimensions(dimensions))])
}

/** The series that an event is of. */
export function seriesOf({ bk_biz_id: bizId, raw_data: { metric, dimensions } }: RawEvent): string {
  return seriesId(bizId, metric, dimensions)
}

/** One point of a series. */
export function recordId(series: string, timeSeconds: number): string {
  return `${series}.${timeSeconds}`
}

/** One verdict on a point. */
export function anomalyId(record: string, strategyId: number, itemId: number, level: number): string {
  return `${record}.${strategyId}.${itemId}.${level}`
}

/** One event on the `alerts` topic. */
export function alertEventId(anomaly: string, status: string): string {
  return digest('sha256', [anomaly, status])
}

/** What an alert is about; all its events carry this key, so they share a partition and keep their order. */
export function alertKey(
  tenantId: string,
  { bizId, strategyId, targetType, target }: Pick<Strategy, 'bizId' | 'strategyId' | 'targetType' | 'target'>,
  dimensions: Readonly<Record<string, string>>,
): string {
  return digest('sha256', [tenantId, bizId, strategyId, targetType, target, ...pairs(dimensions)])
}

/** One alert: the n-th time its key went wrong. */
export function alertId(key: string, generation: number): string {
  return `${key.slice(0, 32)}.${generation}`
}

/** What is folded together: the values that it has in common, and what happened. */
export function convergeDimension(rule: string, signal: string, shared: Readonly<Record<string, string>>): string {
  return digest('sha256', [rule, signal, ...pairs(shared)])
}

/** One window of a dimension, named by its begin. */
export function convergeId(dimension: string, startSeconds: number): string {
  return digest('sha256', ['converge', dimension, startSeconds])
}

/** One word to one receiver by one channel: whoever is told twice can see it. */
export function noticeId(alertId: string, version: number, signal: string, receiver: string, channel: string): string {
  return digest('sha256', [alertId, version, signal, receiver, channel])
}
