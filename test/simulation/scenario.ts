import type { AnswerTo, Request } from '../../src/connection/requests/apis.js'
import type { MemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import { SendError } from '../../src/errors.js'
import { tdHeader } from '../../src/message/headers.js'
import type { TopicPartition } from '../../src/message/topic-partition.js'
import type { Producer } from '../../src/producer/producer.js'
import type { SimulatedProcess } from '../../src/testing/simulation/process.js'
import type { Simulation } from '../../src/testing/simulation/simulate.js'
import { deadLetters, makeProducer, topicNamed } from './clients.js'
import { Coverage, type Counts } from './coverage.js'
import { delayTopicsOf } from './delays.js'
import { ForeignCode } from './foreign-code.js'
import { FormerLogs } from './former-logs.js'
import { GroupLedger } from './group-ledger.js'
import { InvariantBroken, type Report } from './invariant.js'
import { LoneLedger } from './lone-ledger.js'
import { Members, type Member, type ReadLedger } from './members.js'
import { between, chance, type Plan } from './plan.js'
import { Poison } from './poison.js'
import { letterMaxBytes, SentLedger, valueOf, type SentCounts } from './sent-ledger.js'
import { StoredLetters } from './stored-letters.js'
import { partitionsOf } from './stored-log.js'
import { Traffic } from './traffic.js'
import { Users } from './users.js'

/** All of this takes virtual time. */
const sendingLimitMs = 60_000
const catchUpLimitMs = 240_000
/** Of many records that cannot be handled, with nothing left that succeeds beside them, each is given up after twice as long. */
const floodLimitMs = 10 * catchUpLimitMs
const checkEveryMs = 250

interface Group {
  readonly ledger: ReadLedger
  readonly isStatic: boolean
  readonly consumers: number
}

export interface ScenarioFigures {
  readonly sent: SentCounts
  readonly handled: number
  readonly repeated: number
  readonly commits: number
  readonly coverage: Counts
}

/** One run: producers send and consumers handle while the cluster is disturbed; then all is healed, finished and checked. */
export class Scenario {
  readonly #plan: Plan
  readonly #simulation: Simulation
  readonly #sent: SentLedger
  readonly #letters: StoredLetters
  readonly #former: FormerLogs
  readonly #coverage = new Coverage()
  readonly #traffic = new Traffic()
  readonly #poison: Poison
  readonly #foreign: ForeignCode
  readonly #groups: readonly Group[]
  readonly #members: Members
  readonly #users: Users
  readonly #coordinators = new Map<string, number>()
  #broken: InvariantBroken | null = null
  #break: (broken: InvariantBroken) => void = () => undefined
  readonly #whenBroken = new Promise<never>((_, reject) => {
    this.#break = reject
  })

  constructor(plan: Plan, simulation: Simulation) {
    this.#plan = plan
    this.#simulation = simulation
    this.#sent = new SentLedger(simulation.cluster)
    this.#letters = new StoredLetters(simulation.cluster)
    this.#former = new FormerLogs(simulation.cluster)
    const report: Report = (invariant, detail) => this.#report(invariant, detail)
    const common = { plan, simulation, coverage: this.#coverage, report }
    this.#poison = new Poison(plan.delays !== null ? 'some' : plan.failing === 'stop' ? 'at once' : 'never')
    this.#foreign = new ForeignCode(plan.adapters, this.#coverage)
    this.#members = new Members({ ...common, poison: this.#poison, foreign: this.#foreign, traffic: this.#traffic })
    this.#users = new Users({
      ...common,
      members: this.#members,
      sent: this.#sent,
      former: this.#former,
      ledgers: () => this.#groups.map(({ ledger }) => ledger),
    })
    this.#groups = plan.groups.map(({ name, consumers, isStatic }) => {
      return { ledger: this.#ledger(name, report), consumers, isStatic }
    })
    this.#whenBroken.catch(() => undefined) // it is raced below
  }

  #ledger(name: string | null, report: Report): ReadLedger {
    const { cluster } = this.#simulation
    const isDeadLettered = (group: string | null, place: TopicPartition, offset: number, value: string) =>
      this.#letters.has(group, place, offset, value)
    if (name !== null)
      return new GroupLedger(name, cluster, this.#plan, this.#former, this.#coverage, isDeadLettered, report)
    const readers = (): readonly string[] => this.#members.runningOf(ledger).map((reader) => reader.name)
    const ledger = new LoneLedger(cluster, this.#plan, this.#former, this.#coverage, isDeadLettered, readers, report)
    return ledger
  }

  // ── What is heard of outside ──────────────────────────────────────────────────────────────────────────────────────

  asked(client: string, request: Request): void {
    const at = this.#consumerOf(client)
    if (at === null) return
    this.#traffic.asked(at.name, request)
    if (request.api === 'offsetCommit') at.ledger.commitAsked(at.name, request)
  }

  answered(client: string, request: Request, answer: AnswerTo<Request>): void {
    if (answer.throttleTimeMs > this.#plan.requestTimeoutMs)
      this.#coverage.met('throttled longer than a request may take')
    const at = this.#consumerOf(client)
    if (at === null) return
    this.#traffic.ended(at.name, request)
    if (at.ledger.group !== null) at.ledger.answered(at.name, request, answer)
  }

  failed(client: string, request: Request): void {
    const at = this.#consumerOf(client)
    if (at === null) return
    this.#traffic.ended(at.name, request)
    if (at.ledger.group !== null && request.api === 'offsetCommit') at.ledger.commitFailed(at.name, request)
  }

  #consumerOf(client: string): Member | null {
    return this.#members.named(client.slice(0, client.indexOf('-'))) ?? null
  }

  /** A line of the trace: whoever coordinated a group may have been stopped. */
  heard(event: string): void {
    if (!event.includes(' nemesis ')) return
    const stopped = /nemesis stops broker (\d+)/.exec(event)
    const { cluster } = this.#simulation
    for (const { ledger } of this.#groups) {
      const { group } = ledger
      if (group === null) continue
      if (stopped !== null && this.#coordinators.get(group) === Number(stopped[1]))
        this.#coverage.met('coordinator stopped with its broker')
      this.#coordinators.set(group, cluster.coordinatorOf(group))
    }
  }

  async run(): Promise<ScenarioFigures> {
    await Promise.race([this.#run(), this.#whenBroken])
    if (this.#broken !== null) throw this.#broken
    const created = new Map(this.#plan.topics.map(({ name, partitions }) => [name, partitions]))
    const sent = this.#sent.check(this.#plan.profile, created, (invariant, detail) => this.#report(invariant, detail))
    for (const { ledger } of this.#groups) ledger.checkEnd()
    this.#checkOutage()
    if (this.#broken !== null) throw this.#broken as InvariantBroken
    this.#countEnd()
    const sum = (count: (ledger: ReadLedger) => number) =>
      this.#groups.reduce((total, { ledger }) => total + count(ledger), 0)
    return {
      sent,
      handled: sum(({ tenures }) => tenures.handled),
      repeated: sum(({ repeated }) => repeated),
      commits: sum(({ commits }) => commits),
      coverage: this.#coverage.counts,
    }
  }

  /** Nobody could be to blame, and nobody may be given up before `decideAfterMs`. */
  #checkOutage(): void {
    const { down, poison, decideAfterMs, handlerTimeoutMs } = this.#plan
    if (down === null || poison > 0 || decideAfterMs < 2 * down.forMs || handlerTimeoutMs < 300_000) return
    this.#coverage.met('outage with nobody to blame')
    // Transactions of others may end there too.
    const letters = [0, 1].flatMap((partition) =>
      this.#simulation.cluster.records(deadLetters, partition).flatMap(({ headers }) => {
        const of = (name: string) => String(headers.find(([other]) => other === name)?.[1])
        if (of(tdHeader.reason) === 'undefined') return []
        return [
          `${of(tdHeader.originTopic)}-${of(tdHeader.originPartition)}@${of(tdHeader.originOffset)}: ${of(tdHeader.errorMessage)}`,
        ]
      }),
    )
    if (letters.length > 0) this.#report('an outage makes no dead letter of a good record', letters.join(', '))
  }

  #countEnd(): void {
    const { cluster, nemesis } = this.#simulation
    for (const [kind, count] of Object.entries(nemesis.counts)) this.#coverage.met(`nemesis: ${kind}`, count)
    for (const { consumer } of this.#members.all()) this.#coverage.met('late completion refused', consumer.facts().late)
    for (const { ledger } of this.#groups) this.#coverage.met('repeat after a late commit', ledger.takenBack)
    for (const { topic, partition } of partitionsOf(cluster))
      this.#coverage.met('hole left by compaction', holesIn(cluster, topic, partition))
  }

  #makeDelayTopics(): void {
    for (const { name, partitions } of this.#plan.topics)
      for (const { name: group } of this.#plan.groups)
        for (const delayed of delayTopicsOf(this.#plan, name, group ?? ''))
          this.#simulation.cluster.createTopic(delayed, { partitions })
  }

  async #run(): Promise<void> {
    const { cluster, nemesis } = this.#simulation
    for (const { name, partitions } of this.#plan.topics) cluster.createTopic(name, { partitions })
    cluster.createTopic(deadLetters, { partitions: 2, configs: { 'max.message.bytes': String(letterMaxBytes) } })
    this.#makeDelayTopics()
    nemesis.start()
    const changing = new AbortController()
    const changes = Promise.all([this.#changeMembers(changing.signal), this.#users.act(changing.signal)])
    await this.#within(sendingLimitMs, this.#sendAll(), 'every send ends by its deadline')
    changing.abort()
    await changes
    nemesis.heal()
    await this.#catchUp()
    for (const member of this.#members.all()) void this.#members.stop(member) // awaited on the next line
    await this.#within(sendingLimitMs, this.#members.allStopped(), 'every stop ends by its deadline')
  }

  // ── Producers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #sendAll(): Promise<void> {
    const { producers, records } = this.#plan
    const share = Math.ceil(records / producers)
    await Promise.all(Array.from({ length: producers }, (_, index) => this.#sendAs(`p${index}`, share)))
  }

  async #sendAs(name: string, count: number): Promise<void> {
    const { random, clock } = this.#simulation
    const { sendingMs, producerCrashes } = this.#plan
    const crashAt = producerCrashes ? between(random, 0, count) : -1
    const outcomes: Promise<void>[] = []
    let { messaging, producer, process } = this.#makeProducer(name)
    const pauseMs = (sendingMs / count) * 6
    for (let left = count; left > 0;) {
      const burst = Math.min(left, between(random, 1, 10))
      for (let index = 0; index < burst; index += 1) outcomes.push(this.#send(process, producer, name))
      left -= burst
      await clock.sleep(2 * pauseMs * random.next())
      if (crashAt <= left || crashAt > left + burst) continue
      this.#simulation.note(`${name} crashes`)
      process.crash()
      outcomes.length = 0
      ;({ messaging, producer, process } = this.#makeProducer(`${name}x`))
    }
    await Promise.all(outcomes)
    await messaging.close({ timeoutMs: 5_000 })
  }

  #makeProducer(name: string) {
    const process = this.#simulation.process(name)
    return { process, ...makeProducer(process.driver, name, this.#plan, this.#foreign) }
  }

  async #send(process: SimulatedProcess, producer: Producer, name: string): Promise<void> {
    const { random, note } = this.#simulation
    const { topics, keys, poison, largeLetters } = this.#plan
    const topic = topics[between(random, 0, topics.length - 1)]!.name
    const key = `key-${between(random, 1, keys)}`
    const record = this.#sent.send(process.name, topic, key)
    const isPoison = chance(random, poison)
    if (isPoison) this.#poison.add(record.id)
    const value = valueOf(record.id, isPoison && largeLetters && record.id % 2 === 0)
    // Some callers wait less than a delivery may take.
    const timeoutMs = chance(random, 0.1) ? between(random, 1, 3_000) : undefined
    try {
      const receipt = await producer.send(topicNamed(topic), value, { key, timeoutMs })
      record.outcome = 'stored'
      record.partition = receipt.partition
      record.offset = receipt.offset
    } catch (error) {
      if (!(error instanceof SendError)) throw error
      record.outcome = error.outcome
    }
    note(`${name} record ${record.id} ${record.outcome} ${record.partition}@${record.offset}`)
  }

  // ── Consumers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #changeMembers(signal: AbortSignal): Promise<void> {
    const { random, clock } = this.#simulation
    for (const { ledger, consumers, isStatic } of this.#groups) {
      for (let count = 0; count < consumers; count += 1) this.#members.join(ledger, isStatic)
    }
    while (!signal.aborted) {
      await clock.sleep(200 + 2_500 * random.next())
      for (const group of this.#groups) {
        if (this.#members.runningOf(group.ledger).length === 0) this.#members.join(group.ledger, group.isStatic)
        else if (this.#plan.consumerChanges && chance(random, 0.5)) this.#changeOne(group, signal)
      }
    }
  }

  #changeOne({ ledger, isStatic }: Group, signal: AbortSignal): void {
    const { random } = this.#simulation
    const running = this.#members.runningOf(ledger)
    const some = running[between(random, 0, running.length - 1)]!
    const draw = random.next()
    if (isStatic && draw < 0.45) this.#changeInstance(some, signal)
    else if (draw < 0.2 && running.length > 1) this.#members.crash(some)
    else if (draw < 0.4) this.#members.freeze(some)
    else if (draw < 0.65 && running.length > 1)
      void this.#members.stop(some) // its end is awaited with the others
    else if (running.length < 4) this.#members.join(ledger, isStatic)
  }

  /** A process of the same instance id comes while the first one runs, or after it, within its session or later. */
  #changeInstance(member: Member, signal: AbortSignal): void {
    const { random, clock } = this.#simulation
    const { sessionTimeoutMs } = this.#plan
    const { ledger, instanceId } = member
    const draw = random.next()
    if (draw < 0.25) {
      this.#coverage.met('second member of an instance id')
      this.#members.join(ledger, true, instanceId)
      return
    }
    const afterMs = between(random, 50, 2 * sessionTimeoutMs)
    const comeAgain = () => {
      clock.setTimer(afterMs, () => {
        if (signal.aborted) return
        const when = afterMs > sessionTimeoutMs ? 'beyond' : 'within'
        this.#coverage.met(`instance id comes again ${when} its session`)
        this.#members.join(ledger, true, instanceId)
      })
    }
    if (draw < 0.65) {
      this.#members.crash(member)
      comeAgain()
    } else this.#members.stop(member).then(comeAgain, () => undefined) // a stop that fails is reported by `allStopped`
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Until every group has committed everything there is to read. */
  async #catchUp(): Promise<void> {
    const { clock } = this.#simulation
    const until = clock.now() + (this.#plan.breaker === false ? catchUpLimitMs : floodLimitMs)
    // What was held at random is still on its way.
    const settledAt = clock.now() + ((this.#plan.nemesis.requestFaults ?? 0) > 0 ? 8_500 : 500)
    for (;;) {
      const missing = this.#groups.flatMap(({ ledger }) => ledger.unfinished())
      if (missing.length === 0 && clock.now() >= settledAt) return
      if (clock.now() > until) {
        this.#report('everything is handled and committed in time', `${missing.join('; ')}\n${this.#dump()}`)
        return
      }
      for (const { ledger, isStatic } of this.#groups)
        if (this.#members.runningOf(ledger).length === 0) this.#members.join(ledger, isStatic)
      await clock.sleep(checkEveryMs)
    }
  }

  async #within(limitMs: number, work: Promise<unknown>, promise: string): Promise<void> {
    const waiting = new AbortController()
    const late = this.#simulation.clock.sleep(limitMs, waiting.signal).then(
      () => this.#report(promise, `not after ${limitMs} ms\n${this.#dump()}`),
      () => undefined, // cancelled below
    )
    await Promise.race([work, late])
    waiting.abort(new Error('it ended'))
  }

  #report(invariant: string, detail: string): void {
    this.#simulation.note(`BROKEN ${invariant}: ${detail}`)
    if (this.#broken !== null) return
    this.#broken = new InvariantBroken(invariant, detail)
    this.#break(this.#broken)
  }

  #dump(): string {
    const { cluster } = this.#simulation
    const members = this.#members
      .all()
      .filter(({ state }) => state !== 'gone')
      .map(({ name, state, consumer }) => `${name} (${state}): ${JSON.stringify(consumer.facts())}`)
    const groups = cluster.groupIds().map((group) => `${group}: ${JSON.stringify(cluster.group(group))}`)
    const logs = this.#plan.topics.flatMap(({ name }) =>
      Array.from({ length: cluster.partitionCount(name) }, (_, partition) => {
        return `${name}-${partition}: ${JSON.stringify(cluster.partitionFacts(name, partition))}`
      }),
    )
    return [...members, ...groups, ...logs].join('\n')
  }
}

/** Offsets between the records that no record and no marker has. */
function holesIn(cluster: MemoryCluster, topic: string, partition: number): number {
  let holes = 0
  for (const { control, recordCount, count } of cluster.batches(topic, partition))
    if (control === 'none') holes += recordCount - count
  return holes
}
