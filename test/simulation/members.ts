import type { SeekTarget } from '../../src/consumer/consumer.js'
import { BatchFailure, Discard, Unavailable } from '../../src/consumer/handling/fate.js'
import type { HandlerContext } from '../../src/consumer/handling/handler.js'
import { FencedError, StateError, TidemarkError } from '../../src/errors.js'
import type { Message } from '../../src/message/message.js'
import { partitionKey, type TopicPartition } from '../../src/message/topic-partition.js'
import type { SimulatedProcess } from '../../src/testing/simulation/process.js'
import type { Simulation } from '../../src/testing/simulation/simulate.js'
import { makeConsumer, type RunningConsumer } from './clients.js'
import type { Coverage } from './coverage.js'
import { EventOrderWatch } from './event-order.js'
import { FailureWatch } from './failure-watch.js'
import { oddThing, type ForeignCode } from './foreign-code.js'
import type { GroupLedger } from './group-ledger.js'
import type { Report } from './invariant.js'
import type { LoneLedger } from './lone-ledger.js'
import { SimulatedDedupe } from './simulated-dedupe.js'
import { SimulatedHooks } from './simulated-hooks.js'
import { between, chance, type Plan } from './plan.js'
import type { Poison } from './poison.js'
import { idOf } from './sent-ledger.js'
import type { Execution } from './tenures.js'
import type { Traffic } from './traffic.js'
import { watchedDriver } from './watched-driver.js'

export type ReadLedger = GroupLedger | LoneLedger

export interface Member {
  readonly name: string
  readonly ledger: ReadLedger
  readonly instanceId: string | null
  readonly process: SimulatedProcess
  readonly consumer: RunningConsumer
  readonly failures: FailureWatch
  state: 'running' | 'failed' | 'stopping' | 'gone'
}

/** What the warning of a jump tells. */
interface Jump extends TopicPartition {
  readonly position: number
  readonly logStart: number
  readonly logEnd: number
  readonly to: number
  readonly cutFrom: number | null
}

/** What the warning of a reset tells. */
interface ToldReset extends TopicPartition {
  readonly from: number
  readonly to: number
  readonly reason: string
}

interface MembersTools {
  readonly plan: Plan
  readonly simulation: Simulation
  readonly coverage: Coverage
  readonly poison: Poison
  readonly foreign: ForeignCode
  readonly traffic: Traffic
  readonly report: Report
}

/** The consumers of a run: they join, crash, stand still, stop and come again, and handle what they are given. */
export class Members {
  readonly #tools: MembersTools
  readonly #all: Member[] = []
  readonly #stops: Promise<void>[] = []
  readonly #dedupe: SimulatedDedupe
  readonly #startedAt: number
  readonly #order: EventOrderWatch
  #born = 0
  /** How many seeks and restarts were asked for. */
  movesAsked = 0

  constructor(tools: MembersTools) {
    this.#tools = tools
    this.#dedupe = new SimulatedDedupe(tools)
    this.#startedAt = tools.simulation.clock.now()
    this.#order = new EventOrderWatch(tools.plan.reorder?.order ?? 'combined', tools.coverage, tools.report)
  }

  all(): readonly Member[] {
    return this.#all
  }

  runningOf(ledger: ReadLedger): Member[] {
    return this.#all.filter((member) => member.ledger === ledger && member.state === 'running')
  }

  named(name: string): Member | undefined {
    return this.#all.find((member) => member.name === name)
  }

