import type { MemoryCluster } from '../../drivers/memory/memory-cluster.js'
import type { Timer } from '../../runtime/clock.js'
import type { Random } from '../../runtime/random.js'
import type { VirtualClock } from '../time/virtual-clock.js'
import { allDisturbances, disturbances, exists, pick, type Disturbance, type Scene } from './disturbances.js'

/** How a simulated cluster is disturbed. */
export interface NemesisOptions {
  /** Which of them; default all that lose nothing which acks=all confirmed. */
  readonly disturbances?: readonly Disturbance[] | undefined
  /** Pause between two, drawn from these bounds. Default [50, 1000]. */
  readonly pauseMs?: readonly [min: number, max: number] | undefined
  /** Chance of each request to be lost, answered into a broken connection, delayed or held. Default 0. */
  readonly requestFaults?: number | undefined
  /** How many brokers may be down at once. Default 1. */
  readonly maxDown?: number | undefined
}

/** Disturbs a cluster at times and in ways that chance decides, until it is told to heal. */
export class Nemesis {
  readonly #scene: Scene
  readonly #kinds: readonly Disturbance[]
  readonly #pauseMs: readonly [min: number, max: number]
  readonly #requestFaults: number
  readonly #note: (event: string) => void
  #state: 'calm' | 'raging' = 'calm'
  #next: Timer | null = null
  readonly #counts = new Map<Disturbance, number>()

  /** @internal @param note is told everything that is done. */
  constructor(
    cluster: MemoryCluster,
    clock: VirtualClock,
    brokers: number,
    random: Random,
    options: NemesisOptions,
    note: (event: string) => void,
  ) {
    const { maxDown = 1, disturbances: kinds = allDisturbances, pauseMs = [50, 1_000], requestFaults = 0 } = options
    this.#scene = {
      cluster,
      brokers,
      maxDown: Math.min(maxDown, brokers),
      random,
      clock,
      down: new Set(),
      held: new Set(),
      turningAway: null,
      openTransactions: [],
      transactions: [],
      fillers: 0,
      wallTimeAheadMs: 0,
    }
    this.#kinds = kinds
    this.#pauseMs = pauseMs
    this.#requestFaults = requestFaults
    this.#note = note
  }

  /** How many disturbances there were. */
  get done(): number {
    let sum = 0
    for (const count of this.#counts.values()) sum += count
    return sum
  }

  /** How many there were of each kind. */
  get counts(): Readonly<Partial<Record<Disturbance, number>>> {
    return Object.fromEntries(this.#counts)
  }

  start(): void {
    this.#state = 'raging'
    const chance = this.#requestFaults
    if (chance > 0) {
      this.#scene.cluster.faults.random({
        random: this.#scene.random,
        loseRequest: chance,
        loseAnswer: chance,
        delay: 2 * chance,
        maxDelayMs: 800,
        hold: chance / 4,
        maxHoldMs: 8_000,
      })
    }
    this.#scheduleNext()
  }

  /** Ends every disturbance: brokers up, open and heard, requests released, replication on, transactions ended. */
  heal(): void {
    const { cluster, brokers, held, down, openTransactions, transactions } = this.#scene
    this.#state = 'calm'
    this.#next?.cancel()
    cluster.faults.clear()
    for (const request of held) request.release()
    held.clear()
    down.clear()
    for (let node = 0; node < brokers; node += 1) {
      cluster.faults.resumeReplication(node)
      cluster.faults.endTurningAway(node)
      cluster.faults.endMetadataLag(node)
      cluster.faults.startBroker(node)
    }
    openTransactions.length = 0
    for (const { topic, partition, producerId } of transactions.splice(0).filter((each) => exists(cluster, each))) {
      const ours = cluster.batches(topic, partition).filter((batch) => batch.producerId === producerId)
      const isOpen = ours.length > 0 && ours.every(({ control }) => control === 'none')
      if (isOpen) cluster.endTransaction(topic, partition, producerId, 'abort')
    }
    this.#note('nemesis heals everything')
  }

  #scheduleNext(): void {
    const [min, max] = this.#pauseMs
    const { clock, random } = this.#scene
    this.#next = clock.setTimer(min + (max - min) * random.next(), () => {
      if (this.#state === 'calm') return
      const kind = pick(random, this.#kinds)
      const told = disturbances[kind](this.#scene)
      if (told !== '') {
        this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
        this.#note(`nemesis ${told}`)
      }
      this.#scheduleNext()
    })
  }
}
