import type { Driver } from 'tidemark/driver'
import { run } from '../../src/cli/run.js'
import { temporaryFolder } from './temporary-folder.js'

/** What a run of the command has written, and what it ended with. */
export interface Ran {
  readonly exit: number
  readonly out: string
  readonly err: string
  /** What was asked. */
  readonly asked: readonly string[]
  /** `out`, as data. */
  readonly value: unknown
}

export interface Around {
  readonly answers?: readonly string[] | undefined
  readonly environment?: Readonly<Record<string, string>> | undefined
  readonly directory?: string | undefined
  readonly pageFolder?: string | undefined
  readonly hasColours?: boolean | undefined
  /** Of a screen. Default: it writes to none. */
  readonly columns?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Told what is written, as it is. */
  readonly onOut?: ((text: string) => void) | undefined
}

let empty: string | undefined

/** Runs `tidemark <words>` in this process, in a directory without settings, with the way to a cluster that is given. */
export async function runCommand(words: string, driverOf: () => Driver, around: Around = {}): Promise<Ran> {
  const { answers, environment = { KAFKA_BROKERS: 'memory:9092' }, signal = new AbortController().signal } = around
  const [out, err, asked]: [string[], string[], string[]] = [[], [], []]
  const left = [...(answers ?? [])]
  const directory = around.directory ?? (empty ??= temporaryFolder('cli'))
  const exit = await run(words.split(' '), {
    terminal: {
      write: (text) => {
        out.push(text)
        around.onOut?.(text)
      },
      writeError: (text) => void err.push(text),
      isInteractive: answers !== undefined,
      isScreen: around.columns !== undefined,
      errorsOnScreen: false,
      hasColours: around.hasColours ?? false,
      columns: around.columns ?? 100,
      ask: async (question) => {
        asked.push(question)
        return left.shift() ?? ''
      },
    },
    environment,
    directory,
    pageFolder: around.pageFolder ?? directory,
    signal,
    driverOf,
  })
  const text = out.join('')
  return {
    exit,
    out: text,
    err: err.join(''),
    asked,
    get value() {
      return JSON.parse(text) as unknown
    },
  }
}
