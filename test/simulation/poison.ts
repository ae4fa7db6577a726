/**
 * Records that cannot be handled: for good, or once for each reader's group, as if someone had mended the handler, or (of
 * three one each) once, twice, and for good.
 */
export class Poison {
  readonly #ids = new Set<number>()
  readonly #struck = new Map<unknown, Map<number, number>>()

  constructor(private readonly heals: 'never' | 'at once' | 'some') {}

  add(id: number): void {
    this.#ids.add(id)
  }

  strikes(reader: unknown, id: number | null): boolean {
    if (id === null || !this.#ids.has(id)) return false
    const times = this.heals === 'some' ? (id % 3 === 0 ? Infinity : id % 3) : this.heals === 'never' ? Infinity : 1
    let struck = this.#struck.get(reader)
    if (struck === undefined) this.#struck.set(reader, (struck = new Map<number, number>()))
    const before = struck.get(id) ?? 0
    struck.set(id, before + 1)
    return before < times
  }
}
