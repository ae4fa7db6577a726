import { exitCode, type ExitCode } from './exit-code.js'
import { inColours, withoutColours, type Paint } from './paint.js'
import { printableJson } from '../text/printable.js'
import type { Terminal } from './terminal.js'

/** What a command has to say: a value first, of which the text for people is made. */
export interface Report {
  /** Plain data; `--json` prints it as it is. */
  readonly value: unknown
  /** Ends with a line break. */
  readonly text: (paint: Paint) => string
  /** One of many values, which have a line each; or all has been shown already. */
  readonly follows?: 'line' | 'nothing' | undefined
  /** Default `fine`. */
  readonly exit?: ExitCode | undefined
}

export function present(report: Report, terminal: Terminal, json: boolean): ExitCode {
  const { value, text, follows } = report
  if (follows !== 'nothing') {
    const indent = follows === 'line' ? undefined : 2
    terminal.write(json ? `${printableJson(value, indent)}\n` : text(paintOf(terminal)))
  }
  return report.exit ?? exitCode.fine
}

export function paintOf({ hasColours, isScreen, columns }: Terminal): Paint {
  const paint = hasColours ? inColours : withoutColours
  const shown: Paint = (tone, text) => paint(tone, text)
  return Object.assign(shown, { columns: isScreen ? columns : undefined })
}
