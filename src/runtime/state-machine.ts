import { StateError } from '../errors.js'

/** For each state the states it may move to. */
export type Moves<State extends string> = Readonly<Record<State, readonly State[]>>

/** A table of legal moves and the current state. An illegal move is a bug and throws, naming both states. */
export class StateMachine<State extends string> {
  #current: State
  readonly #moves: Moves<State>
  readonly #subject: string

  constructor(subject: string, initial: State, moves: Moves<State>) {
    this.#subject = subject
    this.#current = initial
    this.#moves = moves
  }

  get current(): State {
    return this.#current
  }

  is(...states: readonly State[]): boolean {
    return states.includes(this.#current)
  }

  to(next: State): void {
    if (!this.#moves[this.#current].includes(next)) {
      throw new StateError('illegal-move', `${this.#subject} cannot go from ${this.#current} to ${next}`)
    }
    this.#current = next
  }

  /** Throws unless the machine is in one of `states`; `action` is what the caller wanted, for the message. */
  require(action: string, ...states: readonly State[]): void {
    if (this.is(...states)) return
    throw new StateError(
      'wrong-state',
      `${action} needs ${this.#subject} to be ${states.join(' or ')}, but it is ${this.#current}`,
    )
  }
}
