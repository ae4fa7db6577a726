import type { Messaging } from '../../src/messaging.js'
import { createMessaging } from '../../src/messaging.js'
import { DeadLetter } from '../../src/consumer/handling/fate.js'
import { memoryDedupe } from '../../src/dedupe/memory-dedupe.js'
import { SendError } from '../../src/errors.js'
import { tdHeader } from '../../src/message/headers.js'
import type { Message } from '../../src/message/message.js'
import { pause } from '../../src/runtime/pause.js'
import type { RedriveOptions } from '../../src/redrive/redrive-options.js'
import { redrive } from '../../src/redrive/redrive.js'
import type { RedriveSummary } from '../../src/redrive/tally.js'
import type { SimulatedProcess } from '../../src/testing/simulation/process.js'
import type { Simulation } from '../../src/testing/simulation/simulate.js'
import { topicNamed } from './clients.js'
import { Coverage, type Counts } from './coverage.js'
import { InvariantBroken } from './invariant.js'
import { between, chance, type Plan } from './plan.js'
import { idOf, valueOf } from './sent-ledger.js'
import { readable } from './stored-log.js'

const orders = 'orders'
const dlq = 'orders.dlq'
const parked = 'orders.parked'
const group = 'handlers'
const limitMs = 240_000
const lookMs = 100
/** So many redrives, one after another, and so many attempts of each, meet disturbances. */
const roughRounds = 2
const roughAttempts = 4

interface Effect {
  readonly id: number
  readonly key: string
  readonly hop: string | undefined
}

/** Of orders whose handler is mended later, and of some for which it never is. */
interface Sent {
  readonly key: string
  readonly isBad: boolean
  readonly isBadForEver: boolean
  isStored: boolean
}

/**
 * Records become dead letters, the handler is mended, and redrives send them back: killed, aborted, two at a time, one after
 * another, while the cluster is disturbed and readers come and go. With dedupe each record takes effect once; what can never
 * be handled is parked in the end.
 */
export class RedriveScenario {
  readonly #plan: Plan
  readonly #simulation: Simulation
  readonly #coverage = new Coverage()
  readonly #store = memoryDedupe()
  readonly #sent: Sent[] = []
  readonly #effects: Effect[] = []
  readonly #readers: { readonly process: SimulatedProcess; readonly messaging: Messaging }[] = []
  /** One redrive for all letters, or one for each half of them. */
  readonly #halves: readonly (number | null)[]
  #isMended = false
  #repeats = 0
  #attempts = 0

  constructor(plan: Plan, simulation: Simulation) {
    this.#plan = plan
    this.#simulation = simulation
    this.#halves = chance(simulation.random, 0.5) ? [null] : [0, 1]
  }

