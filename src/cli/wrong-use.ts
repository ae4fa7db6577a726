/** Arguments that do not go together, or a change that nobody confirmed. */
export class WrongUse extends Error {
  override readonly name = 'WrongUse'
}
