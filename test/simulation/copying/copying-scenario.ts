import { DeadLetter, RetryLater } from '../../../src/consumer/handling/fate.js'
import type { HandlerContext } from '../../../src/consumer/handling/handler.js'
import type { Consumer } from '../../../src/consumer/consumer.js'
import { TransactionError } from '../../../src/errors.js'
import type { Message } from '../../../src/message/message.js'
import { createMessaging, type Messaging } from '../../../src/messaging.js'
import type { SimulatedProcess } from '../../../src/testing/simulation/process.js'
import type { Simulation } from '../../../src/testing/simulation/simulate.js'
import { topicNamed } from '../clients.js'
import { Coverage, type Counts } from '../coverage.js'
import { InvariantBroken } from '../invariant.js'
import { between, chance } from '../plan.js'
import { CopyingLedger, topics, type SourceTransaction } from './copying-ledger.js'
import type { CopyingPlan } from './copying-plan.js'

const [from, out, side] = [topicNamed(topics.in), topicNamed(topics.out), topicNamed(topics.side)]

interface Copier {
  readonly name: string
  readonly instance: string | null
  readonly process: SimulatedProcess
  readonly messaging: Messaging
  state: 'running' | 'crashed' | 'stopping' | 'failed'
  /** Of a process that crashed it never ends. */
  started: Promise<unknown>
}

/** A source writes transactions, members copy what they read to two topics; all is disturbed, healed and compared. */
export class CopyingScenario {
  readonly #plan: CopyingPlan
  readonly #simulation: Simulation
  readonly #ledger: CopyingLedger
  readonly #coverage = new Coverage()
  readonly #copiers: Copier[] = []
  readonly #ends: Promise<unknown>[] = []
  #made = 0
  #written = 0
  #broken: InvariantBroken | null = null
  #isOver = false

