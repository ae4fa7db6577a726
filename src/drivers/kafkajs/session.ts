import type { Socket } from 'node:net'
import { RequestError } from '../../connection/request-error.js'
import { correlationIdOf } from '../../wire/message.js'
import type { Clock } from '../../runtime/clock.js'
import { FrameReader, MAX_FRAME_BYTES } from './frame-reader.js'
import { FrameWriter } from './frame-writer.js'

/** Who waits for an answer. Exactly one of the two is called, once. */
export interface Waiter {
  answered(frame: Buffer): void
  /** The socket is destroyed already. */
  lost(error: RequestError): void
}

/**
 * One socket from its first byte to its last: writes frames in order, gives each answer to its waiter by correlation id.
 * Whatever goes wrong destroys the socket first and tells every waiter then; a session never comes back.
 */
export class Session {
  readonly #socket: Socket
  readonly #frames = new FrameReader()
  readonly #waiting = new Map<number, Waiter>()
  readonly #onLost: (error: RequestError) => void
  readonly #name: string
  readonly #clock: Clock
  readonly #out: FrameWriter
  #heardAt = -Infinity
  #correlationId = 0
  #answers = 0
  #end: RequestError | null = null

  /** @param onLost called once, when the session ended for a reason other than `destroy`. */
  constructor(socket: Socket, name: string, clock: Clock, onLost: (error: RequestError) => void) {
    this.#socket = socket
    this.#name = name
    this.#clock = clock
    this.#out = new FrameWriter(socket, clock)
    this.#onLost = onLost
    const gone = (text: string) => () => this.#fail(new RequestError('connection-lost', 'maybe', `${name} ${text}`))
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('end', gone('closed the connection'))
    socket.on('close', gone('closed the connection'))
    socket.on('timeout', gone('was silent for longer than the socket allows'))
    socket.on('error', (error: Error) => this.#fail(lostBy(name, error)))
  }

  /** Answers not yet received. */
  get pending(): number {
    return this.#waiting.size
  }

  /** Answers received, those of the handshake included. */
  get answers(): number {
    return this.#answers
  }

  /** When bytes came, or bytes of a large frame went out. */
  get lastSign(): number {
    return Math.max(this.#heardAt, this.#out.progressAt)
  }

  /** A large frame is still going out. */
  get isSending(): boolean {
    return this.#out.isSending
  }

  get ended(): RequestError | null {
    return this.#end
  }

  /** Before this, a frame of more than a handshake's size is taken for another protocol. */
  allowLargeFrames(): void {
    this.#frames.maxBytes = MAX_FRAME_BYTES
  }

  nextCorrelationId(): number {
    this.#correlationId = (this.#correlationId + 1) & 0x7fffffff
    return this.#correlationId
  }

  /** Writes one frame whose answer goes to `waiter`. */
  write(frame: readonly Buffer[], correlationId: number, waiter: Waiter): void {
    this.#put(frame, correlationId, waiter)
  }

  /** Writes one frame that has no answer; `flushed` is called when the system has taken it, `waiter.lost` if it cannot. */
  writeUnanswered(frame: readonly Buffer[], correlationId: number, waiter: Waiter, flushed: () => void): void {
    this.#put(frame, correlationId, waiter, (error) => {
      if (!error && this.#waiting.delete(correlationId)) flushed()
    })
  }

  /** Its waiter will not be called any more. Only for a session that is destroyed next. */
  forget(correlationId: number): void {
    this.#waiting.delete(correlationId)
  }

  /** Nobody waits for its answer any more; it is dropped when it comes. */
  ignore(correlationId: number): void {
    this.#waiting.set(correlationId, nobody)
  }

  /** Asks and waits, for the few exchanges of a handshake. */
  exchange(encode: (correlationId: number) => readonly Buffer[]): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const correlationId = this.nextCorrelationId()
      this.write(encode(correlationId), correlationId, { answered: resolve, lost: reject })
    })
  }

  /** Destroys the socket at once and tells every waiter. Idempotent. */
  destroy(error: RequestError): void {
    if (this.#end !== null) return
    this.#end = error
    this.#socket.destroy()
    const waiters = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const waiter of waiters) waiter.lost(error)
  }

  #fail(error: RequestError): void {
    if (this.#end !== null) return
    this.destroy(error)
    this.#onLost(error)
  }

  #put(
    frame: readonly Buffer[],
    correlationId: number,
    waiter: Waiter,
    flushed?: (error?: Error | null) => void,
  ): void {
    if (this.#end !== null) return waiter.lost(this.#end)
    this.#waiting.set(correlationId, waiter)
    this.#out.write(frame, flushed)
  }

  #read(chunk: Buffer): void {
    if (this.#end !== null) return
    this.#heardAt = this.#clock.now()
    try {
      this.#frames.push(chunk, (frame) => this.#take(frame))
    } catch (error) {
      this.#fail(unreadable(`${this.#name}: ${(error as Error).message}`, error))
    }
  }

  /** Returns false when the session ended by what the waiter did. */
  #take(frame: Buffer): boolean {
    const correlationId = correlationIdOf(frame)
    const waiter = this.#waiting.get(correlationId)
    if (waiter === undefined) {
      this.#fail(unreadable(`${this.#name} answered a request that nobody sent (correlation id ${correlationId})`))
      return false
    }
    this.#waiting.delete(correlationId)
    this.#answers += 1
    waiter.answered(frame)
    return this.#end === null
  }
}

const nobody: Waiter = {
  answered: () => undefined,
  lost: () => undefined,
}

function unreadable(message: string, cause?: unknown): RequestError {
  return new RequestError('unreadable-answer', 'maybe', message, cause)
}

function lostBy(name: string, error: Error): RequestError {
  return new RequestError('connection-lost', 'maybe', `connection to ${name} lost: ${error.message}`, error)
}
