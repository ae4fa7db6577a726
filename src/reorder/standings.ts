import type { PartitionOrder } from './partition-order.js'

/**
 * Where the partitions of an epoch stand, and who has changed. A consumer may read thousands, and each answer of a broker
 * changes a few: what is asked behind each answer costs nothing for the others.
 */
export class Standings {
  readonly #partitions: readonly PartitionOrder[]
  /** How many leaves the tree has. */
  readonly #width: number
  /** A tree of least watermarks, its root at 1, its leaves by lane; `Infinity` for who does not count. */
  readonly #tree: Float64Array
  readonly #isNoted: Uint8Array
  #noted: PartitionOrder[]

  /** All of them are noted. @param partitions each at the place of its lane */
  constructor(partitions: readonly PartitionOrder[]) {
    this.#partitions = partitions
    this.#width = 2 ** Math.ceil(Math.log2(Math.max(1, partitions.length)))
    this.#tree = new Float64Array(2 * this.#width).fill(Infinity)
    this.#isNoted = new Uint8Array(partitions.length).fill(1)
    this.#noted = [...partitions]
  }

  /** It may stand elsewhere now, or is to be looked at. Who is not of this epoch does not count. */
  note(partition: PartitionOrder): void {
    const { lane } = partition
    if (this.#isNoted[lane] === 1 || this.#partitions[lane] !== partition) return
    this.#isNoted[lane] = 1
    this.#noted.push(partition)
  }

  /** The least watermark of those that are active; `Infinity` when none is. */
  get least(): number {
    for (const { lane, activity, watermark } of this.#noted)
      this.#set(lane, activity === 'active' ? watermark : Infinity)
    return this.#tree[1] as number
  }

  /** Those that are active and stand there; the first alone where no more are asked for. */
  holders(most = Infinity): PartitionOrder[] {
    const { least } = this
    const holders: PartitionOrder[] = []
    if (least === Infinity) return holders
    const above = [1]
    for (let at = above.pop(); at !== undefined && holders.length < most; at = above.pop()) {
      if (this.#tree[at] !== least) continue
      if (at >= this.#width) holders.push(this.#partitions[at - this.#width] as PartitionOrder)
      else above.push(2 * at + 1, 2 * at)
    }
    return holders
  }

  /** Who was noted since it was last asked for. */
  taken(): readonly PartitionOrder[] {
    // They are in the tree before they are forgotten.
    void this.least
    const noted = this.#noted
    for (const { lane } of noted) this.#isNoted[lane] = 0
    this.#noted = []
    return noted
  }

  #set(lane: number, value: number): void {
    const tree = this.#tree
    let at = this.#width + lane
    if (tree[at] === value) return
    tree[at] = value
    while (at > 1) {
      at >>= 1
      const least = Math.min(tree[2 * at] as number, tree[2 * at + 1] as number)
      if (tree[at] === least) return
      tree[at] = least
    }
  }
}
