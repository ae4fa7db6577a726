import { createMessaging, defineTopic, string, type Message, type Messaging } from 'tidemark'
import type { SimulatedProcess, Simulation } from 'tidemark/testing'
import { messageHeaders } from '../../../src/message/headers.js'

export const source = defineTopic({ name: 's', value: string(), key: (value) => value.split('-')[0] ?? null })
const letters = defineTopic({ name: 's.dlq', value: string(), deadLettersOf: source })

export interface OrderedWorldOptions {
  readonly partitions: number
  readonly order: 'partition' | 'key'
  /** How often an attempt at a value fails; `Infinity`: always. */
  readonly failures: (value: string) => number
  readonly handlingMs: () => number
}

/** Consumers that keep the order of keys while some of them are put off, and what all of them did, in the order of time. */
export class OrderedWorld {
  /** Values whose handling succeeded, repeats too. */
  readonly done: string[] = []
  readonly problems: string[] = []
  attempts = 0
  readonly #simulation: Simulation
  readonly #options: OrderedWorldOptions
  readonly #failed = new Map<string, number>()
  readonly #doneOf = new Map<string, Set<number>>()
  #sent = new Map<string, number>()
  #members: { readonly process: SimulatedProcess; readonly messaging: Messaging; readonly lag: () => number | null }[] =
    []
  #named = 0

  constructor(simulation: Simulation, options: OrderedWorldOptions) {
    this.#simulation = simulation
    this.#options = options
    simulation.cluster.createTopic('s', { partitions: options.partitions })
  }

  get members(): number {
    return this.#members.length
  }

  async join(): Promise<void> {
    const process = this.#simulation.process(`member-${(this.#named += 1)}`)
    const messaging = createMessaging({ driver: process.driver, durability: 'off', logger: 'silent' })
    const consumer = messaging.consumer({
      group: 'g',
      topics: [source],
      order: this.#options.order,
      retry: false,
      deadLetter: { topic: letters, breaker: false },
      retryLater: { delays: ['1s', '3s'] },
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 500,
      handle: (message) => this.#handle(message, process),
    })
    await messaging.ensureTopics([source, letters, ...consumer.delayTopics])
    this.#members.push({ process, messaging, lag: () => consumer.lag() })
    await consumer.start()
  }

  async leave(): Promise<void> {
    await this.#members.shift()?.messaging.close()
  }

  crash(): void {
    this.#members.shift()?.process.crash()
  }

  async close(): Promise<void> {
    for (const { messaging } of this.#members) await messaging.close()
  }

  /** The next value of the key. */
  next(key: string): string {
    const number = (this.#sent.get(key) ?? 0) + 1
    this.#sent.set(key, number)
    return `${key}-${number}`
  }

  /** Repeats too. */
  get isAllDone(): boolean {
    if (this.#members.some(({ lag }) => lag() !== 0)) return false
    return [...this.#sent].every(([key, count]) => {
      for (let number = 1; number <= count; number += 1) if (!this.#isEnded(key, number)) return false
      return true
    })
  }

  get undone(): string[] {
    return [...this.#sent].flatMap(([key, count]) =>
      Array.from({ length: count }, (_, index) => index + 1)
        .filter((number) => !this.#isEnded(key, number))
        .map((number) => `${key}-${number}`),
    )
  }

  /** What a reader must never see; none is expected. */
  misorders(): string[] {
    const last = new Map<string, number>()
    this.done.forEach((value, index) => last.set(value, index))
    const newest = new Map<string, { number: number; at: number }>()
    for (const [value, at] of [...last].sort(([one], [other]) => numberOf(one) - numberOf(other))) {
      const key = keyOf(value)
      const before = newest.get(key)
      if (before !== undefined && before.at > at) {
        this.problems.push(`${key}-${before.number} was handled last, after ${value}`)
      }
      newest.set(key, { number: numberOf(value), at })
    }
    return this.problems
  }

  async #handle({ value, topic }: Message<string>, process: SimulatedProcess): Promise<void> {
    const [key, number] = [keyOf(value), numberOf(value)]
    // Of a foreign transaction.
    if (!this.#sent.has(key)) return
    this.attempts += 1
    if (topic !== 's') this.problems.push(`${value} came as of ${topic}`)
    for (let earlier = 1; earlier < number; earlier += 1) {
      if (!this.#isEnded(key, earlier)) this.problems.push(`${value} was tried while ${key}-${earlier} was not done`)
    }
    await process.clock.sleep(this.#options.handlingMs())
    const failed = this.#failed.get(value) ?? 0
    if (failed < this.#options.failures(value)) {
      this.#failed.set(value, failed + 1)
      throw new Error('not now')
    }
    this.done.push(value)
    const done = this.#doneOf.get(key) ?? new Set<number>()
    this.#doneOf.set(key, done.add(number))
  }

  #isEnded(key: string, number: number): boolean {
    return this.#doneOf.get(key)?.has(number) === true || this.#letters().has(`${key}-${number}`)
  }

  #letters(): ReadonlySet<string> {
    const { cluster } = this.#simulation
    if (!cluster.topicNames().includes('s.dlq')) return new Set()
    const all = Array.from({ length: this.#options.partitions }, (_, partition) => cluster.records('s.dlq', partition))
    return new Set(all.flat().map(({ value }) => value?.toString() ?? ''))
  }

  /** Of all records in the first delay topic those that were never tried: what waits behind another. */
  followers(): number {
    const all = Array.from({ length: this.#options.partitions }, (_, partition) =>
      this.#simulation.cluster.records('s.retry.g.1s', partition),
    )
    return all.flat().filter(({ headers }) => !messageHeaders(headers).has('td-attempt')).length
  }
}

function keyOf(value: string): string {
  return value.split('-')[0] ?? ''
}

function numberOf(value: string): number {
  return Number(value.split('-')[1])
}
