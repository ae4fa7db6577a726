import { createInterface } from 'node:readline/promises'
import type { Environment } from '../config/environment-reader.js'
import type { Terminal } from './terminal.js'

const usualColumns = 80

/** The terminal of this process. `NO_COLOR` is heeded, as is `TERM=dumb`. */
export function nodeTerminal(environment: Environment): Terminal {
  const { stdin, stdout, stderr } = process
  const isScreen = stdout.isTTY
  const mayColour = (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb'
  return {
    write: (text) => void stdout.write(text),
    writeError: (text) => void stderr.write(text),
    isInteractive: stdin.isTTY && stderr.isTTY,
    isScreen,
    errorsOnScreen: stderr.isTTY && environment['TERM'] !== 'dumb',
    hasColours: isScreen && mayColour,
    get columns() {
      return stdout.columns ?? usualColumns
    },
    async ask(question, signal) {
      const lines = createInterface({ input: stdin, output: stderr })
      // Whoever ends the input instead of an answer has not said yes.
      const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
      // While a line is typed the terminal hands over ctrl-C as a key, and signals nobody.
      lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
      try {
        return await Promise.race([lines.question(question, { signal }), ended])
      } finally {
        lines.close()
      }
    },
  }
}
