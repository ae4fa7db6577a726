/**
 * Keeps what was handled, so that a repeat is told from a record that was not handled yet. Stores of others are welcome; two
 * calls about the same identity may be under way at the same time.
 *
 * A store that cannot tell must reject: the consumer then waits, as in an outage, and handles nothing. It must never guess.
 */
export interface DedupeStore {
  /** It answers at once, without promises, and never fails. */
  readonly isImmediate?: true | undefined
  /**
   * Those of the identities that have a mark.
   *
   * @param scope whose marks: by default the consumer group's
   */
  known(scope: string, identities: readonly string[]): ReadonlySet<string> | Promise<ReadonlySet<string>>
  /** Marks them as handled. Resolves when the marks are kept; one that is there already stays as it is. */
  mark(scope: string, identities: readonly string[]): void | Promise<void>
  /**
   * Of stores that can keep marks in the handler's own transaction: told before each call of the handler what it is to mark.
   * `call` stands for that call; `CallsOpen` finds it by what the handler was given.
   */
  readonly begins?: ((call: object, marks: CallMarks) => void) | undefined
}

/** What one call of a handler marks when it is done. */
export interface CallMarks {
  readonly scope: string
  readonly identities: readonly string[]
  /** The marks are kept, together with the effects: nobody has to keep them afterwards. */
  kept(): void
  /**
   * A transaction of the call is under way: the call has not ended before it, whether its handler waits for it or not.
   * `taken` is called when its failure is taken for that of the call, so that nobody else has to hear of it.
   */
  runs(transaction: Promise<unknown>, taken: () => void): void
}
