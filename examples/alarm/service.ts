/** A service that reads a topic. */
export interface Service<Counts> {
  start(): Promise<void>
  /** What was done since the start, repeats included. */
  counts(): Readonly<Counts>
  /** Records of its topic it has not handled yet, as of its last look at the log. */
  lag(): number
}

export interface ServiceReports {
  /** Something is down; the service tries again after `waitMs`. */
  readonly onTrouble?: (error: unknown, waitMs: number) => void
  /** The service cannot go on, or not with one partition. */
  readonly onStopped?: (error: Error) => void
}
