import type { Request } from '../../../connection/requests/apis.js'
import type { Broker, Reply } from '../broker/broker.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { FaultRules, Interference } from './fault-rules.js'
import { refuse } from './refusal.js'
import { TurnQueue } from './turn-queue.js'

/** A connection as its broker sees it. */
export interface ServedSocket {
  /** The broker died: nothing more arrives or comes back. */
  brokerGone(): void
}

/** One-way delays between clients and brokers, and which brokers can be heard at the moment. */
export class Network {
  readonly #turns: TurnQueue
  readonly #sockets = new Map<number, Set<ServedSocket>>()
  /** What waits for a silent broker to be heard again, by broker. */
  readonly #silent = new Map<number, (() => void)[]>()
  readonly #turningAway = new Set<number>()

  constructor(
    readonly cluster: ClusterState,
    private readonly brokers: readonly Broker[],
    private readonly rules: FaultRules,
    private readonly latencyMs: readonly [min: number, max: number],
    private readonly onFault: (kind: Exclude<Interference['kind'], 'none'>) => void,
  ) {
    this.#turns = new TurnQueue(cluster.runtime.clock)
    for (const { node } of brokers) this.#sockets.set(node, new Set())
  }

  get clock() {
    return this.cluster.runtime.clock
  }

  /** What happens to a request that is sent now. */
  interferenceWith(node: number, request: Request, client: string): Interference {
    const interference = this.rules.decide(node, request, client)
    if (interference.kind !== 'none') this.onFault(interference.kind)
    return interference
  }

  /** Runs `arrive` at the other end of the wire. */
  transmit(arrive: () => void, extraMs = 0): void {
    const [min, max] = this.latencyMs
    const roundTripMs = min === max ? min : min + (max - min) * this.cluster.runtime.random.next()
    const delayMs = roundTripMs / 2 + extraMs
    if (delayMs === 0) this.#turns.push(arrive)
    else this.clock.setTimer(delayMs, arrive)
  }

  /** Has the broker carry out a request, unless it is told to refuse it; a silent one does it when it is heard again. */
  serve(node: number, request: Request, client: string, interference: Interference, reply: Reply): void {
    this.whenHeard(node, () => {
      if (interference.kind === 'refuse') reply(refuse(this.cluster, request, interference.errorCode))
      else this.brokers[node]!.handle(request, client, reply)
    })
  }

  whenHeard(node: number, run: () => void): void {
    const waiting = this.#silent.get(node)
    if (waiting === undefined) run()
    else waiting.push(run)
  }

  silence(node: number): void {
    if (!this.#silent.has(node)) this.#silent.set(node, [])
  }

  endSilence(node: number): void {
    const waiting = this.#silent.get(node) ?? []
    this.#silent.delete(node)
    for (const run of waiting) run()
  }

  isTurningAway(node: number): boolean {
    return this.#turningAway.has(node)
  }

  turnAway(node: number): void {
    this.#turningAway.add(node)
    this.#breakSockets(node)
  }

  endTurningAway(node: number): void {
    this.#turningAway.delete(node)
  }

  opened(node: number, socket: ServedSocket): void {
    this.#sockets.get(node)!.add(socket)
  }

  closed(node: number, socket: ServedSocket): void {
    this.#sockets.get(node)!.delete(socket)
  }

  /** Everything on its way to and from the broker is lost. */
  brokerGone(node: number): void {
    if (this.#silent.has(node)) this.#silent.set(node, [])
    this.#breakSockets(node)
  }

  #breakSockets(node: number): void {
    const sockets = [...this.#sockets.get(node)!]
    this.#sockets.get(node)!.clear()
    for (const socket of sockets) socket.brokerGone()
  }
}
