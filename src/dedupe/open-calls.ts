import { StateError } from '../errors.js'
import type { CallMarks } from './dedupe-store.js'

/** For stores that mark in the handler's own transaction: what each call of a handler, or batch of a loop, is to mark. */
export class OpenCalls {
  readonly #marks = new WeakMap<object, CallMarks>()

  readonly begins = (call: object, marks: CallMarks): void => {
    this.#marks.set(call, marks)
  }

  /**
   * Runs a transaction of a call, which waits for its end. A rejection that nobody takes is one of Node's still, unless the
   * call has failed by it: so the promise is one of its own, and no other is made of it on the way.
   */
  run<Result>(given: unknown, transaction: (marks: CallMarks) => Promise<Result>): Promise<Result> {
    let marks: CallMarks
    try {
      marks = this.of(given)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    const running = transaction(marks)
    const told = running.then((result) => result)
    marks.runs(running, () => void told.catch(() => undefined))
    return told
  }

  /**
   * @param given the context of the handler, or the batch of a loop
   * @throws StateError where it is none of a consumer with this store
   */
  of(given: unknown): CallMarks {
    const call = (given as { readonly work?: object } | null | undefined)?.work
    const marks = call === undefined ? undefined : this.#marks.get(call)
    if (marks !== undefined) return marks
    throw new StateError(
      'not-of-this-consumer',
      'transaction was not given the context of a handler (or a batch of a loop) whose consumer has this store as dedupe; ' +
        'give what the handler was given as it is, and set dedupe of the consumer to the store that it is called on',
    )
  }
}
