/** Records that cannot be handled: for good, or once for each reader's group, as if someone had mended the handler. */
export class Poison {
  readonly #ids = new Set<number>()
  readonly #struck = new Map<unknown, Set<number>>()

  constructor(private readonly heals: boolean) {}

  add(id: number): void {
    this.#ids.add(id)
  }

  strikes(reader: unknown, id: number | null): boolean {
    if (id === null || !this.#ids.has(id)) return false
    if (!this.heals) return true
    let struck = this.#struck.get(reader)
    if (struck === undefined) this.#struck.set(reader, (struck = new Set<number>()))
    if (struck.has(id)) return false
    struck.add(id)
    return true
  }
}
