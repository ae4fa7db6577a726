import { connect, type Socket } from 'node:net'
import { DelayedPipe } from './delayed-pipe.js'
import { firstThatStrikes, type ArmedTrap } from './fault-traps.js'
import {
  answerHeaderBytes,
  apiKeys,
  confirmedBatches,
  newestReadProduce,
  FrameScanner,
  requestHeaderBytes,
  type ConfirmedBatch,
} from './kafka-frames.js'

export interface FaultCounts {
  connections: number
  requests: number
  answers: number
  answersLost: number
  requestsHeld: number
  connectionsCut: number
  requestsSwallowed: number
  bytes: number
}

/** What all connections of a proxy heed. */
export interface Knobs {
  delayMs: number
  swallowing: boolean
  readonly lossTraps: Set<ArmedTrap>
  readonly holdTraps: Set<ArmedTrap>
  randomLoss: ((apiKey: number) => boolean) | undefined
  lifetimeMs: (() => number) | undefined
  onConfirmed: ((batch: ConfirmedBatch) => void) | undefined
  readonly counts: FaultCounts
}

interface InFlight {
  readonly correlationId: number
  readonly apiKey: number
  readonly version: number
}

/** One client's connection and the one to the broker behind it; between them the faults. */
export class ProxiedConnection {
  readonly #upstream: Socket
  readonly #toBroker: DelayedPipe
  readonly #toClient: DelayedPipe
  readonly #requests: FrameScanner
  readonly #answers: FrameScanner
  readonly #inFlight: InFlight[] = []
  #held: { readonly trap: ArmedTrap; readonly parts: Buffer[] } | undefined
  #letPassOnce = false
  #clientGone = false
  #answerBeingRead: { readonly version: number; readonly parts: Buffer[]; left: number } | undefined
  #losing = false
  #lifetime: NodeJS.Timeout | undefined
  hasSwallowed = false

