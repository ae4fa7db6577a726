/** Everything that happened in a run, as a hash, and the last of it as text. */
export class SimulationTrace {
  readonly #tail: string[]
  #count = 0
  #low = 0x811c9dc5
  #high = 0x9747b28c

  /** @param tailLength how many of the last events are kept as text. */
  constructor(tailLength: number) {
    this.#tail = new Array<string>(tailLength).fill('')
  }

  note(event: string): void {
    let low = this.#low
    let high = this.#high
    for (let index = 0; index < event.length; index += 1) {
      const code = event.charCodeAt(index)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ (code + index), 0x85ebca6b)
    }
    this.#low = low
    this.#high = high
    this.#tail[this.#count % this.#tail.length] = event
    this.#count += 1
  }

  get count(): number {
    return this.#count
  }

  /** Equal for equal runs. 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low)
  }

  /** The last events, oldest first. */
  tail(): readonly string[] {
    const length = this.#tail.length
    const kept = Math.min(this.#count, length)
    return Array.from({ length: kept }, (_, index) => this.#tail[(this.#count - kept + index) % length] ?? '')
  }
}

function hex(bits: number): string {
  return (bits >>> 0).toString(16).padStart(8, '0')
}
