import type { Connection, Lane, Node } from '../../../connection/connection.js'
import { RequestError } from '../../../connection/request-error.js'
import type { AnswerTo, Request } from '../../../connection/requests/apis.js'
import type { AnyAnswer } from '../broker/broker.js'
import { MemorySocket } from './memory-socket.js'
import type { Network } from './network.js'

type Lanes = Partial<Record<Lane, MemorySocket>>

/** The connection port over the in-process network: one socket for each node and lane, opened when needed. */
export class MemoryConnection implements Connection {
  readonly #sockets = new Map<Node, Lanes>()
  readonly #knownNodes = new Set<number>()
  #bootstrapTurn: number
  #closed = false

  constructor(
    private readonly network: Network,
    private readonly owner: string,
    private readonly onClosed: () => void,
  ) {
    this.#bootstrapTurn = Math.floor(network.cluster.runtime.random.next() * network.cluster.nodes.length)
  }

  request<R extends Request>(
    node: Node,
    lane: Lane,
    request: R,
    deadline: number,
    signal?: AbortSignal,
    onTaken?: (takeBack: () => boolean) => void,
  ): Promise<AnswerTo<R>> {
    return new Promise((resolve, reject) => {
      const socket = this.#socketFor(node, lane, request, deadline, signal)
      if (socket instanceof RequestError) {
        this.network.transmit(() => reject(socket))
        onTaken?.(() => true)
      } else {
        const takeBack = socket.send(request, deadline, signal, resolve as (answer: AnyAnswer) => void, reject)
        onTaken?.(takeBack)
      }
    })
  }

  lastSign(node: Node, lane: Lane): number {
    return this.#sockets.get(node)?.[lane]?.silentUntil ?? -Infinity
  }

  close(): Promise<void> {
    this.#closed = true
    this.onClosed()
    for (const lanes of [...this.#sockets.values()]) {
      for (const socket of Object.values(lanes)) socket.destroy('closed')
    }
    return Promise.resolve()
  }

  /** The open socket of the lane, a new one, or why there is none; then nothing was sent. */
  #socketFor(
    node: Node,
    lane: Lane,
    { api }: Request,
    deadline: number,
    signal: AbortSignal | undefined,
  ): MemorySocket | RequestError {
    if (this.#closed) return new RequestError('closed', 'never', `${api}: the connection of ${this.owner} is closed`)
    if (signal?.aborted)
      return new RequestError('aborted', 'never', `${api}: aborted before it was sent`, signal.reason)
    if (deadline <= this.network.clock.now()) {
      return new RequestError('timed-out', 'never', `${api}: the deadline had passed before it was sent`)
    }
    const open = this.#sockets.get(node)?.[lane]
    if (open !== undefined) return open

    const broker = node === 'bootstrap' ? this.#nextBootstrapBroker() : node
    if (broker === undefined || (node !== 'bootstrap' && !this.#knownNodes.has(broker))) {
      return broker === undefined
        ? new RequestError('cannot-connect', 'never', `${api}: no broker of the cluster is up`)
        : new RequestError('unknown-node', 'never', `${api}: the address of broker ${broker} is not known`)
    }
    if (!this.network.cluster.isUp(broker)) {
      return new RequestError('cannot-connect', 'never', `${api}: broker ${broker} refused the connection`)
    }
    if (this.network.isTurningAway(broker)) {
      return new RequestError('turned-away', 'never', `${api}: broker ${broker} took the connection and refused it`)
    }
    return this.#open(node, lane, broker)
  }

  #open(node: Node, lane: Lane, broker: number): MemorySocket {
    let lanes = this.#sockets.get(node)
    if (lanes === undefined) {
      lanes = {}
      this.#sockets.set(node, lanes)
    }
    const ofNode = lanes
    const learn = (request: Request, answer: AnyAnswer) => this.#learn(request, answer)
    const socket = new MemorySocket(broker, this.owner, this.network, learn, () => delete ofNode[lane])
    ofNode[lane] = socket
    return socket
  }

  /** Another living broker each time, as a client goes through the addresses it was given; one that takes us, if any does. */
  #nextBootstrapBroker(): number | undefined {
    const { cluster } = this.network
    const living = cluster.nodes.filter((node) => cluster.isUp(node))
    const open = living.filter((node) => !this.network.isTurningAway(node))
    const candidates = open.length === 0 ? living : open
    this.#bootstrapTurn += 1
    return candidates[this.#bootstrapTurn % candidates.length]
  }

  #learn(request: Request, answer: AnyAnswer): void {
    if (request.api === 'metadata') {
      for (const { nodeId } of (answer as AnswerTo<typeof request>).brokers) this.#knownNodes.add(nodeId)
    } else if (request.api === 'findCoordinator') {
      const { nodeId, errorCode } = answer as AnswerTo<typeof request>
      if (errorCode === 0) this.#knownNodes.add(nodeId)
    } else if (request.api === 'produce' || request.api === 'fetch') {
      const { nodeEndpoints = [] } = answer as AnswerTo<typeof request>
      for (const { nodeId } of nodeEndpoints) this.#knownNodes.add(nodeId)
    }
  }
}