  constructor(plan: CopyingPlan, simulation: Simulation) {
    this.#plan = plan
    this.#simulation = simulation
    this.#ledger = new CopyingLedger(simulation.cluster, (invariant, detail) => {
      this.#broken ??= new InvariantBroken(invariant, detail)
    })
  }

  async run(): Promise<Counts> {
    const { cluster, nemesis, clock } = this.#simulation
    const { partitions, members } = this.#plan
    for (const name of Object.values(topics)) cluster.createTopic(name, { partitions })
    nemesis.start()
    for (let count = 0; count < members; count += 1) this.#join(this.#plan.isStatic ? `i${count}` : null)
    const writing = new AbortController()
    const changes = this.#changeMembers(writing.signal)
    await this.#write()
    writing.abort()
    await changes
    nemesis.heal()
    await this.#caughtUp()
    this.#isOver = true
    for (const copier of this.#copiers) if (copier.state === 'running') this.#stop(copier)
    await Promise.all(this.#ends)
    await Promise.all(this.#copiers.filter(({ state }) => state !== 'crashed').map(({ started }) => started))
    // What a process that died left open is ended by its coordinator.
    await clock.sleep(this.#plan.timeoutMs + 5_000)
    this.#ledger.checkEnd(this.#plan.order)
    if (this.#broken !== null) throw this.#broken
    for (const [kind, count] of Object.entries(nemesis.counts)) this.#coverage.met(`copying: ${kind}`, count)
    return this.#coverage.counts
  }

  // ── Source ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #write(): Promise<void> {
    const { clock, random } = this.#simulation
    let source = this.#makeSource(0)
    for (let count = 0; count < this.#plan.transactions; count += 1) {
      const writing = this.#writeOne(source.messaging)
      if (this.#plan.crashes && chance(random, 0.05)) {
        await clock.sleep(200 * random.next())
        this.#simulation.note('the source crashes')
        this.#coverage.met('copying: source crashed')
        source.process.crash()
        source = this.#makeSource(count + 1)
      } else await writing
      await clock.sleep(300 * random.next())
    }
    await source.messaging.close({ timeoutMs: 60_000 }).catch(() => undefined) // what it left open is told by the ledger
  }

  #makeSource(number: number) {
    const process = this.#simulation.process(`source${number}`)
    return { process, messaging: this.#messaging(process, `source${number}`) }
  }

  async #writeOne(messaging: Messaging): Promise<void> {
    const { random, note } = this.#simulation
    const { aborted, partitions, poison, later, timeoutMs } = this.#plan
    const records = Array.from({ length: between(random, 1, 6) }, () => `r${(this.#written += 1)}`)
    for (const value of records) if (chance(random, poison)) this.#ledger.poison.add(value)
    if (later > 0) for (const value of records) if (chance(random, later)) this.#ledger.later.add(value)
    const places = records.map(() => between(random, 0, partitions - 1))
    const isAborted = chance(random, aborted)
    const transaction: SourceTransaction = { records, outcome: 'under-way' }
    this.#ledger.transactions.push(transaction)
    try {
      await messaging.transaction(
        'source',
        async (open) => {
          const sends = records.map((value, index) => open.send(from, value, { partition: places[index], key: value }))
          await Promise.all(sends)
          if (isAborted) throw new Error('on purpose')
        },
        { timeoutMs },
      )
      transaction.outcome = 'committed'
    } catch (error) {
      if (!(error instanceof TransactionError)) throw error
      transaction.outcome = error.outcome
      if (error.outcome === 'unknown') void error.resolution.then((outcome) => (transaction.outcome = outcome))
    }
    this.#coverage.met(`copying: transaction of the source ${transaction.outcome}`)
    note(`source ${transaction.outcome}: ${records.join(' ')}`)
  }

  #messaging(process: SimulatedProcess, clientId: string): Messaging {
    return createMessaging({
      driver: process.driver,
      clientId,
      profile: 'transactional',
      durability: 'off',
      logger: 'silent',
      onEvent: ({ kind }) => {
        if (kind === 'transaction-aborted') this.#coverage.met('copying: transaction of a member aborted')
      },
    })
  }

  // ── Members ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #join(instance: string | null): void {
    if (this.#isOver) return
    const name = `m${this.#made}`
    this.#made += 1
    const process = this.#simulation.process(name)
    const messaging = this.#messaging(process, instance ?? name)
    const copier: Copier = { name, instance, process, messaging, state: 'running', started: Promise.resolve() }
    this.#copiers.push(copier)
    const consumer = this.#consumer(copier)
    const started = consumer.start({ timeoutMs: 120_000 })
    copier.started = started.catch((error: unknown) => this.#failed(copier, error))
  }

  #consumer(copier: Copier): Consumer {
    const { order, handling, everyMs, everyMessages, timeoutMs, later } = this.#plan
    const handle = (messages: readonly Message<string>[], context: HandlerContext) => this.#copy(messages, context)
    const how =
      handling === 'batch'
        ? { handleBatch: handle, batchMessages: 10 }
        : { handle: (message: Message<string>, context: HandlerContext) => handle([message], context) }
    return copier.messaging.consumer({
      group: 'copying',
      groupInstanceId: copier.instance,
      topics: [from],
      order: handling === 'batch' && order === 'key' ? 'partition' : order,
      concurrency: 8,
      transaction: { everyMs, everyMessages, timeoutMs },
      deadLetter: topics.letters,
      retry: false,
      retryLater: later > 0 ? { delays: ['1s'], order: 'none' } : undefined,
      sessionTimeoutMs: 3_000,
      rebalanceTimeoutMs: 6_000,
      drainMs: 2_000,
      requestTimeoutMs: 1_000,
      onFailed: (error: unknown) => this.#failed(copier, error),
      ...how,
    } as never) as unknown as Consumer
  }

  async #copy(messages: readonly Message<string>[], context: HandlerContext): Promise<void> {
    const { clock, random } = this.#simulation
    for (const { value, partition } of messages) {
      if (this.#plan.slowHandlers && chance(random, 0.2)) await clock.sleep(50 * random.next())
      await context.send(out, value, { partition })
      await context.send(side, value, { partition: between(random, 0, this.#plan.partitions - 1) })
      if (this.#ledger.later.has(value) && context.attempt === 1) throw new RetryLater(1_000)
      if (this.#ledger.poison.has(value)) throw new DeadLetter('poison')
    }
  }

  /** Only by another of its instance id. */
  #failed(copier: Copier, error: unknown): void {
    if (copier.state !== 'running') return
    this.#simulation.note(`${copier.name} failed: ${String(error)}`)
    this.#coverage.met('copying: member failed')
    this.#stop(copier)
    copier.state = 'failed'
  }

  #stop(copier: Copier): void {
    copier.state = 'stopping'
    this.#ends.push(copier.messaging.close({ timeoutMs: 20_000 }).catch(() => undefined)) // compared with the logs
  }

  async #changeMembers(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#simulation
    while (!signal.aborted) {
      await clock.sleep(300 + 3_000 * random.next())
      this.#ledger.checkMeanwhile()
      const running = this.#copiers.filter(({ state }) => state === 'running')
      const some = running[between(random, 0, running.length - 1)]
      const draw = random.next()
      if (some === undefined) this.#join(this.#plan.isStatic ? 'i0' : null)
      else if (this.#plan.crashes && draw < 0.25) this.#crash(some)
      else if (draw < 0.4) some.process.freeze(between(random, 100, 12_000))
      else if (draw < 0.55 && running.length > 1) this.#stop(some)
      else if (running.length < 4) this.#join(this.#freeInstance())
    }
  }

  #crash(copier: Copier): void {
    const { clock, random, note } = this.#simulation
    note(`${copier.name} crashes`)
    this.#coverage.met('copying: member crashed')
    copier.process.crash()
    copier.state = 'crashed'
    clock.setTimer(3_000 * random.next(), () => this.#join(copier.instance))
  }

  #freeInstance(): string | null {
    if (!this.#plan.isStatic) return null
    const used = this.#copiers.filter(({ state }) => state === 'running').map(({ instance }) => instance)
    return ['i0', 'i1', 'i2', 'i3', 'i4'].find((name) => !used.includes(name)) ?? 'i5'
  }

  async #caughtUp(): Promise<void> {
    const { clock } = this.#simulation
    const until = clock.now() + 240_000
    while (clock.now() < until) {
      if (this.#broken !== null) throw this.#broken
      await clock.sleep(500)
      if (!this.#copiers.some(({ state }) => state === 'running')) this.#join(this.#freeInstance())
      this.#ledger.checkMeanwhile()
      if (this.#ledger.missing().length === 0) return
    }
    const missing = this.#ledger.missing()
    throw new InvariantBroken(
      'everything is copied once all is well',
      `${missing.length} missing: ${missing.join(' ')}`,
    )
  }
}
