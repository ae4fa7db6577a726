/** First in, first out, linked through the items themselves. */
export class LinkedQueue<Item extends { next: Item | null }> {
  #head: Item | null = null
  #tail: Item | null = null

  get isEmpty(): boolean {
    return this.#head === null
  }

  push(item: Item): void {
    item.next = null
    if (this.#tail === null) this.#head = item
    else this.#tail.next = item
    this.#tail = item
  }

  /** Before all others. */
  unshift(item: Item): void {
    item.next = this.#head
    this.#head = item
    this.#tail ??= item
  }

  shift(): Item | null {
    const item = this.#head
    if (item === null) return null
    this.#head = item.next
    if (this.#head === null) this.#tail = null
    item.next = null
    return item
  }

  clear(): void {
    this.#head = null
    this.#tail = null
  }
}
