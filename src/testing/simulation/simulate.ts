import type { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import { createMemoryCluster, type MemoryCluster } from '../../drivers/memory/memory-cluster.js'
import type { MemoryClusterOptions } from '../../drivers/memory/memory-options.js'
import { ConfigError, TidemarkError } from '../../errors.js'
import { came } from '../../input/came.js'
import { given } from '../../input/given.js'
import { optionIssues, wholeNumber, type Rule, type Rules } from '../../input/option-rules.js'
import { isRecord } from '../../input/shapes.js'
import { seededRandom, type Random } from '../../runtime/random.js'
import type { Runtime } from '../../runtime/runtime.js'
import { virtualClock, type VirtualClock } from '../time/virtual-clock.js'
import { Nemesis, type NemesisOptions } from './nemesis.js'
import { SimulatedProcess, type ProcessObserver } from './process.js'
import { SimulationTrace } from './trace.js'

/** What `simulate` is given. */
export interface SimulationOptions {
  /** Default: three brokers, round trips of 1 to 10 ms, groups with short timeouts allowed. */
  readonly cluster?: Omit<MemoryClusterOptions, 'runtime'> | undefined
  /** How the cluster is disturbed once the scenario calls `nemesis.start()`. */
  readonly nemesis?: NemesisOptions | undefined
  /** Virtual time after which the scenario counts as stuck. Default one hour. */
  readonly limitMs?: number | undefined
  /** Told of every line of the trace, with its virtual time. */
  readonly onEvent?: ((event: string) => void) | undefined
  /** @internal Told of every request and answer, besides the trace. */
  readonly observer?: Partial<ProcessObserver>
}

/** What a scenario has at hand. */
export interface Simulation {
  readonly seed: number
  readonly clock: VirtualClock
  readonly cluster: MemoryCluster
  readonly nemesis: Nemesis
  /** For the scenario's own draws; the product and the nemesis draw elsewhere, so these repeat whatever they do. */
  readonly random: Random
  /** Clients made from its driver crash together. */
  process(name: string): SimulatedProcess
  /** Adds a line to the trace. */
  note(event: string): void
}

/** How a simulated run went; times in virtual milliseconds. */
export interface SimulationReport {
  readonly seed: number
  /** Equal for equal runs. */
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly disturbances: number
}

/** A scenario failed, got stuck or left something running. The message tells how, and ends with the last events. */
export class SimulationError extends TidemarkError {
  override readonly name = 'SimulationError'
  constructor(
    readonly seed: number,
    readonly reason: string,
    readonly lastEvents: readonly string[],
    readonly hash: string,
    cause: unknown,
  ) {
    super('simulation-failed', `seed ${seed}: ${reason}\nLast events:\n${lastEvents.join('\n')}`, { cause })
  }
}

const lastEventsTold = 40

const anObject: Rule = { expected: 'an object of options', accepts: isRecord }

const optionRules: Rules<SimulationOptions> = {
  cluster: anObject,
  nemesis: anObject,
  observer: anObject,
  limitMs: { expected: 'milliseconds above 0', accepts: (value) => typeof value === 'number' && value > 0 },
  onEvent: { expected: 'a function: (event) => …', accepts: (value) => typeof value === 'function' },
}

/**
 * Runs a scenario against an in-process cluster in virtual time. Everything that happens follows from the seed, so a run
 * that failed fails again in the same way. The scenario closes what it opens; what is left then is a failure.
 *
 * @example
 * await simulate(4711, async ({ process, cluster, nemesis }) => {
 *   cluster.createTopic('orders', { partitions: 3 })
 *   const messaging = createMessaging({ driver: process('shop').driver })
 *   nemesis.start()
 *   await messaging.producer().send(orders, order)
 *   nemesis.heal()
 *   await messaging.close()
 * })
 * @throws SimulationError
 * @throws ConfigError when it cannot be run
 */
export async function simulate(
  seed: number,
  scenario: (simulation: Simulation) => Promise<void>,
  options: SimulationOptions = {},
): Promise<SimulationReport> {
  requireRun(seed, scenario, options)
  const clock = virtualClock()
  const start = clock.now()
  const trace = new SimulationTrace(lastEventsTold)
  const runtime: Runtime = { clock, random: seededRandom(seed) }
  const brokers = options.cluster?.brokers ?? 3
  const cluster = createMemoryCluster({
    brokers,
    latencyMs: [1, 10],
    minSessionTimeoutMs: 1,
    ...given(options.cluster ?? {}),
    runtime,
  })
  const note = (event: string) => {
    const line = `${clock.now() - start} ${event}`
    trace.note(line)
    options.onEvent?.(line)
  }
  const nemesis = new Nemesis(cluster, clock, brokers, seededRandom(seed ^ 0x5bd1e995), options.nemesis ?? {}, note)
  const observer = tracing(note, options.observer ?? {})
  const processes: SimulatedProcess[] = []
  const simulation: Simulation = {
    seed,
    clock,
    cluster,
    nemesis,
    random: seededRandom(seed ^ 0x2545f491),
    note,
    process: (name) => {
      const process = new SimulatedProcess(name, cluster.connectionFactory(), runtime, observer)
      processes.push(process)
      return process
    },
  }
  try {
    await clock.runUntil(scenario(simulation), { limitMs: options.limitMs ?? 3_600_000 })
    nemesis.heal()
    await clock.advance(settleMs)
    for (const process of processes) requireNothingLeft(process)
    await cluster.close()
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure)
    throw new SimulationError(seed, reason, trace.tail(), trace.hash, failure)
  }
  return {
    seed,
    hash: trace.hash,
    events: trace.count,
    virtualMs: clock.now() - start,
    disturbances: nemesis.done,
  }
}

