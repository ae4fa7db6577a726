/** Where a command is run. In tests an object that keeps what was written. */
export interface Terminal {
  /** What the command is asked for. */
  write(text: string): void
  /** What goes beside it: warnings, questions, progress, errors. */
  writeError(text: string): void
  /** Somebody sits there and can be asked. */
  readonly isInteractive: boolean
  /** `write` goes to a screen, which can be cleared and may show colours. */
  readonly isScreen: boolean
  /** `writeError` goes to a screen, where a line may be drawn anew. */
  readonly errorsOnScreen: boolean
  readonly hasColours: boolean
  readonly columns: number
  /** Asks on the side of errors, so that what is piped on stays clean; resolves to the line that was typed. */
  ask(question: string, signal: AbortSignal): Promise<string>
}
