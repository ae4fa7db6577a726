import type { RunningConsumer } from './clients.js'
import { SendError } from '../../src/errors.js'
import { tdHeader } from '../../src/message/headers.js'
import type { Message } from '../../src/message/message.js'
import type { TopicPartition } from '../../src/message/topic-partition.js'
import { partitionKey } from '../../src/message/topic-partition.js'
import type { Producer } from '../../src/producer/producer.js'
import type { Simulation } from '../../src/testing/simulate.js'
import type { SimulatedProcess } from '../../src/testing/simulate-process.js'
import { deadLetters, makeConsumer, makeProducer, topicNamed } from './clients.js'
import { GroupLedger, type Execution } from './group-ledger.js'
import { InvariantBroken } from './invariant.js'
import { between, chance, type Plan } from './plan.js'
import { idOf, SentLedger, valueOf, type SentCounts } from './sent-ledger.js'
import { watchedDriver } from './watched-driver.js'

/** All of this takes virtual time. */
const sendingLimitMs = 60_000
const catchUpLimitMs = 240_000
const checkEveryMs = 250

interface Member {
  readonly name: string
  readonly ledger: GroupLedger
  readonly process: SimulatedProcess
  readonly consumer: RunningConsumer
  state: 'running' | 'failed' | 'stopping' | 'gone'
}

