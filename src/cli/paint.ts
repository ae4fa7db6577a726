/** What a text means to who reads it. */
export type Tone = 'plain' | 'good' | 'warning' | 'bad' | 'quiet' | 'title'

/** How a report is shown to whoever reads it. */
export interface Paint {
  /** Shows a text in its tone; without colours as it is. */
  (tone: Tone, text: string): string
  /** Of the screen; none where no screen ends a line. */
  readonly columns?: number | undefined
}

const codes: Readonly<Record<Tone, readonly [on: number, off: number] | null>> = {
  plain: null,
  good: [32, 39],
  warning: [33, 39],
  bad: [31, 39],
  quiet: [2, 22],
  title: [1, 22],
}

export const inColours: Paint = (tone, text) => {
  const code = codes[tone]
  return code === null || text === '' ? text : `\u001b[${code[0]}m${text}\u001b[${code[1]}m`
}

export const withoutColours: Paint = (_, text) => text

/** Begins again at the top of the screen. */
export const clearScreen = '\u001b[H\u001b[2J'
