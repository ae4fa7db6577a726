import type { HandlerContext } from '../../src/consumer/handling/handler.js'
import { MarkedMeanwhile } from '../../src/consumer/handling/fate.js'
import type { DedupeStore } from '../../src/dedupe/dedupe-store.js'
import { memoryDedupeBy, type MemoryDedupe } from '../../src/dedupe/memory-dedupe.js'
import { OpenCalls } from '../../src/dedupe/open-calls.js'
import type { SimulatedProcess } from '../../src/testing/simulation/process.js'
import type { Simulation } from '../../src/testing/simulation/simulate.js'
import type { Coverage } from './coverage.js'
import type { Report } from './invariant.js'
import { between, chance, type Plan } from './plan.js'

interface SimulatedDedupeTools {
  readonly plan: Plan
  readonly simulation: Simulation
  readonly coverage: Coverage
  readonly report: Report
}

/** A database that all members share and that outlives them: it knows what each group has handled. */
export class SimulatedDedupe {
  readonly #tools: SimulatedDedupeTools
  readonly #marks: MemoryDedupe
  readonly #calls = new OpenCalls()
  /** What each member was told is handled. */
  readonly #told = new Map<string, Set<string>>()

  constructor(tools: SimulatedDedupeTools) {
    this.#tools = tools
    this.#marks = memoryDedupeBy(tools.simulation.clock, { keepMs: 86_400_000, maxMarks: 1_000_000 })
  }

  /** The database as one process sees it: calls take time, fail, and are carried out although their caller is gone. */
  storeFor(process: SimulatedProcess): DedupeStore {
    const told = new Set<string>()
    this.#told.set(process.name, told)
    return {
      begins: this.#calls.begins,
      known: (scope, identities) =>
        this.#call(process, () => {
          const known = this.#marks.known(scope, identities) as ReadonlySet<string>
          for (const identity of known) told.add(`${scope} ${identity}`)
          return known
        }),
      mark: (scope, identities) => this.#call(process, () => void this.#marks.mark(scope, identities)),
    }
  }

  /** What a handler is called for must not be what its member was told is handled. */
  calledFor(process: SimulatedProcess, context: HandlerContext): void {
    const { scope, identities } = this.#calls.of(context)
    const told = this.#told.get(process.name)
    const wrong = identities.find((identity) => told?.has(`${scope} ${identity}`))
    if (wrong === undefined) return
    this.#tools.report('what is known as handled is not handled again', `${process.name} was told of ${wrong}`)
  }

  /**
   * The end of a transaction that has effects and marks: all of a moment, or nothing. Throws where it is rolled back.
   *
   * @returns whether there was one
   */
  commit(context: HandlerContext): boolean {
    const { plan, coverage } = this.#tools
    if (plan.dedupe !== 'in-transaction') return false
    const { scope, identities, kept } = this.#calls.of(context)
    context.signal.throwIfAborted()
    const known = this.#marks.known(scope, identities) as ReadonlySet<string>
    if (known.size > 0) {
      coverage.met('dedupe: marked meanwhile')
      throw new MarkedMeanwhile(undefined)
    }
    void this.#marks.mark(scope, identities)
    coverage.met('dedupe: effects committed with their marks', identities.length)
    kept()
    return true
  }

  #call<Answer>(process: SimulatedProcess, work: () => Answer): Promise<Answer> {
    const { simulation, coverage } = this.#tools
    const { random, clock } = simulation
    const [thereMs, backMs] = [between(random, 0, 5), between(random, 0, 5)]
    const fate = chance(random, 0.01) ? 'refused' : chance(random, 0.01) ? 'no answer' : 'answered'
    return new Promise((resolve, reject) => {
      clock.setTimer(thereMs, () => {
        const answer = fate === 'refused' ? undefined : work()
        if (fate !== 'answered') coverage.met(`dedupe: ${fate}`)
        clock.setTimer(backMs, () =>
          process.run(() => (fate === 'answered' ? resolve(answer as Answer) : reject(new Error('connection lost')))),
        )
      })
    })
  }
}