/** One run: producers send and consumers handle while the cluster is disturbed; then all is healed, finished and checked. */
export class Scenario {
  readonly #plan: Plan
  readonly #simulation: Simulation
  readonly #sent: SentLedger
  readonly #poison = new Set<number>()
  readonly #groups: readonly GroupLedger[]
  readonly #members: Member[] = []
  readonly #stops: Promise<void>[] = []
  #born = 0
  #broken: InvariantBroken | null = null
  #break: (broken: InvariantBroken) => void = () => undefined
  readonly #whenBroken = new Promise<never>((_, reject) => {
    this.#break = reject
  })

  constructor(plan: Plan, simulation: Simulation) {
    this.#plan = plan
    this.#simulation = simulation
    this.#sent = new SentLedger(simulation.cluster)
    this.#groups = plan.groups.map(
      ({ name }) =>
        new GroupLedger(
          name,
          simulation.cluster,
          plan,
          (group, place, offset) => this.#isDeadLettered(group, place, offset),
          (invariant, detail) => this.#report(invariant, detail),
        ),
    )
    this.#whenBroken.catch(() => undefined) // it is raced below
  }

  ledgerOf(client: string): { readonly ledger: GroupLedger; readonly consumer: string } | null {
    const consumer = client.slice(0, client.indexOf('-'))
    const member = this.#members.find(({ name }) => name === consumer)
    return member === undefined ? null : { ledger: member.ledger, consumer }
  }

  async run(): Promise<{
    readonly sent: SentCounts
    readonly handled: number
    readonly repeated: number
    readonly commits: number
  }> {
    await Promise.race([this.#run(), this.#whenBroken])
    if (this.#broken !== null) throw this.#broken
    const created = new Map(this.#plan.topics.map(({ name, partitions }) => [name, partitions]))
    const sent = this.#sent.check(this.#plan.profile, created, (invariant, detail) => this.#report(invariant, detail))
    for (const ledger of this.#groups) ledger.checkEnd()
    if (this.#broken !== null) throw this.#broken as InvariantBroken
    const sum = (count: (ledger: GroupLedger) => number) =>
      this.#groups.reduce((total, ledger) => total + count(ledger), 0)
    return {
      sent,
      handled: sum(({ handled }) => handled),
      repeated: sum(({ repeated }) => repeated),
      commits: sum(({ commits }) => commits),
    }
  }

  async #run(): Promise<void> {
    const { cluster, nemesis } = this.#simulation
    for (const { name, partitions } of this.#plan.topics) cluster.createTopic(name, { partitions })
    cluster.createTopic(deadLetters, { partitions: 2 })
    nemesis.start()
    const changing = new AbortController()
    const changes = this.#changeMembers(changing.signal)
    await this.#within(sendingLimitMs, this.#sendAll(), 'every send ends by its deadline')
    changing.abort()
    await changes
    nemesis.heal()
    await this.#catchUp()
    for (const member of [...this.#members]) this.#stop(member)
    await this.#within(sendingLimitMs, Promise.all(this.#stops), 'every stop ends by its deadline')
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
    await messaging.close({ deadlineMs: 5_000 })
  }

  #makeProducer(name: string) {
    const process = this.#simulation.process(name)
    return { process, ...makeProducer(process.driver, name, this.#plan) }
  }

  async #send(process: SimulatedProcess, producer: Producer, name: string): Promise<void> {
    const { random, note } = this.#simulation
    const { topics, keys, poison } = this.#plan
    const topic = topics[between(random, 0, topics.length - 1)]!.name
    const key = `key-${between(random, 1, keys)}`
    const record = this.#sent.send(process.name, topic, key)
    if (chance(random, poison)) this.#poison.add(record.id)
    try {
      const receipt = await producer.send(topicNamed(topic), valueOf(record.id), { key })
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
    for (const [index, { consumers }] of this.#plan.groups.entries()) {
      for (let count = 0; count < consumers; count += 1) this.#join(this.#groups[index]!)
    }
    while (!signal.aborted) {
      await clock.sleep(200 + 2_500 * random.next())
      for (const ledger of this.#groups) {
        if (!this.#runningOf(ledger).some(Boolean)) this.#join(ledger)
        else if (this.#plan.consumerChanges && chance(random, 0.5)) this.#changeOne(ledger)
      }
    }
  }

  #changeOne(ledger: GroupLedger): void {
    const { random } = this.#simulation
    const running = this.#runningOf(ledger)
    const some = running[between(random, 0, running.length - 1)]!
    const draw = random.next()
    if (draw < 0.2 && running.length > 1) this.#crash(some)
    else if (draw < 0.4) this.#freeze(some)
    else if (draw < 0.65 && running.length > 1) this.#stop(some)
    else if (running.length < 4) this.#join(ledger)
  }

  #runningOf(ledger: GroupLedger): Member[] {
    return this.#members.filter((member) => member.ledger === ledger && member.state === 'running')
  }

  #join(ledger: GroupLedger): void {
    const name = `c${(this.#born += 1)}`
    const process = this.#simulation.process(name)
    const consumer = makeConsumer(watchedDriver(process.driver, name, ledger), name, ledger.group, this.#plan, {
      handle: (messages) => this.#handle(ledger, process, messages),
      drained: (report) => {
        this.#simulation.note(`${name} drained ${JSON.stringify(report)}`)
        ledger.drained(name, report)
      },
      partitionStopped: ({ topic, partition }, error) =>
        this.#report('no partition stops by itself', `${name} stopped ${topic}-${partition}: ${error.message}`),
      failed: (error) => this.#failed(member, error),
    })
    const member: Member = { name, ledger, process, consumer, state: 'running' }
    this.#members.push(member)
    this.#simulation.note(`${name} joins ${ledger.group}`)
    consumer.start().catch((error: unknown) => {
      this.#simulation.note(`${name} could not start: ${String(error)}`)
      if (member.state !== 'running') return
      member.state = 'failed'
      this.#stops.push(consumer.stop())
    })
  }

  #failed(member: Member, error: Error): void {
    this.#simulation.note(`${member.name} failed: ${error.message}`)
    // A start that takes too long may fail; after that only what does not pass may end a consumer.
    if (member.state === 'running' && 'code' in error && error.code === 'start-timeout') return
    this.#report('a fault that passes does not end a consumer', `${member.name}: ${error.message}`)
  }

  #crash(member: Member): void {
    this.#simulation.note(`${member.name} crashes`)
    member.state = 'gone'
    member.process.crash()
    member.ledger.crashed(member.name)
  }

  #freeze(member: Member): void {
    const forMs = between(this.#simulation.random, 100, 2 * this.#plan.sessionTimeoutMs)
    this.#simulation.note(`${member.name} stands still for ${forMs} ms`)
    member.process.freeze(forMs)
  }

  #stop(member: Member): void {
    if (member.state !== 'running') return
    this.#simulation.note(`${member.name} stops`)
    member.state = 'stopping'
    const stopped = new Promise<void>((resolve, reject) => {
      member.process.run(() => void member.consumer.stop().then(resolve, reject))
    })
    this.#stops.push(
      stopped.then(() => {
        member.state = 'gone'
        this.#simulation.note(`${member.name} has stopped`)
      }),
    )
  }

  #handle(ledger: GroupLedger, process: SimulatedProcess, messages: readonly Message<string>[]) {
    const { random, note } = this.#simulation
    const { maxHandlerMs, slowHandlers } = this.#plan
    const call = ledger.newCall()
    const executions = messages.map((message) => {
      note(`${process.name} handles ${partitionKey(message.topic, message.partition)}@${message.offset}`)
      return ledger.started(process.name, call, message)
    })
    const isSlow = chance(random, slowHandlers)
    const isSync = chance(random, 0.2)
    const durationMs = isSlow ? between(random, 500, 8_000) : between(random, 0, maxHandlerMs)
    if (isSync) return this.#endHandler(ledger, executions)
    return this.#endLater(process, ledger, executions, durationMs)
  }

  /** A handler that is given up goes on; one whose process crashed never ends. */
  #endLater(
    process: SimulatedProcess,
    ledger: GroupLedger,
    executions: readonly Execution[],
    durationMs: number,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        try {
          resolve(this.#endHandler(ledger, executions))
        } catch (error) {
          reject(error as Error)
        }
      }
      this.#simulation.clock.setTimer(durationMs, () => process.run(end))
    })
  }

  #endHandler(ledger: GroupLedger, executions: readonly Execution[]): void {
    const isPoison = executions.some(({ text }) => this.#poison.has(idOf(Buffer.from(text)) ?? -1))
    for (const execution of executions) ledger.ended(execution, isPoison ? 'failed' : 'done')
    if (isPoison) throw new Error('this cannot be handled')
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Until every group has committed everything there is to read. */
  async #catchUp(): Promise<void> {
    const { clock } = this.#simulation
    const until = clock.now() + catchUpLimitMs
    // What was held at random is still on its way.
    const settledAt = clock.now() + ((this.#plan.nemesis.requestFaults ?? 0) > 0 ? 8_500 : 500)
    for (;;) {
      const missing = this.#groups.flatMap((ledger) => ledger.unfinished())
      if (missing.length === 0 && clock.now() >= settledAt) return
      if (clock.now() > until) {
        this.#report('everything is handled and committed in time', `${missing.join('; ')}\n${this.#dump()}`)
        return
      }
      for (const ledger of this.#groups) if (this.#runningOf(ledger).length === 0) this.#join(ledger)
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

  #isDeadLettered(group: string, { topic, partition }: TopicPartition, offset: number): boolean {
    const { cluster } = this.#simulation
    const origin = `${group} ${topic} ${partition} ${offset}`
    const partitions = Array.from({ length: cluster.partitionCount(deadLetters) }, (_, index) => index)
    return partitions.some((lettered) =>
      cluster.records(deadLetters, lettered).some(({ headers }) => {
        const text = (name: string) => headers.find((header) => header[0] === name)?.[1]?.toString() ?? ''
        const place = `${text(tdHeader.originTopic)} ${text(tdHeader.originPartition)} ${text(tdHeader.originOffset)}`
        return `${text(tdHeader.group)} ${place}` === origin
      }),
    )
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
