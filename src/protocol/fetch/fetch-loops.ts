import { exponential } from '../../runtime/backoff.js'
import { SupervisedLoop } from '../../runtime/supervised-loop.js'
import { tell } from '../../telemetry/tell.js'
import type { ConsumeContext } from '../cluster/client-context.js'

/** A defect will most likely be met again: no reason to hurry, and none to give up. */
const crashBackoff = exponential({ initialMs: 500, maxMs: 30_000 })

/** One loop for each broker, made when it is first woken: one fetch in flight at each, and no broker waits for another. */
export class FetchLoops {
  readonly #fetchFrom: (node: number) => Promise<void>
  readonly #context: Pick<ConsumeContext, 'runtime' | 'settings'>
  readonly #loops = new Map<number, SupervisedLoop>()

  constructor(fetchFrom: (node: number) => Promise<void>, context: Pick<ConsumeContext, 'runtime' | 'settings'>) {
    this.#fetchFrom = fetchFrom
    this.#context = context
  }

  wake(node: number): void {
    let loop = this.#loops.get(node)
    if (!loop) {
      const { runtime, settings } = this.#context
      loop = new SupervisedLoop(() => this.#fetchFrom(node), {
        runtime,
        backoff: crashBackoff,
        onCrash: (error, restartMs) => tell(settings, { kind: 'fetch-crashed', node, error, restartMs }),
      })
      this.#loops.set(node, loop)
    }
    loop.wake()
  }

  /** No further fetch starts. */
  close(): void {
    for (const loop of this.#loops.values()) loop.close()
  }
}