  constructor(
    private readonly client: Socket,
    target: { readonly host: string; readonly port: number },
    private readonly knobs: Knobs,
    private readonly onClosed: () => void,
  ) {
    this.#upstream = connect({ ...target, noDelay: true })
    const delayMs = () => knobs.delayMs
    this.#toBroker = new DelayedPipe(client, this.#upstream, delayMs)
    this.#toClient = new DelayedPipe(this.#upstream, client, delayMs)
    this.#requests = new FrameScanner(requestHeaderBytes, (data, at) => this.#onRequest(data, at))
    this.#answers = new FrameScanner(answerHeaderBytes, (data, at, frameBytes) => this.#onAnswer(data, at, frameBytes))
    client.on('data', (chunk) => this.#fromClient(chunk))
    this.#upstream.on('data', (chunk) => this.#fromBroker(chunk))
    client.on('error', () => undefined)
    this.#upstream.on('error', () => this.#refuse())
    client.on('close', () => this.#onClientClosed())
    this.#upstream.on('close', () => this.#onBrokerClosed())
    this.limitLifetime()
  }

  /** A reset, as a network or a firewall does it. */
  cut(): void {
    this.knobs.counts.connectionsCut++
    this.abandon()
  }

  abandon(): void {
    clearTimeout(this.#lifetime)
    this.client.resetAndDestroy()
    this.#upstream.resetAndDestroy()
    this.onClosed()
  }

  limitLifetime(): void {
    const lifetimeMs = this.knobs.lifetimeMs?.()
    if (lifetimeMs === undefined) return
    clearTimeout(this.#lifetime)
    this.#lifetime = setTimeout(() => this.#endOfLife(), lifetimeMs)
  }

  #endOfLife(): void {
    if (this.knobs.lifetimeMs !== undefined && !this.client.destroyed) this.cut()
  }

  #fromClient(chunk: Buffer): void {
    this.knobs.counts.bytes += chunk.length
    if (this.knobs.swallowing) {
      this.hasSwallowed = true
      this.knobs.counts.requestsSwallowed++
      return
    }
    if (this.hasSwallowed) return
    if (this.#held !== undefined) {
      this.#held.parts.push(chunk)
      return
    }
    const { pass, stopped } = this.#requests.scan(chunk)
    this.#toBroker.write(pass)
    if (stopped !== undefined) (this.#held as { parts: Buffer[] } | undefined)?.parts.push(stopped)
  }

  #onRequest(data: Buffer, at: number): 'pass' | 'stop' {
    const apiKey = data.readInt16BE(at + 4)
    if (this.#letPassOnce) this.#letPassOnce = false
    else {
      const trap = firstThatStrikes(this.knobs.holdTraps, apiKey)
      if (trap !== undefined) {
        this.knobs.counts.requestsHeld++
        this.#held = { trap, parts: [] }
        trap.onRelease = () => this.#deliverHeld()
        return 'stop'
      }
    }
    this.knobs.counts.requests++
    this.#inFlight.push({ correlationId: data.readInt32BE(at + 8), apiKey, version: data.readInt16BE(at + 6) })
    return 'pass'
  }

  #deliverHeld(): void {
    const held = this.#held
    if (held === undefined || this.#upstream.destroyed) return
    this.#held = undefined
    this.#letPassOnce = true
    for (const part of held.parts) this.#fromClient(part)
    if (this.#clientGone && this.#held === undefined) this.#toBroker.end()
  }

  #fromBroker(chunk: Buffer): void {
    this.knobs.counts.bytes += chunk.length
    if (this.knobs.swallowing || this.hasSwallowed) {
      this.hasSwallowed = true
      return
    }
    if (this.#answerBeingRead !== undefined) this.#readOn(chunk)
    if (this.#losing) return this.#endOfLost()
    const { pass, stopped } = this.#answers.scan(chunk)
    this.#toClient.write(pass)
    if (stopped !== undefined) this.#lose()
  }

  #onAnswer(data: Buffer, at: number, frameBytes: number): 'pass' | 'stop' {
    const correlationId = data.readInt32BE(at + 4)
    let request = this.#inFlight.shift()
    // Requests with acks 0 have no answer.
    while (request !== undefined && request.correlationId !== correlationId) request = this.#inFlight.shift()
    this.knobs.counts.answers++
    if (request === undefined) return 'pass'
    if (request.apiKey === apiKeys.Produce && this.knobs.onConfirmed !== undefined) {
      this.#answerBeingRead = { version: request.version, parts: [], left: frameBytes - 4 }
      this.#readOn(data.subarray(at + answerHeaderBytes))
    }
    const lost =
      firstThatStrikes(this.knobs.lossTraps, request.apiKey) !== undefined ||
      this.knobs.randomLoss?.(request.apiKey) === true
    return lost ? 'stop' : 'pass'
  }

  #readOn(chunk: Buffer): void {
    const reading = this.#answerBeingRead
    if (reading === undefined) return
    const part = chunk.subarray(0, reading.left)
    reading.parts.push(part)
    reading.left -= part.length
    if (reading.left > 0) return
    this.#answerBeingRead = undefined
    if (reading.version > newestReadProduce) throw new Error(`Produce ${reading.version} cannot be read by the proxy`)
    if (reading.version < 3) return
    for (const batch of confirmedBatches(Buffer.concat(reading.parts), reading.version)) this.knobs.onConfirmed?.(batch)
  }

  #lose(): void {
    this.knobs.counts.answersLost++
    this.#losing = true
    this.#endOfLost()
  }

  /** What the broker confirmed is noted to its end before the connection ends. */
  #endOfLost(): void {
    if (this.#answerBeingRead !== undefined) return
    this.#upstream.destroy()
    this.#toClient.end()
  }

  /** A broker that cannot be reached looks like one that resets. */
  #refuse(): void {
    if (!this.client.destroyed && !this.knobs.swallowing) this.client.resetAndDestroy()
  }

  #onClientClosed(): void {
    clearTimeout(this.#lifetime)
    this.#clientGone = true
    if (this.#held === undefined) this.#toBroker.end()
    if (this.#upstream.destroyed) this.onClosed()
  }

  #onBrokerClosed(): void {
    if (!this.knobs.swallowing && !this.client.destroyed) this.#toClient.end()
    if (this.client.destroyed) this.onClosed()
  }
}
