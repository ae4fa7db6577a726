import { parseCommitMetadata, type MetadataSection } from './commit-metadata.js'

const orderSectionName = 'o'

/** Up to where the order has been carried out: a record, or all of a time (`place` is `null`). */
export interface Threshold {
  readonly timestamp: number
  readonly place: { readonly topic: string; readonly partition: number; readonly offset: number } | null
}

/**
 * What is kept beside a committed offset, so that a restart hands out nothing twice and calls nothing late that was in time.
 *
 * Of the partition's records below `position`, those up to `threshold` are done.
 */
export interface OrderSnapshot {
  readonly threshold: Threshold
  /** The next record that was not read yet; not beyond a late record that is not done. */
  readonly position: number
  /** The greatest time below `position`; `null` when there is none. */
  readonly maxTimestamp: number | null
}

/**
 * As text for the commit's metadata: `timestamp,position,max` and, when the threshold is a record, `,offset,partition,topic`.
 * A topic's name has no comma.
 */
export function encodeOrderSnapshot({ threshold, position, maxTimestamp }: OrderSnapshot): string {
  const { timestamp, place } = threshold
  const head = `${timestamp},${position},${maxTimestamp ?? ''}`
  return place === null ? head : `${head},${place.offset},${place.partition},${place.topic}`
}

/** `null` for whatever this version did not write. */
export function decodeOrderSnapshot(text: string | undefined): OrderSnapshot | null {
  if (text === undefined) return null
  const form = /^(-?\d{1,16}),(\d{1,16}),(-?\d{1,16})?(?:,(\d{1,16}),(\d{1,10}),([\w.-]{1,249}))?$/.exec(text)
  if (form === null) return null
  const [, timestamp, position, max, offset, partition, topic] = form
  const place = topic === undefined ? null : { topic, partition: Number(partition), offset: Number(offset) }
  return {
    threshold: { timestamp: Number(timestamp), place },
    position: Number(position),
    maxTimestamp: max === undefined ? null : Number(max),
  }
}

/** @param needs the section that tells whose records they are, where that is known */
export function orderSection(snapshot: OrderSnapshot, needs?: string): MetadataSection {
  const text = encodeOrderSnapshot(snapshot)
  return { name: orderSectionName, needs, fit: (maxBytes) => (text.length > maxBytes ? null : text) }
}

/** What a commit keeps of the order: `none` when it does not say, `foreign` when nobody here can read it. */
export function orderOf(metadata: string | null): OrderSnapshot | 'none' | 'foreign' {
  const text = parseCommitMetadata(metadata).get(orderSectionName)
  return text === undefined ? 'none' : (decodeOrderSnapshot(text) ?? 'foreign')
}