  async run(): Promise<{ readonly effects: number; readonly coverage: Counts }> {
    const { cluster, nemesis, random } = this.#simulation
    cluster.createTopic(orders, { partitions: between(random, 1, 4) })
    cluster.createTopic(dlq, { partitions: between(random, 1, 4) })
    cluster.createTopic(parked)
    const counts = () => [orders, dlq].map((topic) => cluster.partitionCount(topic)).join()
    const partitions = counts()
    nemesis.start()
    this.#addReader()
    this.#addReader()
    await this.#sendAll()
    await this.#idle()
    this.#isMended = true
    for (let round = 1; round <= roughRounds; round += 1) {
      await this.#round(round, true)
      await this.#idle()
    }
    nemesis.heal()
    // Transactions of others that end now hold back what is read, until their ends are copied.
    await this.#simulation.clock.sleep(1_000)
    await this.#idle()
    for (let round = roughRounds + 1; (await this.#round(round, false)) > 0; round += 1) {
      if (round > 3 * roughRounds) broken('letters come to an end', `they still go round after ${round} redrives`)
      await this.#idle()
    }
    await Promise.all(this.#readers.map(({ messaging }) => messaging.close()))
    this.#check(counts() === partitions)
    for (const [kind, count] of Object.entries(nemesis.counts)) this.#coverage.met(`nemesis: ${kind}`, count)
    return { effects: this.#effects.length, coverage: this.#coverage.counts }
  }

  // ── Before ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #sendAll(): Promise<void> {
    const { random, clock } = this.#simulation
    const process = this.#simulation.process('p')
    const messaging = this.#messagingOf(process)
    const producer = messaging.producer()
    const count = between(random, 20, 80)
    const sends: Promise<void>[] = []
    for (let id = 0; id < count; id += 1) {
      const key = `key-${between(random, 1, 8)}`
      const isBad = chance(random, 0.5)
      const one: Sent = { key, isBad, isBadForEver: isBad && chance(random, 0.1), isStored: false }
      this.#sent.push(one)
      const send = producer.send(topicNamed(orders), valueOf(id), { key }).then(
        () => void (one.isStored = true),
        (error: unknown) => {
          if (!(error instanceof SendError)) throw error
        },
      )
      sends.push(send)
      if (chance(random, 0.2)) await clock.sleep(between(random, 1, 300))
    }
    await Promise.all(sends)
    await messaging.close()
  }

  #addReader(): void {
    const process = this.#simulation.process(`c${this.#readers.length + 1}`)
    const messaging = this.#messagingOf(process)
    this.#readers.push({ process, messaging })
    const consumer = messaging.consumer({
      group,
      topics: [topicNamed(orders)],
      order: 'key',
      sessionTimeoutMs: this.#plan.sessionTimeoutMs,
      deadLetter: { topic: dlq, breaker: false },
      dedupe: this.#store,
      handle: (message) => this.#handle(message as Message<string>),
    })
    consumer.start({ timeoutMs: limitMs }).catch(() => undefined) // a start in vain shows in what is not handled
  }

  #handle({ key, value, headers }: Message<string>): void {
    const id = idOf(Buffer.from(value))
    if (id === null) return
    const { isBad, isBadForEver } = this.#sent[id]!
    if (isBadForEver || (isBad && !this.#isMended)) throw new DeadLetter('it cannot be handled')
    this.#effects.push({ id, key: String(key), hop: headers.get(tdHeader.hop) })
  }

  // ── Redrives ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Until each of its redrives was done; resolves to how many letters the last runs moved. */
  async #round(round: number, isRough: boolean): Promise<number> {
    let moved = 0
    for (const half of this.#halves) {
      const options: RedriveOptions = {
        from: dlq,
        allow: [orders],
        // Under another name all letters go once more.
        group: `redrive-${half ?? 'all'}${isRough && round > 1 && chance(this.#simulation.random, 0.3) ? '-again' : ''}`,
        select: half === null ? {} : { where: ({ value }) => (idOf(value) ?? 0) % 2 === half },
        // What others write there is no letter.
        passOver: ['no-origin'],
        maxHops: 2,
        parking: parked,
        inFlight: between(this.#simulation.random, 1, 16),
        ...(chance(this.#simulation.random, 0.7) ? { perSecond: between(this.#simulation.random, 5, 60) } : {}),
      }
      moved += await this.#redriven(options, isRough)
    }
    return moved
  }

  async #redriven(options: RedriveOptions, isRoundRough: boolean): Promise<number> {
    const { random, nemesis } = this.#simulation
    for (let attempt = 1; ; attempt += 1) {
      const isRough = isRoundRough && attempt < roughAttempts
      if (isRoundRough && attempt === roughAttempts) nemesis.heal()
      if (attempt > 3 * roughAttempts) broken('a redrive ends once all is healed', options.group)
      const isTwin = isRough && chance(random, 0.2)
      if (isTwin) this.#coverage.met('redrive: two at a time')
      if (isRough && chance(random, 0.15)) this.#changeReaders()
      const names = isTwin ? ['a', 'b'] : ['']
      const runs = names.map((name) => this.#attempt(`r${(this.#attempts += 1)}${name}`, options, isRough))
      const ends = await Promise.all(runs)
      if (!ends.some((end) => end?.ended === 'done')) continue
      if (isRoundRough && !isRough) nemesis.start()
      return ends.reduce((moved, end) => moved + (end?.redriven ?? 0) + (end?.parked ?? 0), 0)
    }
  }

  async #attempt(name: string, options: RedriveOptions, isRough: boolean): Promise<RedriveSummary | null> {
    const { random, clock } = this.#simulation
    const process = this.#simulation.process(name)
    const messaging = this.#messagingOf(process)
    const aborting = new AbortController()
    const draw = isRough ? random.next() : 1
    const fate = draw < 0.4 ? 'killed' : draw < 0.55 ? 'aborted' : 'left alone'
    const afterMs = between(random, 20, 1_500)
    const ended = redrive(messaging, { ...options, stallMs: 60_000, signal: aborting.signal }).then(
      (summary) => summary,
      () => null,
    )
    const over = new AbortController()
    if (fate !== 'left alone') {
      void pause(clock, afterMs, over.signal).then(() => {
        if (over.signal.aborted) return
        this.#coverage.met(`redrive: ${fate}`)
        if (fate === 'aborted') aborting.abort()
        else process.crash()
      })
    }
    const died = (async () => {
      while (process.state === 'alive' && !over.signal.aborted) await pause(clock, 50, over.signal)
      return null
    })()
    const summary = await Promise.race([ended, died])
    over.abort()
    if (process.state === 'alive') await messaging.close()
    this.#coverage.met(`redrive ended: ${summary?.ended ?? (process.state === 'alive' ? 'failed' : 'killed')}`)
    return summary
  }

  #changeReaders(): void {
    const [first] = this.#readers
    if (first === undefined) return
    this.#coverage.met('reader of redriven records killed')
    first.process.crash()
    this.#readers.shift()
    this.#addReader()
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** All that stands in the log is handled, or a dead letter, and committed. */
  async #idle(): Promise<void> {
    const { clock, nemesis } = this.#simulation
    const until = clock.now() + limitMs
    const healAt = clock.now() + limitMs / 4
    let isHealed = false
    for (;;) {
      const left = this.#unfinished()
      if (left.length === 0) break
      if (clock.now() > until) throw new InvariantBroken('everything is handled and committed in time', left.join('; '))
      if (clock.now() > healAt && !isHealed) {
        isHealed = true
        nemesis.heal()
      }
      await clock.sleep(lookMs)
    }
    if (isHealed) nemesis.start()
  }

  #unfinished(): readonly string[] {
    const { cluster } = this.#simulation
    const committed = cluster.committed(group)
    return Array.from({ length: cluster.partitionCount(orders) }, (_, partition) => {
      const from = committed.find((one) => one.partition === partition)?.offset ?? 0
      const left = readable(cluster, orders, partition, 'read-uncommitted', from)
      return left.some(({ value }) => idOf(value) !== null) ? `${orders}-${partition} from ${from}` : ''
    }).filter((text) => text !== '')
  }

  #check(isPartitionedAsBefore: boolean): void {
    const inParking = this.#idsIn(parked)
    for (const [id, { isStored, isBadForEver, key }] of this.#sent.entries()) {
      const times = this.#effects.filter((effect) => effect.id === id).length
      const what = `record ${id} of ${key} took effect ${times} times`
      if (times > (isBadForEver ? 0 : 1)) broken('with dedupe a redriven record takes effect once', what)
      if (isStored && !isBadForEver && times === 0) broken('every letter takes effect in the end', what)
      if (isStored && isBadForEver && !inParking.includes(id)) broken('what comes back too often is parked', what)
      if (!isBadForEver && inParking.includes(id)) broken('nothing else is parked', what)
    }
    this.#checkIds()
    if (isPartitionedAsBefore) this.#checkOrder()
    this.#coverage.met('redriven record took effect', this.#effects.filter(({ hop }) => hop !== undefined).length)
    this.#coverage.met('letter parked', inParking.length)
    this.#coverage.met('letter redriven twice', this.#repeats)
  }

