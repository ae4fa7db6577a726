/** A promise of the product that a run broke. */
export class InvariantBroken extends Error {
  override readonly name = 'InvariantBroken'
  constructor(
    readonly invariant: string,
    detail: string,
  ) {
    super(`${invariant}: ${detail}`)
  }
}

/** Where a check reports. Never throws: the code under test may catch what is thrown at it. */
export type Report = (invariant: string, detail: string) => void
