/** The least of some different integers. */
export class IndexHeap {
  readonly #items: number[] = []

  get least(): number | undefined {
    return this.#items[0]
  }

  push(item: number): void {
    const items = this.#items
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = items[parent] as number
      if (above <= item) break
      items[at] = above
      at = parent
    }
    items[at] = item
  }

  /** Takes the least away. */
  pop(): void {
    const items = this.#items
    const last = items.pop()
    if (last === undefined || items.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && (items[child + 1] as number) < (items[child] as number)) child += 1
      const below = items[child] as number
      if (below >= last) break
      items[at] = below
      at = child
    }
    items[at] = last
  }

  clear(): void {
    this.#items.length = 0
  }
}
