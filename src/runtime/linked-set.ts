/** What can be in a linked set, in one at a time. The links belong to the set; who prints or serialises the item sees none. */
export abstract class Linked<Item> {
  #set: object | null = null
  #older: Item | null = null
  #younger: Item | null = null

  get set(): object | null {
    return this.#set
  }

  set set(set: object | null) {
    this.#set = set
  }

  get older(): Item | null {
    return this.#older
  }

  set older(item: Item | null) {
    this.#older = item
  }

  get younger(): Item | null {
    return this.#younger
  }

  set younger(item: Item | null) {
    this.#younger = item
  }
}

/**
 * A set in the order of coming, linked through its items. For what comes and goes with every record: a `Set` makes its table
 * anew again and again then, and of tables that are old each keeps the next one and all that is in it from the collector of
 * young garbage.
 */
export class LinkedSet<Item extends Linked<Item>> implements Iterable<Item> {
  #oldest: Item | null = null
  #youngest: Item | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  get oldest(): Item | null {
    return this.#oldest
  }

  add(item: Item): void {
    item.set = this
    item.older = this.#youngest
    if (this.#youngest === null) this.#oldest = item
    else this.#youngest.younger = item
    this.#youngest = item
    this.#size += 1
  }

  /** False when it is not in this one. */
  delete(item: Item): boolean {
    if (item.set !== this) return false
    const { older, younger } = item
    if (older === null) this.#oldest = younger
    else older.younger = younger
    if (younger === null) this.#youngest = older
    else younger.older = older
    // What is gone must not keep others from the collector, nor they it.
    item.set = null
    item.older = null
    item.younger = null
    this.#size -= 1
    return true
  }

  /** From the oldest on; the one whose turn it is may be deleted. */
  *[Symbol.iterator](): Generator<Item> {
    let item = this.#oldest
    while (item !== null) {
      const { younger } = item
      yield item
      item = younger
    }
  }
}
