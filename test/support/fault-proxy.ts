import { createServer, type AddressInfo, type Server } from 'node:net'
import { arm, type Aim, type HeldRequest, type Trap } from './fault-traps.js'
import { apiKeys, type ApiName, type ConfirmedBatch } from './kafka-frames.js'
import { ProxiedConnection, type FaultCounts, type Knobs } from './proxied-connection.js'
import { seededRandom } from './seeded-random.js'

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
    loseAnswer: (aim) => arm(knobs.lossTraps, aim),
    hold: (aim) => arm(knobs.holdTraps, aim),
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
