import { RequestError, type RequestFailure } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { Clock, Timer } from '../../runtime/clock.js'
import { StateMachine } from '../../runtime/state-machine.js'
import type { CodecRegistry } from '../../wire/compression.js'
import { decodeAnswer, encodeBatches, encodeRequest, versionFor } from '../../wire/message.js'
import type { EncodedBatch } from '../../wire/record-batch-encoder.js'
import type { OpenSession } from './handshake.js'
import type { Opener } from './opener.js'
import { PendingRequest } from './pending-request.js'
import type { Session, Waiter } from './session.js'

/** `renewing`: authenticating again; nothing else may be on the wire meanwhile. */
const moves = {
  idle: ['connecting', 'closed'],
  connecting: ['open', 'idle', 'closed'],
  open: ['renewing', 'idle', 'closed'],
  renewing: ['open', 'idle', 'closed'],
  closed: [],
} as const satisfies Record<string, readonly string[]>
type State = keyof typeof moves

export interface SocketLaneParts {
  /** Of the node, for messages: `broker 2`. */
  readonly name: string
  readonly clientId: string
  readonly opener: Opener
  readonly codecs: CodecRegistry
  readonly clock: Clock
  /** A socket that carried nothing for this long is closed; the next request opens another. */
  readonly idleLimitMs: number
  /** Appended when a broker hangs up before its first answer: what may be missing in the configuration. */
  readonly hintAtRefusal: string
  readonly onAnswer: <R extends Request>(request: R, answer: AnswerTo<R>) => void
  readonly onLost: (error: RequestError) => void
}

/** The requests of one lane to one node: in order, over one socket at a time, which is opened when there is one to send. */
export class SocketLane {
  readonly #parts: SocketLaneParts
  readonly #machine: StateMachine<State>
  readonly #queue: PendingRequest[] = []
  readonly #closing = new AbortController()
  #open: OpenSession | null = null
  /** Why the last attempt to connect failed, until one succeeds. */
  #notConnected: RequestError | null = null
  #movedMeanwhile = false
  #silentUntil = 0
  #silence: Timer | null = null
  #usedAt = 0
  #idleCheck: Timer | null = null

  constructor(parts: SocketLaneParts) {
    this.#parts = parts
    this.#machine = new StateMachine<State>(`the lane to ${parts.name}`, 'idle', moves)
  }