/** For what is settled by an answer that was on its way. */
const settleMs = 50

function requireNothingLeft({ name, openConnections, pendingTimers }: SimulatedProcess): void {
  if (openConnections > 0) {
    throw new TidemarkError(
      'connections-left',
      `${openConnections} connection(s) of ${name} are still open after the end`,
    )
  }
  if (pendingTimers > 0) {
    throw new TidemarkError('timers-left', `${pendingTimers} timer(s) of ${name} are still set after the end`)
  }
}

function tracing(note: (event: string) => void, told: Partial<ProcessObserver>): ProcessObserver {
  return {
    asked: (client, request) => {
      note(`${client} > ${described(request)}`)
      told.asked?.(client, request)
    },
    answered: (client, request, answer) => {
      note(`${client} < ${request.api} ${codesOf(answer)}`)
      told.answered?.(client, request, answer)
    },
    failed: (client, request, error: RequestError) => {
      note(`${client} ! ${request.api} ${error.failure} (sent: ${error.sent})`)
      told.failed?.(client, request, error)
    },
  }
}

function described(request: Request): string {
  switch (request.api) {
    case 'produce':
      return `produce${request.batches.map((batch) => ` ${batch.topic}-${batch.partition} x${batch.records.count} id ${batch.producerId}/${batch.producerEpoch} seq ${batch.baseSequence}`).join(',')}`
    case 'fetch':
      return `fetch${request.partitions.map((at) => ` ${at.topic}-${at.partition}@${at.fetchOffset}`).join('')}`
    case 'offsetCommit':
      return `offsetCommit gen ${request.generationId}${request.partitions.map((at) => ` ${at.topic}-${at.partition}@${at.offset}`).join('')}`
    case 'heartbeat':
    case 'syncGroup':
      return `${request.api} gen ${request.generationId}`
    default:
      return request.api
  }
}

function codesOf(answer: AnswerTo<Request>): string {
  const own = 'errorCode' in answer ? String(answer.errorCode) : ''
  if (!('partitions' in answer)) return own
  const codes = answer.partitions.map((partition) => ('errorCode' in partition ? partition.errorCode : ''))
  return `${own} [${codes.join(' ')}]`
}

function requireRun(seed: unknown, scenario: unknown, options: unknown): void {
  const issues = optionIssues(options, optionRules)
  const seeds = wholeNumber(0)
  if (!seeds.accepts(seed)) issues.push({ path: 'seed', message: came(seed), fix: `write ${seeds.expected}` })
  if (typeof scenario !== 'function') {
    issues.push({ path: 'scenario', message: came(scenario), fix: 'write async ({ process, cluster }) => { … }' })
  }
  if (issues.length > 0) throw new ConfigError('simulate', issues)
}
