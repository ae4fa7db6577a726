import { RequestError, type RequestFailure } from '../../../connection/request-error.js'
import type { Request } from '../../../connection/requests/apis.js'
import type { ProduceAnswer } from '../../../connection/requests/produce.js'
import type { Timer } from '../../../runtime/clock.js'
import { onAbort } from '../../../runtime/on-abort.js'
import { StateMachine } from '../../../runtime/state-machine.js'
import type { AnyAnswer } from '../broker/broker.js'
import { noInterference, type Interference } from './fault-rules.js'
import type { Network, ServedSocket } from './network.js'

/** A request from the moment it is given to the socket until its answer or its failure. */
interface Exchange {
  readonly request: Request
  readonly deadline: number
  readonly resolve: (answer: AnyAnswer) => void
  readonly reject: (error: RequestError) => void
  readonly signal: AbortSignal | undefined
  stopListening: (() => void) | undefined
  /** False while a throttle time keeps it from being written. */
  written: boolean
  interference: Interference
  hasArrived: boolean
  answer: AnyAnswer | null
}

type SocketState =
  | 'open'
  /** What is written goes nowhere, and the client does not know yet. */
  | 'severed'
  | 'closed'

/**
 * One lane to one broker: requests arrive in the order they were written, the broker takes up one at a time, and answers
 * come back in order. What was under way when the client closed still arrives: the broker notices only when it answers.
 */
