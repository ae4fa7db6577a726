import type { WriteStream } from 'node:tty'

const barWidth = 30
const percentPerLine = 5

/** A bar that redraws itself on a terminal, and a line each 5 % where output is kept (a file, CI). */
export class Progress {
  #shownPercent = -Infinity
  #last = ''
  #written = ''

  constructor(
    private readonly total: number,
    private readonly output: WriteStream = process.stderr,
  ) {}

  show(done: number, note: string): void {
    // What comes twice after a kill is read twice, and no more of the whole.
    const read = Math.min(done, this.total)
    const share = this.total === 0 ? 1 : read / this.total
    const percent = Math.floor(share * 100)
    const text = `${`${percent}%`.padStart(4)}  ${read.toLocaleString('en-US')} of ${this.total.toLocaleString('en-US')} rows, ${note}`
    const full = Math.round(share * barWidth)
    this.#last = this.output.isTTY ? `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${text}` : text
    if (!this.output.isTTY && percent < this.#shownPercent + percentPerLine) return
    this.#shownPercent = percent
    this.#write()
  }

  /** What was shown last stays. */
  end(): void {
    if (this.#last === '') return
    if (this.output.isTTY || this.#last !== this.#written) this.#write()
    if (this.output.isTTY) this.output.write('\n')
  }

  #write(): void {
    this.#written = this.#last
    // \r and "clear to the end of the line" redraw in place.
    this.output.write(this.output.isTTY ? `\r${this.#last}\u001b[K` : `${this.#last}\n`)
  }
}
