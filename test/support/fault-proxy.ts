import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { DelayedPipe } from './delayed-pipe.js'
import {
  answerHeaderBytes,
  apiKeys,
  confirmedBatches,
  FrameScanner,
  requestHeaderBytes,
  type ApiName,
  type ConfirmedBatch,
} from './kafka-frames.js'
import { seededRandom } from './seeded-random.js'

export interface Aim {
  readonly api: ApiName
  /** Counted from now, from 1. Default 1. */
  readonly nth?: number
}

/** A fault that waits for its frame. */
export interface Trap {
  /** Resolved when it has struck. */
  readonly struck: Promise<void>
  readonly hasStruck: boolean
}

export interface HeldRequest extends Trap {
  /** Delivers the request to the broker now, also when the client has given up and gone; before it was caught: lets it pass. */
  release(): void
}

export interface RandomFaults {
  readonly seed: number
  /** Probability that an answer is lost after the broker gave it. */
  readonly loseAnswers?: number
  /** Which answers may be lost. Default all. */
  readonly apis?: readonly ApiName[]
  /** Every connection is reset after a time drawn from this range. */
  readonly cutEveryMs?: readonly [number, number]
  readonly latencyMs?: number
}

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

export interface FaultProxy {
  readonly port: number
  readonly counts: Readonly<FaultCounts>
  readonly openConnections: number
  /** The broker answers, the client never hears it: its connection ends instead. */
  loseAnswer(aim: Aim): Trap
  /** Keeps a request, and all that its connection sends after it, from the broker until `release`. */
  hold(aim: Aim): HeldRequest
  /** Latency in each direction, without reordering; 0 ends it. */
  delay(ms: number): void
  /** Resets every connection. */
  cut(): void
  /** Accepts and swallows everything, until `heal` resets what swallowed. */
  blackHole(): void
  heal(): void
  /** Forgets traps that have not struck. */
  disarm(): void
  /** Faults drawn from a seed until the returned function is called. */
  random(faults: RandomFaults): () => void
  /** Keeps what brokers confirmed in Produce answers from now on, heard by the client or not. */
  watchConfirmed(onConfirmed: (batch: ConfirmedBatch) => void): void
  close(): Promise<void>
}

interface Knobs {
  delayMs: number
  swallowing: boolean
  readonly lossTraps: Set<ArmedTrap>
  readonly holdTraps: Set<ArmedTrap>
  randomLoss: ((apiKey: number) => boolean) | undefined
  lifetimeMs: (() => number) | undefined
  onConfirmed: ((batch: ConfirmedBatch) => void) | undefined
  readonly counts: FaultCounts
}

/** A TCP proxy before one broker that reads frame headers and nothing else. */
export async function startFaultProxy(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
  const knobs: Knobs = {
    delayMs: 0,
    swallowing: false,
    lossTraps: new Set(),
    holdTraps: new Set(),
    randomLoss: undefined,
    lifetimeMs: undefined,
    onConfirmed: undefined,
    counts: {
      connections: 0,
      requests: 0,
      answers: 0,
      answersLost: 0,
      requestsHeld: 0,
      connectionsCut: 0,
      requestsSwallowed: 0,
      bytes: 0,
    },
  }
  const open = new Set<ProxiedConnection>()
  const server = createServer({ noDelay: true }, (client) => {
    knobs.counts.connections++
    const connection = new ProxiedConnection(client, target, knobs, () => open.delete(connection))
    open.add(connection)
  })
  const port = await listen(server)

  return {
    port,
    counts: knobs.counts,
    get openConnections() {
      return open.size
    },
    loseAnswer: (aim) => armed(knobs.lossTraps, aim),
    hold: (aim) => armed(knobs.holdTraps, aim),
    delay: (ms) => {
      knobs.delayMs = ms
    },
    cut: () => {
      for (const connection of [...open]) connection.cut()
    },
    blackHole: () => {
      knobs.swallowing = true
    },
    heal: () => {
      knobs.swallowing = false
      for (const connection of [...open]) if (connection.hasSwallowed) connection.cut()
    },
    disarm: () => {
      knobs.lossTraps.clear()
      knobs.holdTraps.clear()
    },
    random: ({ seed, loseAnswers = 0, apis, cutEveryMs, latencyMs = 0 }) => {
      const next = seededRandom(seed)
      const keys = apis === undefined ? undefined : new Set<number>(apis.map((api) => apiKeys[api]))
      knobs.randomLoss = (key) => (keys === undefined || keys.has(key)) && next() < loseAnswers
      knobs.lifetimeMs =
        cutEveryMs === undefined ? undefined : () => cutEveryMs[0] + next() * (cutEveryMs[1] - cutEveryMs[0])
      knobs.delayMs = latencyMs
      for (const connection of open) connection.limitLifetime()
      return () => {
        knobs.randomLoss = undefined
        knobs.lifetimeMs = undefined
        knobs.delayMs = 0
      }
    },
    watchConfirmed: (onConfirmed) => {
      knobs.onConfirmed = onConfirmed
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const connection of [...open]) connection.abandon()
      await closed
    },
  }
}

const listen = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })

class ArmedTrap implements HeldRequest {
  readonly struck: Promise<void>
  #resolve: () => void = () => undefined
  #left: number
  #hasStruck = false
  #released = false
  onRelease: (() => void) | undefined

  constructor(
    private readonly apiKey: number,
    nth: number,
    private readonly disarm: (trap: ArmedTrap) => void,
  ) {
    this.#left = nth
    this.struck = new Promise((resolve) => (this.#resolve = resolve))
  }

  get hasStruck(): boolean {
    return this.#hasStruck
  }

  strikes(apiKey: number): boolean {
    if (apiKey !== this.apiKey || --this.#left > 0) return false
    this.disarm(this)
    this.#hasStruck = true
    this.#resolve()
    return true
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.disarm(this)
    this.onRelease?.()
  }
}

function armed(traps: Set<ArmedTrap>, { api, nth = 1 }: Aim): ArmedTrap {
  const trap = new ArmedTrap(apiKeys[api], nth, (spent) => traps.delete(spent))
  traps.add(trap)
  return trap
}

function firstThatStrikes(traps: Set<ArmedTrap>, apiKey: number): ArmedTrap | undefined {
  for (const trap of traps) if (trap.strikes(apiKey)) return trap
  return undefined
}

interface InFlight {
  readonly correlationId: number
  readonly apiKey: number
  readonly version: number
}

class ProxiedConnection {
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
    if (reading.version < 3 || reading.version > 8) return
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
