/** A one-line bug. `find` occurs exactly once in `file`. */
export interface Mutant {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  /** What it does to users. */
  readonly why: string
  /** The unit tests that must find it; without them simulation must. */
  readonly units?: string
  /** The simulation in which members copy, and that alone, must find it. */
  readonly copying?: boolean
  /** They find it in one of some thousand runs: all that `TIDEMARK_FULL=1` makes. */
  readonly isRare?: boolean
}
