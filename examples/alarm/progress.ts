import type { WriteStream } from 'node:tty'

const barWidth = 30
const redrawEveryMs = 100
const lineEveryMs = 1_000

/** A bar that redraws itself on a terminal, and a line each second where output is kept (a file, CI). */
export class Progress {
  #shownAt = -Infinity
  readonly #everyMs: number

  constructor(
    private readonly total: number,
    private readonly output: WriteStream = process.stderr,
  ) {
    this.#everyMs = output.isTTY ? redrawEveryMs : lineEveryMs
  }

  show(done: number, note: string): void {
    const now = performance.now()
    if (now - this.#shownAt < this.#everyMs) return
    this.#shownAt = now
    this.#write(done, note)
  }

  end(done: number, note: string): void {
    this.#write(done, note)
    if (this.output.isTTY) this.output.write('\n')
  }

  #write(done: number, note: string): void {
    const share = this.total === 0 ? 1 : Math.min(1, done / this.total)
    const percent = `${Math.floor(share * 100)}%`.padStart(4)
    const text = `${percent}  ${done.toLocaleString('en-US')} of ${this.total.toLocaleString('en-US')} rows, ${note}`
    if (!this.output.isTTY) {
      this.output.write(`${text}\n`)
      return
    }
    const full = Math.round(share * barWidth)
    // \r and "clear to the end of the line" redraw in place.
    this.output.write(`\r${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${text}\u001b[K`)
  }
}
