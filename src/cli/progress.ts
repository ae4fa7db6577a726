import type { Clock } from '../runtime/clock.js'
import { timeText } from '../text/figures.js'
import { printable } from '../text/printable.js'
import type { Terminal } from './terminal.js'

/** Told of work as it goes, and of what it waits for where that is known. */
export type OnProgress = (done: number, total: number, waitsFor?: string | null) => void

interface Progress {
  readonly at: OnProgress
  /** Takes the bar away. */
  end(): void
}

/** What is done before that needs no bar. */
const quietMs = 500
const drawEveryMs = 100
const lineEveryMs = 5_000
const width = 24
const eraseLine = '\r\u001b[2K'

/** On a screen a bar that draws itself anew, elsewhere a line every five seconds. Both beside what the command is asked for. */
export function progressOn(terminal: Terminal, clock: Clock, what: string): Progress {
  const begunAt = clock.now()
  const isBar = terminal.errorsOnScreen
  let toldAt = begunAt + (isBar ? quietMs - drawEveryMs : 0)
  let isDrawn = false
  return {
    at(done, total, waitsFor = null) {
      const now = clock.now()
      if (now - toldAt < (isBar ? drawEveryMs : lineEveryMs)) return
      toldAt = now
      const line =
        lineOf(what, Math.min(done, total), total, now - begunAt) +
        (waitsFor === null ? '' : `; waits for ${printable(waitsFor)}`)
      terminal.writeError(isBar ? `${eraseLine}${barOf(done, total)} ${line}` : `${line}\n`)
      isDrawn = isBar
    },
    end() {
      if (isDrawn) terminal.writeError(eraseLine)
      isDrawn = false
    },
  }
}

function lineOf(what: string, done: number, total: number, tookMs: number): string {
  const left = done === 0 || done >= total ? null : timeText((tookMs / done) * (total - done))
  const counted = `${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')}`
  return `${printable(what)}: ${counted}${left === null ? '' : `, about ${left} left`}`
}

function barOf(done: number, total: number): string {
  const full = total === 0 ? 0 : Math.min(width, Math.floor((done / total) * width))
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`
}
