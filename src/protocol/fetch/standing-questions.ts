import type { Asked } from './fetch-cursor.js'

/**
 * What each broker was asked for last. As long as nothing has changed of any partition, the same is asked again without a look
 * at one of them: at rest, however many there are.
 */
export class StandingQuestions {
  readonly #last = new Map<number, { readonly asked: ReadonlyMap<string, Asked>; readonly changes: number }>()
  #changes = 0

  /** Of some partition, whether it is asked for, or where, or whom, may be another now. */
  readonly changed = (): void => {
    this.#changes += 1
  }

  /** @param look finds what is to be asked of the broker */
  of(node: number, look: () => ReadonlyMap<string, Asked>): ReadonlyMap<string, Asked> {
    const last = this.#last.get(node)
    if (last?.changes === this.#changes) return last.asked
    // Of what changes during the look it may have seen the former.
    const changes = this.#changes
    const asked = look()
    this.#last.set(node, { asked, changes })
    return asked
  }
}
