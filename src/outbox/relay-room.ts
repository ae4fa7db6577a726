import type { OutboxRow } from './outbox-store.js'

/** Is there room for a row? `topic-full`: for rows of other topics. */
export type Room = 'free' | 'topic-full' | 'full'

interface Bound {
  readonly rows: number
  readonly bytes: number
}

interface Share {
  rows: number
  bytes: number
  state: 'new' | 'well' | 'failing'
}

const mebibyte = 1_048_576

/** What is in hand at the most. */
const most: Bound = { rows: 1_250, bytes: 20 * mebibyte }
const mostOfTopic: Bound = { rows: 1_000, bytes: 16 * mebibyte }
const mostOfTryingTopic: Bound = { rows: 500, bytes: 6 * mebibyte }
const mostTrying: Bound = { rows: 750, bytes: 12 * mebibyte }

/**
 * How much is in hand, so that a topic that takes nothing leaves room for others, however many of its rows wait.
 *
 * | a topic | news                                       | becomes | its share |
 * |---------|--------------------------------------------|---------|-----------|
 * | none    | its first row                              | new     | less than half; three fifths with all others that are not well |
 * | any     | a row is stored                            | well    | four fifths |
 * | any     | a send failed, or its share is full and none ends | failing | as a new one |
 */
export class RelayRoom {
  readonly #topics = new Map<string, Share>()
  #rows = 0
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  for(topic: string): Room {
    if (isReached(most, this.#rows, this.#bytes)) return 'full'
    const share = this.#topics.get(topic)
    if (share === undefined) return this.#isTryingFull() ? 'topic-full' : 'free'
    if (share.state === 'well') return isReached(mostOfTopic, share.rows, share.bytes) ? 'topic-full' : 'free'
    const isFull = isReached(mostOfTryingTopic, share.rows, share.bytes) || this.#isTryingFull()
    return isFull ? 'topic-full' : 'free'
  }

  isFailing(topic: string): boolean {
    return this.#topics.get(topic)?.state === 'failing'
  }

  add({ topic, sizeBytes }: OutboxRow): void {
    const share = this.#topics.get(topic) ?? { rows: 0, bytes: 0, state: 'new' }
    this.#topics.set(topic, share)
    this.#count(share, 1, sizeBytes)
  }

  remove({ topic, sizeBytes }: OutboxRow): void {
    this.#count(this.#topics.get(topic) as Share, -1, -sizeBytes)
  }

  is(topic: string, state: 'well' | 'failing'): void {
    const share = this.#topics.get(topic)
    if (share !== undefined) share.state = state
  }

  #count(share: Share, rows: number, bytes: number): void {
    share.rows += rows
    share.bytes += bytes
    this.#rows += rows
    this.#bytes += bytes
  }

  #isTryingFull(): boolean {
    let [rows, bytes] = [0, 0]
    for (const share of this.#topics.values()) {
      if (share.state === 'well') continue
      rows += share.rows
      bytes += share.bytes
    }
    return isReached(mostTrying, rows, bytes)
  }
}

/** One row fits always, however large. */
function isReached(bound: Bound, rows: number, bytes: number): boolean {
  return rows >= bound.rows || (rows > 0 && bytes >= bound.bytes)
}