  #idsIn(topic: string): readonly number[] {
    const { cluster } = this.#simulation
    const partitions = Array.from({ length: cluster.partitionCount(topic) }, (_, partition) => partition)
    return partitions.flatMap((partition) =>
      readable(cluster, topic, partition, 'read-committed').flatMap(({ value }) => idOf(value) ?? []),
    )
  }

  /** Copies of one letter have one id, and copies with one id are alike. */
  #checkIds(): void {
    const { cluster } = this.#simulation
    const contents = new Map<string, string>()
    for (let partition = 0; partition < cluster.partitionCount(orders); partition += 1) {
      for (const { key, value, headers } of readable(cluster, orders, partition, 'read-uncommitted')) {
        const id = headers.find(([name]) => name === tdHeader.redriveId)?.[1]?.toString()
        if (id === undefined) continue
        const content = [partition, key, value, ...headers.flat()].map(String).join('|')
        const before = contents.get(id)
        if (before !== undefined) this.#repeats += 1
        if (before !== undefined && before !== content)
          broken('a letter goes back the same each time', `${before}, ${content}`)
        contents.set(id, content)
      }
    }
  }

  /** Of the letters of one key, and of one redrive. */
  #checkOrder(): void {
    const halves = this.#halves.length
    const last = new Map<string, number>()
    for (const { id, key, hop } of this.#effects) {
      const line = `${key} ${hop ?? 'first'} ${id % halves}`
      if (id < (last.get(line) ?? -1)) broken('letters of a key go back in order', `record ${id} of ${line} came late`)
      last.set(line, Math.max(last.get(line) ?? -1, id))
    }
  }

  #messagingOf({ driver }: SimulatedProcess): Messaging {
    return createMessaging({ driver, durability: 'off', logger: 'silent' })
  }
}

function broken(invariant: string, detail: string): never {
  throw new InvariantBroken(invariant, detail)
}