  /** Resolved when everyone who was told to stop has. */
  async allStopped(): Promise<void> {
    await Promise.all(this.#stops)
  }

  join(ledger: ReadLedger, isStatic: boolean, instanceId = isStatic ? `instance-${this.#born + 1}` : null): Member {
    const { simulation, plan, traffic, foreign, coverage } = this.#tools
    const name = `c${(this.#born += 1)}`
    const process = simulation.process(name)
    const hooks = new SimulatedHooks(process, simulation, coverage, saysStarts(plan))
    const driver = watchedDriver(
      process.driver,
      name,
      ledger,
      () => traffic.of(name),
      (place, offset) => hooks.isStart(place, offset),
    )
    const failures = new FailureWatch(name, {
      ...{ plan, coverage, report: this.#tools.report },
      now: () => simulation.clock.now(),
      tenureOf: (place) => ledger.tenures.of(name, place),
    })
    const consumer = makeConsumer(driver, name, { group: ledger.group, instanceId, born: this.#born }, plan, foreign, {
      dedupe: this.#dropsRepeats(ledger) ? this.#dedupe.storeFor(process) : undefined,
      onAssigned: hooks.onAssigned,
      onRevoked: hooks.onRevoked,
      looped: (what) => coverage.met(what),
      handle: (messages, context) => this.#handle(ledger, process, failures, messages, context),
      heard: (event) => failures.heard(event),
      drained: (report) => {
        simulation.note(`${name} drained ${JSON.stringify(report)}`)
        ledger.tenures.drained(name, report)
      },
      partitionStopped: (place, error) => this.#partitionStopped(member, place, error),
      failed: (error) => this.#failed(member, error),
      warned: (fields) => this.#warned(member, fields),
    })
    const member: Member = { name, ledger, instanceId, process, consumer, failures, state: 'running' }
    this.#all.push(member)
    simulation.note(`${name} joins ${String(ledger.group)}${instanceId === null ? '' : ` as ${instanceId}`}`)
    consumer.start().catch((error: unknown) => {
      simulation.note(`${name} could not start: ${String(error)}`)
      if (member.state !== 'running') return
      if (error instanceof FencedError) this.#fenced(member)
      this.#end(member)
    })
    return member
  }

  crash(member: Member): void {
    this.#tools.simulation.note(`${member.name} crashes`)
    this.#tools.coverage.met('member crashed')
    member.state = 'gone'
    member.process.crash()
    member.ledger.tenures.crashed(member.name)
  }

  freeze(member: Member): void {
    const { simulation, plan, coverage } = this.#tools
    const forMs = between(simulation.random, 100, 2 * plan.sessionTimeoutMs)
    simulation.note(`${member.name} stands still for ${forMs} ms`)
    coverage.met(`member stood still ${forMs > plan.sessionTimeoutMs ? 'past' : 'within'} its session`)
    member.process.freeze(forMs)
  }

  async stop(member: Member): Promise<void> {
    if (member.state !== 'running') return
    this.#tools.simulation.note(`${member.name} stops`)
    this.#tools.coverage.met('member stopped')
    member.state = 'stopping'
    const stopped = new Promise<void>((resolve, reject) => {
      member.process.run(() => void member.consumer.stop().then(resolve, reject))
    }).then(() => {
      member.state = 'gone'
      this.#tools.simulation.note(`${member.name} has stopped`)
    })
    this.#stops.push(stopped)
    await stopped
  }

  /** By its user, when its process runs. What the consumer refuses because of its state is no fault. */
  async seek(member: Member, { topic, partition }: TopicPartition, target: SeekTarget): Promise<boolean> {
    const { simulation, coverage, report } = this.#tools
    this.movesAsked += 1
    const to = typeof target === 'number' ? String(target) : `time ${target.timestamp}`
    simulation.note(`${member.name} seeks ${topic}-${partition} to ${to}`)
    try {
      await member.consumer.seek(topic, partition, target)
      return true
    } catch (error) {
      simulation.note(`${member.name} could not seek: ${String(error)}`)
      const code = error instanceof TidemarkError ? error.code : String(error)
      coverage.met(`seek refused: ${code}`)
      const mayFail = error instanceof StateError || typeof target !== 'number'
      if (!mayFail) report('a seek fails only with the assignment', `${member.name}: ${String(error)}`)
      return false
    }
  }

  /** Somebody has looked at what stopped it. What the consumer refuses because of its state is no fault. */
  async #restart(member: Member, { topic, partition }: TopicPartition): Promise<void> {
    const { simulation, coverage, report } = this.#tools
    this.movesAsked += 1
    simulation.note(`${member.name} starts ${topic}-${partition} again`)
    try {
      await member.consumer.restart(topic, partition)
      coverage.met('partition restarted')
    } catch (error) {
      if (!(error instanceof StateError)) report('a restart fails only with the assignment', String(error))
    }
  }

  // ── What consumers tell ───────────────────────────────────────────────────────────────────────────────────────────

  #failed(member: Member, error: Error): void {
    this.#tools.simulation.note(`${member.name} failed: ${error.message}`)
    if (error instanceof FencedError) {
      this.#fenced(member)
      if (member.state === 'running') this.#end(member)
      return
    }
    // A start that takes too long may fail; after that only what does not pass may end a consumer.
    if ('code' in error && error.code === 'start-timeout') return
    this.#tools.report('a fault that passes does not end a consumer', `${member.name}: ${error.message}`)
  }

