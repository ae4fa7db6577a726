import type { OnAssigned, OnRevoked } from '../../src/consumer/options/consumer-options.js'
import { partitionKey, type TopicPartition } from '../../src/message/topic-partition.js'
import type { SimulatedProcess } from '../../src/testing/simulation/process.js'
import type { Simulation } from '../../src/testing/simulation/simulate.js'
import type { Coverage } from './coverage.js'
import { between, chance } from './plan.js'

/** The hooks of one member: they take their time, throw, never end, and give back starting places that repeat a little. */
export class SimulatedHooks {
  readonly #process: SimulatedProcess
  readonly #simulation: Simulation
  readonly #coverage: Coverage
  readonly #saysStarts: boolean
  /** Answered, and not yet gone to. */
  readonly #starts = new Map<string, number>()

  constructor(process: SimulatedProcess, simulation: Simulation, coverage: Coverage, saysStarts: boolean) {
    this.#saysStarts = saysStarts
    this.#process = process
    this.#simulation = simulation
    this.#coverage = coverage
  }

  readonly onAssigned: OnAssigned = async (partitions, { signal }) => {
    await this.#end('onAssigned')
    if (signal.aborted || !this.#saysStarts) return undefined
    const { random } = this.#simulation
    return partitions.flatMap(({ topic, partition, committed }) => {
      if (committed === null || chance(random, 0.5)) return []
      // As of a store that is a little behind the group: what it does not know is handled again.
      const offset = Math.max(0, committed - between(random, 0, 5))
      this.#starts.set(partitionKey(topic, partition), offset)
      this.#coverage.met('onAssigned says where a partition starts')
      return [{ topic, partition, offset }]
    })
  }

  readonly onRevoked: OnRevoked = async (_, { reason }) => {
    this.#coverage.met(`onRevoked: ${reason}`)
    await this.#end('onRevoked')
  }

  /** Was this place what `onAssigned` answered? */
  isStart({ topic, partition }: TopicPartition, offset: number): boolean {
    const key = partitionKey(topic, partition)
    if (this.#starts.get(key) !== offset) return false
    this.#starts.delete(key)
    return true
  }

  /** One whose process crashed never ends. */
  #end(hook: string): Promise<void> {
    const { random, clock } = this.#simulation
    const draw = random.next()
    return new Promise((resolve, reject) => {
      if (draw < 0.05) {
        this.#coverage.met(`${hook} does not end`)
        return
      }
      const end = () => {
        if (draw < 0.2) {
          this.#coverage.met(`${hook} throws`)
          reject(new Error('the database is gone'))
        } else resolve()
      }
      clock.setTimer(between(random, 0, 400), () => this.#process.run(end))
    })
  }
}
