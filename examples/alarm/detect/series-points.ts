export interface Point {
  /** Data time, Unix seconds. */
  readonly time: number
  readonly value: number
}

/**
 * - `new`: the first point of its time.
 * - `repeated`: the same point again, as every replay sends it.
 * - `conflict`: another value for a time that has one. The first wins: alerts made from it cannot be unmade.
 */
export type Arrival = 'new' | 'repeated' | 'conflict'

/** The points of one series around one batch, by data time; the order of arrival plays no part in what is found here. */
export class SeriesPoints {
  readonly #values: Map<number, number>
  readonly #added: Point[] = []

  constructor(stored: readonly Point[]) {
    this.#values = new Map(stored.map((point) => [point.time, point.value]))
  }

  arrive(point: Point): Arrival {
    const known = this.#values.get(point.time)
    if (known !== undefined) return known === point.value ? 'repeated' : 'conflict'
    this.#values.set(point.time, point.value)
    this.#added.push(point)
    return 'new'
  }

  /** What the store does not have yet. */
  added(): readonly Point[] {
    return this.#added
  }
}
