import { exitCode, type ExitCode } from './exit-code.js'
import { inColours, withoutColours, type Paint } from './paint.js'
import { printableJson } from './printable.js'
import type { Terminal } from './terminal.js'

/** What a command has to say: a value first, of which the text for people is made. */
export interface Report {
  /** Plain data; `--json` prints it as it is. */
  readonly value: unknown
  /** Ends with a line break. */
  readonly text: (paint: Paint) => string
  /** Default `fine`. */
  readonly exit?: ExitCode | undefined
}

export function present(report: Report, terminal: Terminal, json: boolean): ExitCode {
  terminal.write(json ? `${printableJson(report.value, 2)}\n` : report.text(paintOf(terminal)))
  return report.exit ?? exitCode.fine
}

export function paintOf({ hasColours }: Terminal): Paint {
  return hasColours ? inColours : withoutColours
}