  request<R extends Request>(
    request: R,
    deadline: number,
    signal: AbortSignal | undefined,
    onTaken?: (takeBack: () => boolean) => void,
  ): Promise<AnswerTo<R>> {
    return new Promise((resolve, reject) => {
      const { clock } = this.#parts
      const onGivenUp = (given: PendingRequest, why: 'timed-out' | 'aborted') => this.#giveUp(given, why)
      const pending = new PendingRequest<R>({ request, deadline, signal, clock, resolve, reject, onGivenUp })
      // Its answer is only ever its own request's; the lane, which holds all kinds, cannot say so.
      this.#enqueue(pending as unknown as PendingRequest)
      onTaken?.(() => this.#takeBack(pending as unknown as PendingRequest))
    })
  }

  /** See {@link Connection.lastSign}. */
  get lastSign(): number {
    return Math.max(this.#silentUntil, this.#open?.session.lastSign ?? -Infinity)
  }

  /** The node is said to be elsewhere, so a socket to its old address is of no use, nor is one that is being opened. */
  moved(): void {
    this.#movedMeanwhile = this.#machine.is('connecting')
    this.#discard('moved to another address')
  }

  /** Destroys the socket and fails every request. Idempotent. */
  close(): void {
    if (this.#machine.is('closed')) return
    this.#machine.to('closed')
    this.#silence?.cancel()
    this.#idleCheck?.cancel()
    this.#closing.abort(this.#error('closed', 'never', 'was closed while connecting'))
    this.#open?.session.destroy(this.#error('closed', 'maybe', 'was closed before the answer came'))
    this.#open = null
    this.#failQueued(this.#error('closed', 'never', 'was closed before this was sent'))
  }

  #enqueue(pending: PendingRequest): void {
    this.#queue.push(pending)
    try {
      // At once, so that compression overlaps with connecting and with the requests ahead.
      const batches = encodeBatches(pending.request, this.#parts.codecs)
      if (!(batches instanceof Promise)) return this.#encoded(pending, batches)
      void batches.then(
        (done) => this.#encoded(pending, done),
        (error: Error) => this.#refuse(pending, error),
      )
    } catch (error) {
      this.#refuse(pending, error as Error)
    }
  }

  #encoded(pending: PendingRequest, batches: readonly EncodedBatch[]): void {
    pending.encoded(batches)
    this.#pump()
  }

  /** Sends what can be sent, in order. Everything that may change what can be sent calls this. */
  #pump(): void {
    while (this.#queue.length > 0) {
      if (this.#machine.is('idle')) this.#connect()
      if (this.#open === null || !this.#machine.is('open')) return
      if (this.#mustBeSilent() || this.#mustRenew(this.#open)) return
      const head = this.#queue[0]!
      if (head.state === 'encoding') return
      this.#queue.shift()
      this.#write(head, this.#open)
    }
  }

  // ── The session ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(): void {
    this.#machine.to('connecting')
    this.#movedMeanwhile = false
    void this.#parts.opener
      .open(this.#closing.signal, (error) => this.#lost(error))
      .then(
        (open) => this.#opened(open),
        (error: RequestError) => this.#notOpened(error),
      )
  }

  #opened(open: OpenSession): void {
    if (this.#machine.is('closed')) return open.session.destroy(this.#error('closed', 'never', 'was closed'))
    if (this.#movedMeanwhile) return this.#openElsewhere(open.session)
    const { ended } = open.session
    if (ended !== null) return this.#notOpened(new RequestError('cannot-connect', 'never', ended.message, ended))
    this.#open = open
    this.#notConnected = null
    this.#machine.to('open')
    this.#checkIdleIn(this.#parts.idleLimitMs)
    this.#pump()
  }

  /** Who answers at the old address may be another broker by now. */
  #openElsewhere(session: Session): void {
    this.#machine.to('idle')
    session.destroy(this.#error('connection-lost', 'never', 'moved to another address'))
    this.#pump()
  }

  /** Whoever waited for this session hears why there is none; a later request tries again. */
  #notOpened(error: RequestError): void {
    if (this.#machine.is('closed')) return
    this.#open = null
    this.#notConnected = error
    this.#machine.to('idle')
    this.#failQueued(error)
  }

  /** What was out on it has been told. What waits goes over a new session. */
  #lost(error: RequestError): void {
    if (!this.#machine.is('open', 'renewing')) return
    this.#open = null
    this.#machine.to('idle')
    this.#parts.onLost(error)
    this.#pump()
  }

  /** Destroys the socket: what is out on it fails, what waits goes over a new one. */
  #discard(why: string): void {
    if (this.#open === null) return
    const { session } = this.#open
    const error = this.#error('connection-lost', 'maybe', why)
    this.#open = null
    this.#machine.to('idle')
    session.destroy(error)
    this.#parts.onLost(error)
    this.#pump()
  }

  #checkIdleIn(delayMs: number): void {
    this.#idleCheck?.cancel()
    this.#idleCheck = this.#parts.clock.setTimer(delayMs, () => this.#closeIfIdle())
    // Its socket keeps the process alive, not the wish to close it.
    this.#idleCheck.unref?.()
  }

  /** Looked at now and then instead of at every request: a busy lane pays one timer for a whole limit of time. */
  #closeIfIdle(): void {
    if (this.#open === null) return
    const { clock, idleLimitMs } = this.#parts
    const { session } = this.#open
    const isBusy = session.pending > 0 || this.#queue.length > 0 || !this.#machine.is('open')
    const leftMs = isBusy ? idleLimitMs : this.#usedAt + idleLimitMs - clock.now()
    if (leftMs > 0) return this.#checkIdleIn(leftMs)
    this.#open = null
    this.#machine.to('idle')
    session.destroy(this.#error('connection-lost', 'never', 'was not needed any more'))
  }

  /** A session about to expire is renewed when nothing is out on it: the broker takes no other request meanwhile. */
  #mustRenew(open: OpenSession): boolean {
    if (this.#parts.clock.now() < open.reauthenticateAt) return false
    if (open.session.pending === 0) this.#renew(open)
    return true
  }

  #renew(open: OpenSession): void {
    this.#machine.to('renewing')
    void this.#parts.opener.renew(open).then(
      (renewed) => {
        if (this.#open === open) this.#opened(renewed)
      },
      (error: RequestError) => {
        if (this.#open === open) this.#notRenewed(error)
      },
    )
  }

  /**
   * A broker takes nobody else on a session than who opened it, and credentials that are exchanged may make us another one:
   * what waits goes over a new session, whose refusal is the last word.
   */
  #notRenewed(error: RequestError): void {
    if (error.failure !== 'turned-away') return this.#notOpened(error)
    this.#open = null
    this.#machine.to('idle')
    this.#pump()
  }

  #mustBeSilent(): boolean {
    const forMs = this.#silentUntil - this.#parts.clock.now()
    if (forMs <= 0) return false
    this.#silence?.cancel()
    this.#silence = this.#parts.clock.setTimer(forMs, () => this.#pump())
    return true
  }

  // ── One request ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #write(pending: PendingRequest, { session, versions }: OpenSession): void {
    const { request } = pending
    const correlationId = session.nextCorrelationId()
    let version: number
    let frame: Buffer[]
    try {
      version = versionFor(request, versions)
      frame = encodeRequest(request, version, correlationId, this.#parts.clientId, pending.batches)
    } catch (error) {
      return this.#refuse(pending, error as Error)
    }
    pending.wasWritten(correlationId)
    this.#usedAt = this.#parts.clock.now()
    const waiter: Waiter = {
      answered: (answer) => this.#answered(pending, version, answer, session),
      lost: (error) => pending.fail(this.#lossOf(session, error)),
    }
    if (request.api !== 'produce' || request.acks !== 0) return session.write(frame, correlationId, waiter)
    session.writeUnanswered(frame, correlationId, waiter, () => {
      pending.succeed({ throttleTimeMs: 0, partitions: [] })
      this.#pump()
    })
  }

  /** A listener that wants more than it was given hangs up on the first request after the handshake. */
  #lossOf(session: Session, error: RequestError): RequestError {
    const { failure, sent, message, cause } = error
    if (failure !== 'connection-lost' || session.answers > 1 || !this.#machine.is('open')) return error
    return new RequestError(failure, sent, `${message}${this.#parts.hintAtRefusal}`, cause)
  }

  #answered(pending: PendingRequest, version: number, frame: Buffer, session: Session): void {
    pending.wasAnswered()
    try {
      const answer = decodeAnswer(pending.request, version, frame, this.#parts.codecs)
      if (!(answer instanceof Promise)) return this.#succeed(pending, answer)
      void answer.then(
        (done) => this.#succeed(pending, done),
        (error: Error) => this.#unreadable(pending, session, error),
      )
    } catch (error) {
      this.#unreadable(pending, session, error as Error)
    }
  }

  #succeed(pending: PendingRequest, answer: AnswerTo<Request>): void {
    this.#usedAt = this.#parts.clock.now()
    if (answer.throttleTimeMs > 0) this.#silentUntil = Math.max(this.#silentUntil, this.#usedAt + answer.throttleTimeMs)
    this.#parts.onAnswer(pending.request, answer)
    pending.succeed(answer)
    this.#pump()
  }

  /** If one answer is not what we take it for, the others on that socket cannot be trusted either. */
  #unreadable(pending: PendingRequest, session: Session, error: Error): void {
    if (this.#open?.session === session) this.#discard(`gave an answer to ${pending.request.api} that cannot be read`)
    const text = `gave an answer to ${pending.request.api} that cannot be read: ${error.message}`
    pending.fail(this.#error('unreadable-answer', 'maybe', text, error))
  }

  #takeBack(pending: PendingRequest): boolean {
    if (pending.state === 'encoding' || pending.state === 'queued') this.#giveUp(pending, 'aborted')
    return !pending.isWritten
  }

  #giveUp(pending: PendingRequest, why: 'timed-out' | 'aborted'): void {
    const { api } = pending.request
    const how = why === 'aborted' ? 'was aborted' : 'passed its deadline'
    if (pending.state === 'written' && this.#mayStillAnswer()) {
      this.#open?.session.ignore(pending.correlationId)
      return pending.fail(this.#error(why, 'maybe', `: ${api} ${how} ${this.#whyWaiting()}`))
    }
    if (pending.state === 'written') {
      // The culprit hears its own reason, after its socket is gone.
      this.#open?.session.forget(pending.correlationId)
      this.#discard(`: the connection was destroyed because a request (${api}) ${how}`)
      return pending.fail(this.#error(why, 'maybe', `did not answer ${api} before it ${how}`))
    }
    this.#drop(pending)
    pending.fail(this.#error(why, 'never', `: ${api} ${how} ${this.#whyWaiting()}`, this.#notConnected ?? undefined))
    this.#pump()
  }

  /** Nothing is wrong with the connection, and others wait for it. */
  #mayStillAnswer(): boolean {
    return this.#silentUntil > this.#parts.clock.now() || this.#open?.session.isSending === true
  }

  #whyWaiting(): string {
    if (this.#silentUntil > this.#parts.clock.now()) return 'while the broker asked for silence (quota)'
    if (this.#open?.session.isSending === true) return 'while bytes were still going out over a slow link'
    if (this.#machine.is('open')) return 'while it waited for its turn'
    return this.#notConnected === null
      ? 'while connecting'
      : `while connecting; before that: ${this.#notConnected.message}`
  }

  /** It will never be better: too old a broker, or a value that has no bytes. */
  #refuse(pending: PendingRequest, error: Error): void {
    this.#drop(pending)
    const failure = (error as { code?: unknown }).code === 'unsupported' ? 'unsupported' : 'refused'
    pending.fail(this.#error(failure, 'never', `: ${pending.request.api} cannot be sent: ${error.message}`, error))
    this.#pump()
  }

  #drop(pending: PendingRequest): void {
    const at = this.#queue.indexOf(pending)
    if (at !== -1) this.#queue.splice(at, 1)
  }

  #failQueued(error: RequestError): void {
    for (const pending of this.#queue.splice(0)) pending.fail(error)
  }

  #error(failure: RequestFailure, sent: 'never' | 'maybe', text: string, cause?: unknown): RequestError {
    const join = text.startsWith(':') ? '' : ' '
    return new RequestError(failure, sent, `${this.#parts.name}${join}${text}`, cause)
  }
}