  /**
   * Only another one of the same instance id may do that, or a coordinator that took over and knows but the member id
   * that this one had before.
   */
  #fenced({ name, instanceId }: Member): void {
    this.#tools.coverage.met('member fenced')
    const others = this.#all.filter((member) => member.instanceId === instanceId)
    const { counts } = this.#tools.simulation.nemesis
    const coordinatorsMoved = (counts['move-coordinator'] ?? 0) + (counts['restart-broker'] ?? 0) > 0
    if (instanceId === null || (others.length < 2 && !coordinatorsMoved))
      this.#tools.report('only a second member of an instance id fences the first', name)
  }

  #end(member: Member): void {
    member.state = 'failed'
    this.#stops.push(member.consumer.stop())
  }

  #partitionStopped(member: Member, place: TopicPartition, error: TidemarkError): void {
    const { plan, simulation, coverage, report } = this.#tools
    const { cluster, random, clock } = simulation
    const { topic, partition } = place
    simulation.note(`${member.name} stopped ${topic}-${partition}: ${error.message}`)
    member.failures.stopped(place, error)
    const isLetter =
      (plan.afterwards === 'stop' && error.code === 'stopped-behind') ||
      (plan.breaker !== false && error.code === 'flood')
    if (isLetter) {
      coverage.met(`partition stopped: ${error.code}`)
      clock.setTimer(between(random, 0, 1_500), () => member.process.run(() => void this.#restart(member, place)))
      return
    }
    const isFailure = plan.failing === 'stop' && error.code === 'handler-failed'
    // A user who sought a place of the former log finds none there in a shorter one made anew.
    const mayLose = plan.retention || plan.uncleanElections || plan.remadeTopic === topic
    const isOutOfRange = plan.onOutOfRange === 'stop' && mayLose && error.code === 'offset-out-of-range'
    const isAnother = plan.onOutOfRange === 'stop' && plan.remadeTopic === topic && error.code === 'topic-recreated'
    if (!isFailure && !isOutOfRange && !isAnother) {
      report('no partition stops by itself', `${member.name} stopped ${topic}-${partition}: ${error.message}`)
      return
    }
    coverage.met(`partition stopped: ${error.code}`)
    clock.setTimer(between(random, 0, 1_500), () =>
      member.process.run(() => {
        const exists = partition < cluster.partitionCount(topic)
        const start = exists ? cluster.partitionFacts(topic, partition).logStartOffset : 0
        void this.seek(member, place, isFailure ? Math.max(start, error.offset ?? start) : start)
      }),
    )
  }

  /** A jump out of range is never silent. */
  #warned(member: Member, fields: object): void {
    if ('event' in fields && fields.event === 'topic-made-anew')
      this.#readsAnew(member, fields as unknown as TopicPartition)
    if ('from' in fields && 'reason' in fields) this.#wasReset(member, fields as unknown as ToldReset)
    if (!('logStart' in fields)) return
    const jump = fields as unknown as Jump
    const { topic, partition, position, logStart, logEnd, to, cutFrom } = jump
    const { plan, coverage, report } = this.#tools
    coverage.met(`jump out of range: ${plan.onOutOfRange}`)
    const target = { earliest: Math.max(logStart, cutFrom ?? 0), latest: logEnd, stop: null }[plan.onOutOfRange]
    if (to !== target) report('a jump out of range goes where the user said', `${member.name}: ${JSON.stringify(jump)}`)
    member.ledger.jumped(member.name, { topic, partition }, { from: cutFrom ?? position, to })
  }

  /**
   * Its log is read from the beginning. A member that a broker which lags told of a former topic takes the group's commits
   * for those of a log that is gone, and says so: what is repeated then was told, though nobody's drain reports it.
   */
  #readsAnew({ name, ledger }: Member, { topic, partition }: TopicPartition): void {
    this.#tools.coverage.met('reading anew was told')
    ledger.tenures.leads(name, { topic, partition }, 0)
  }

  /** Of another log nothing is told by offsets. */
  #wasReset({ name, ledger }: Member, { topic, partition, from, to, reason }: ToldReset): void {
    if (reason !== 'topic-made-anew') ledger.jumped(name, { topic, partition }, { from, to })
  }

  // ── What handlers do ──────────────────────────────────────────────────────────────────────────────────────────────

  #handle(
    ledger: ReadLedger,
    process: SimulatedProcess,
    failures: FailureWatch,
    messages: readonly Message<string>[],
    context: HandlerContext,
  ): void | Promise<void> {
    const { simulation, plan, poison, coverage } = this.#tools
    const { random, note } = simulation
    if (this.#dropsRepeats(ledger)) this.#dedupe.calledFor(process, context)
    const call = ledger.tenures.newCall()
    if (plan.reorder !== null) {
      const order = this.named(process.name)?.consumer.facts().order ?? null
      this.#order.starts(process.name, messages, context, ledger.tenures.runningAt(process.name), order)
    }
    coverage.met(`${plan.handling} by ${plan.order}`)
    const executions = messages.map((message) => {
      note(`${process.name} handles ${partitionKey(message.topic, message.partition)}@${message.offset}`)
      failures.started(message, message.offset)
      if (ledger.group !== null) ledger.begins(message, message.offset, message.key)
      return ledger.tenures.started(process.name, call, message, context)
    })
    const isSlow = chance(random, plan.slowHandlers)
    const isSync = chance(random, 0.2)
    const durationMs = isSlow ? between(random, 500, 8_000) : between(random, 0, plan.maxHandlerMs)
    // Given up as failed: it may go on, and what it says then is nothing to anybody.
    context.signal.addEventListener('abort', () => failures.failed(messages[0]!), { once: true })
    const ids = executions.map(({ text }) => idOf(Buffer.from(text)))
    const failsAt = ids.findIndex((id) => poison.strikes(ledger, id))
    if (isSync) return this.#endHandler(ledger, failures, executions, failsAt)
    return this.#endLater(process, ledger, failures, executions, failsAt, durationMs)
  }

  /** A handler that is given up goes on, unless it minds its signal; one whose process crashed never ends. */
  #endLater(
    process: SimulatedProcess,
    ledger: ReadLedger,
    failures: FailureWatch,
    executions: readonly Execution[],
    failsAt: number,
    durationMs: number,
  ): Promise<void> {
    const { simulation, plan, coverage } = this.#tools
    const signal = executions[0]!.context.signal
    return new Promise((resolve, reject) => {
      const end = () => {
        try {
          resolve(this.#endHandler(ledger, failures, executions, failsAt))
        } catch (error) {
          reject(error as Error)
        }
      }
      const timer = simulation.clock.setTimer(durationMs, () => process.run(end))
      if (plan.onAbort === 'goes-on') return
      signal.addEventListener('abort', () => {
        if (executions[0]!.end !== 'running') return
        timer.cancel()
        coverage.met(`handler ${plan.onAbort} when its signal aborts`)
        for (const execution of executions) ledger.tenures.ended(execution, 'failed')
        if (plan.onAbort === 'returns') resolve()
        else reject(signal.reason as Error)
      })
    })
  }

  /** @param failsAt the index of the record that cannot be handled; -1 when all can */
  #endHandler(ledger: ReadLedger, failures: FailureWatch, executions: readonly Execution[], failsAt: number): void {
    const { plan, coverage } = this.#tools
    if (this.#isDown) {
      for (const execution of executions) {
        ledger.tenures.ended(execution, 'failed')
        failures.failed(execution)
      }
      coverage.met(`dependency down: ${plan.down?.says}`)
      throw plan.down?.says === 'unavailable' ? new Unavailable('it is down') : new Error('no connection')
    }
    const isInTransaction = plan.dedupe === 'in-transaction' && ledger.group !== null
    if (isInTransaction && failsAt === -1) this.#commit(ledger, executions)
    const isPartial = plan.partialBatches && executions.length > 1 && !isInTransaction
    const isDiscarded = plan.failing === 'discard' && (isPartial || executions.length === 1)
    for (const [index, execution] of executions.entries()) {
      const isBefore = failsAt === -1 || (isPartial && index < failsAt)
      const end = index === failsAt && isDiscarded ? 'discarded' : 'failed'
      ledger.tenures.ended(execution, isBefore ? 'done' : end)
      if (execution.end === 'done' || execution.end === 'discarded') failures.handled(execution)
      else failures.failed(execution)
    }
    if (failsAt === -1) return
    coverage.met(`handler failed: ${plan.failing}`)
    if (!isPartial) throw this.#failure()
    coverage.met('batch failed at a message')
    throw new BatchFailure(failsAt, this.#failure())
  }

  /** Without a group nothing says whose the marks would be. */
  #dropsRepeats({ group }: ReadLedger): boolean {
    return this.#tools.plan.dedupe !== 'none' && group !== null
  }

  #commit(ledger: ReadLedger, executions: readonly Execution[]): void {
    try {
      this.#dedupe.commit(executions[0]!.context)
    } catch (error) {
      for (const execution of executions) ledger.tenures.ended(execution, 'failed')
      throw error
    }
  }

  #failure(): unknown {
    const { plan, coverage, simulation } = this.#tools
    if (plan.failing === 'discard') return new Discard('this is not wanted')
    if (!plan.oddErrors) return new Error('this cannot be handled')
    coverage.met('handler throws what is no error')
    return oddThing(simulation.random.next())
  }

  get #isDown(): boolean {
    const { plan, simulation } = this.#tools
    if (plan.down === null) return false
    const at = simulation.clock.now() - this.#startedAt
    return at >= plan.down.fromMs && at < plan.down.fromMs + plan.down.forMs
  }
}

/** What a store that is a little behind says is in the log, where nothing of logs is lost. */
function saysStarts({ retention, uncleanElections, remadeTopic, doomedTopic }: Plan): boolean {
  return !retention && !uncleanElections && remadeTopic === null && doomedTopic === null
}