export class MemorySocket implements ServedSocket {
  readonly #state = new StateMachine<SocketState>('the socket', 'open', {
    open: ['severed', 'closed'],
    severed: ['closed'],
    closed: [],
  })
  /** Client's side: waiting for an answer. */
  readonly #outstanding: Exchange[] = []
  /** Client's side: waiting for the end of a throttle time. */
  #throttled: Exchange[] = []
  #throttle: Timer | null = null
  #silentUntil = -Infinity
  /** At the broker: what was on its way when it asked for silence waits there. */
  #muted: Timer | null = null
  /** On the wire to the broker. */
  #inFlight: Exchange[] = []
  /** At the broker, behind the one it is busy with. */
  #inbox: Exchange[] = []
  #serving: Exchange | null = null
  /** `deaf`: it saw that the client is gone. `dead`: it was stopped. */
  #broker: 'listening' | 'deaf' | 'dead' = 'listening'
  #deadline: { readonly time: number; readonly timer: Timer } | null = null

  constructor(
    private readonly node: number,
    private readonly client: string,
    private readonly network: Network,
    private readonly onAnswer: (request: Request, answer: AnyAnswer) => void,
    private readonly onClosed: () => void,
  ) {
    network.opened(node, this)
  }

  /** Until when the broker asked for silence. */
  get silentUntil(): number {
    return this.#silentUntil
  }

  send(
    request: Request,
    deadline: number,
    signal: AbortSignal | undefined,
    resolve: (answer: AnyAnswer) => void,
    reject: (error: RequestError) => void,
  ): () => boolean {
    const exchange: Exchange = {
      request,
      deadline,
      resolve,
      reject,
      signal,
      stopListening: undefined,
      written: false,
      interference: noInterference,
      hasArrived: false,
      answer: null,
    }
    this.#outstanding.push(exchange)
    this.#watch(exchange)
    if (this.#throttle === null) this.#write(exchange)
    else this.#throttled.push(exchange)
    return () => this.#takeBack(exchange)
  }

  /** The client destroys the socket: the request that caused it fails with `failure`, the others with a lost connection. */
  destroy(failure: RequestFailure, culprit: Exchange | null = null): void {
    if (this.#state.is('closed')) return
    this.#state.to('closed')
    this.#deadline?.timer.cancel()
    this.#throttle?.cancel()
    this.#inbox = []
    const failed = this.#outstanding.splice(0)
    if (this.#serving === null && this.#inFlight.length === 0) this.#stopListening('deaf')
    this.onClosed()
    for (const exchange of failed) {
      this.#fail(exchange, culprit === null || exchange === culprit ? failure : 'connection-lost')
    }
  }

  brokerGone(): void {
    this.#stopListening('dead')
    this.destroy('connection-lost')
  }

  // ── Client's side ─────────────────────────────────────────────────────────────────────────────────────────────────

  #watch(exchange: Exchange): void {
    const { deadline, signal } = exchange
    if (signal !== undefined) exchange.stopListening = onAbort(signal, () => this.#giveUp('aborted', exchange))
    if (this.#deadline === null || deadline < this.#deadline.time) this.#armDeadline(deadline)
  }

  /** One timer for all: it is left alone when requests are answered, and looks again when it fires. */
  #armDeadline(time: number): void {
    this.#deadline?.timer.cancel()
    const delayMs = Math.min(time - this.network.clock.now(), longestTimerMs)
    this.#deadline = { time, timer: this.network.clock.setTimer(delayMs, () => this.#checkDeadlines()) }
  }

  #checkDeadlines(): void {
    this.#deadline = null
    const now = this.network.clock.now()
    let earliest: Exchange | undefined
    for (const exchange of this.#outstanding) {
      if (earliest === undefined || exchange.deadline < earliest.deadline) earliest = exchange
    }
    if (earliest === undefined) return
    if (earliest.deadline > now) this.#armDeadline(earliest.deadline)
    else if (this.#giveUp('timed-out', earliest)) this.#checkDeadlines()
  }

  #takeBack(exchange: Exchange): boolean {
    if (exchange.written) return false
    if (this.#outstanding.includes(exchange)) this.#drop(exchange, 'aborted')
    return true
  }

  /** Whether the socket stays: silence that was asked for says nothing about the connection. */
  #giveUp(failure: RequestFailure, exchange: Exchange): boolean {
    if (this.#silentUntil <= this.network.clock.now()) {
      this.destroy(failure, exchange)
      return false
    }
    this.#drop(exchange, failure)
    return true
  }

  /** The others stay as they are. */
  #drop(exchange: Exchange, failure: RequestFailure): void {
    this.#outstanding.splice(this.#outstanding.indexOf(exchange), 1)
    this.#throttled = this.#throttled.filter((throttled) => throttled !== exchange)
    this.#fail(exchange, failure)
  }

  #write(exchange: Exchange): void {
    exchange.written = true
    if (this.#state.is('severed')) return
    const interference = this.network.interferenceWith(this.node, exchange.request, this.client)
    exchange.interference = interference
    if (isUnanswered(exchange.request)) this.#settleUnanswered(exchange)
    if (interference.kind === 'lose-request') {
      this.#sever()
      return
    }
    this.#inFlight.push(exchange)
    if (interference.kind === 'hold') {
      interference.held.keep(() => this.#deliverHeld(exchange))
      return
    }
    const lateMs = interference.kind === 'delay' || interference.kind === 'random-hold' ? interference.delayMs : 0
    this.network.transmit(() => this.#arrive(exchange), lateMs)
  }

  /** acks=0: the client is done once the bytes are written. */
  #settleUnanswered(exchange: Exchange): void {
    this.#outstanding.splice(this.#outstanding.indexOf(exchange), 1)
    this.#release(exchange)
    this.network.transmit(() => exchange.resolve(unanswered))
  }

  #sever(): void {
    if (!this.#state.is('open')) return
    this.#state.to('severed')
    this.network.transmit(() => this.destroy('connection-lost'))
  }

  #receive(exchange: Exchange, answer: AnyAnswer): void {
    if (this.#state.is('closed')) return
    exchange.answer = answer
    for (let next = this.#outstanding[0]; next !== undefined && next.answer !== null; next = this.#outstanding[0]) {
      this.#outstanding.shift()
      this.#release(next)
      this.#obeyThrottle(next.answer.throttleTimeMs)
      this.onAnswer(next.request, next.answer)
      next.resolve(next.answer)
    }
  }

  #obeyThrottle(throttleMs: number): void {
    if (throttleMs <= 0) return
    this.#throttle?.cancel()
    this.#silentUntil = this.network.clock.now() + throttleMs
    this.#throttle = this.network.clock.setTimer(throttleMs, () => {
      this.#throttle = null
      for (const exchange of this.#throttled.splice(0)) this.#write(exchange)
    })
  }

  #fail(exchange: Exchange, failure: RequestFailure): void {
    this.#release(exchange)
    const sent = exchange.written ? 'maybe' : 'never'
    const { api } = exchange.request
    exchange.reject(
      new RequestError(failure, sent, `${api} to broker ${this.node}: ${explanations[failure] ?? failure}`),
    )
  }

  #release(exchange: Exchange): void {
    exchange.stopListening?.()
  }

  // ── Broker's side ─────────────────────────────────────────────────────────────────────────────────────────────────

  #arrive(exchange: Exchange): void {
    exchange.hasArrived = true
    while (this.#inFlight[0]?.hasArrived) this.#inbox.push(this.#inFlight.shift()!)
    this.#serveNext()
  }

  /** A held request has its effect even when its client is gone. */
  #deliverHeld(exchange: Exchange): void {
    this.network.transmit(() => {
      if (!this.#state.is('closed')) this.#arrive(exchange)
      else if (this.#broker !== 'dead') {
        this.network.serve(this.node, exchange.request, this.client, noInterference, ignoreAnswer)
        this.#stopListening('deaf')
      }
    })
  }

  #serveNext(): void {
    if (this.#broker !== 'listening') this.#inbox = []
    if (this.#serving !== null || this.#muted !== null) return
    const exchange = this.#inbox.shift()
    if (exchange === undefined) return
    this.#serving = exchange
    this.network.serve(this.node, exchange.request, this.client, exchange.interference, (answer) => {
      this.network.whenHeard(this.node, () => this.#reply(exchange, answer))
    })
  }

  #reply(exchange: Exchange, answer: AnyAnswer): void {
    if (this.#serving !== exchange || this.#broker === 'dead') return
    this.#serving = null
    if (this.#state.is('closed')) {
      // The broker learns by its answer that the client is gone, and reads no more from it.
      this.#stopListening('deaf')
      return
    }
    if (exchange.interference.kind === 'lose-answer') this.#sever()
    else if (isUnanswered(exchange.request)) this.#closeOnError(answer as ProduceAnswer)
    else {
      const told = withThrottle(answer, exchange.interference)
      this.network.transmit(() => this.#receive(exchange, told))
      this.#mute(told.throttleTimeMs)
    }
    this.#serveNext()
  }

  #mute(throttleMs: number): void {
    if (throttleMs <= 0) return
    this.#muted = this.network.clock.setTimer(throttleMs, () => {
      this.#muted = null
      this.#serveNext()
    })
  }

  #stopListening(how: 'deaf' | 'dead'): void {
    this.#broker = how
    this.#muted?.cancel()
    this.#muted = null
    this.#inbox = []
    this.network.closed(this.node, this)
  }

  /** With acks=0 a broken connection is the only sign of an error. */
  #closeOnError(answer: ProduceAnswer): void {
    if (answer.partitions.some(({ errorCode }) => errorCode !== 0)) this.#sever()
  }
}

/** Node fires longer timers at once. */
const longestTimerMs = 2 ** 31 - 1

const unanswered: ProduceAnswer = { throttleTimeMs: 0, partitions: [] }

const explanations: Partial<Record<RequestFailure, string>> = {
  'timed-out': 'no answer until the deadline',
  'connection-lost': 'the connection broke before the answer',
  aborted: 'the caller gave up',
  closed: 'the connection was closed',
}

function isUnanswered(request: Request): boolean {
  return request.api === 'produce' && request.acks === 0
}

function withThrottle(answer: AnyAnswer, interference: Interference): AnyAnswer {
  return interference.kind === 'throttle' ? { ...answer, throttleTimeMs: interference.throttleMs } : answer
}

function ignoreAnswer(): void {
  // Its client gave up long ago.
}
