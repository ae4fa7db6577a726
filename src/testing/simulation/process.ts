import type { Connection, ConnectionFactory } from '../../connection/connection.js'
import type { RequestError } from '../../connection/request-error.js'
import type { AnswerTo, Request } from '../../connection/requests/apis.js'
import type { Driver } from '../../driver/driver.js'
import { createProtocolDriver } from '../../protocol/driver.js'
import { sleepWith, type Clock, type Timer } from '../../runtime/clock.js'
import type { Runtime } from '../../runtime/runtime.js'

/** What passes between the clients of one simulated process and the cluster. Must not throw. */
export interface ProcessObserver {
  asked(client: string, request: Request): void
  answered(client: string, request: Request, answer: AnswerTo<Request>): void
  failed(client: string, request: Request, error: RequestError): void
}

/**
 * Clients that live and die together, as those of one operating system process do. After `crash` no timer of theirs
 * fires, no answer reaches them and nothing of theirs reaches the cluster, which is told nothing: groups notice by the
 * session timeout.
 */
export class SimulatedProcess {
  readonly driver: Driver
  readonly #clock: ProcessClock
  readonly #observer: ProcessObserver
  readonly #open = new Set<Connection>()

  /** @internal */
  constructor(
    readonly name: string,
    connections: ConnectionFactory,
    { clock, random }: Runtime,
    observer: ProcessObserver,
  ) {
    this.#clock = new ProcessClock(clock)
    this.#observer = observer
    const watched: ConnectionFactory = {
      name: connections.name,
      open: (owner, clientId, logger) => this.#watch(owner, connections.open(owner, clientId, logger)),
    }
    this.driver = createProtocolDriver(watched, { clock: this.#clock, random })
  }

  get state(): 'alive' | 'crashed' {
    return this.#clock.state === 'stopped' ? 'crashed' : 'alive'
  }

  /** Stops with the process. */
  get clock(): Clock {
    return this.#clock
  }

  /** Connections that nobody has closed. */
  get openConnections(): number {
    return this.#open.size
  }

  get pendingTimers(): number {
    return this.#clock.pendingTimers
  }

  /** Nothing happens in it for a while, as in a process that was stopped by a signal; then it goes on with what has come. */
  freeze(forMs: number): void {
    this.#clock.freeze(forMs)
  }

  /** Runs `action` now, after the freeze, or, when it has crashed, never. */
  run(action: () => void): void {
    this.#clock.run(action)
  }

  crash(): void {
    this.#clock.stop()
    for (const connection of this.#open) void connection.close()
    this.#open.clear()
  }

  #watch(owner: string, inner: Connection): Connection {
    this.#open.add(inner)
    return {
      request: <R extends Request>(...asked: Parameters<Connection['request']>) =>
        new Promise<AnswerTo<R>>((resolve, reject) => {
          if (this.state === 'crashed') return
          const request = asked[2]
          this.#observer.asked(owner, request)
          inner.request(...asked).then(
            (answer) =>
              this.run(() => {
                this.#observer.answered(owner, request, answer)
                resolve(answer as AnswerTo<R>)
              }),
            (error: RequestError) =>
              this.run(() => {
                this.#observer.failed(owner, request, error)
                reject(error)
              }),
          )
        }),
      lastSign: (node, lane) => inner.lastSign(node, lane),
      close: async () => {
        this.#open.delete(inner)
        await inner.close()
      },
    }
  }
}

/** The time of one process: it ends with it. */
class ProcessClock implements Clock {
  readonly #clock: Clock
  readonly #timers = new Set<Timer>()
  #state: 'running' | 'frozen' | 'stopped' = 'running'
  /** What became due while frozen. */
  #backlog: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get state(): 'running' | 'frozen' | 'stopped' {
    return this.#state
  }

  get pendingTimers(): number {
    return this.#timers.size
  }

  run(action: () => void): void {
    if (this.#state === 'running') action()
    else if (this.#state === 'frozen') this.#backlog.push(action)
  }

  freeze(forMs: number): void {
    if (this.#state !== 'running') return
    this.#state = 'frozen'
    this.#clock.setTimer(forMs, () => this.#thaw())
  }

  #thaw(): void {
    if (this.#state !== 'frozen') return
    this.#state = 'running'
    // Each in a turn of its own, as an event loop takes them up.
    for (const action of this.#backlog.splice(0)) this.defer(action)
  }

  stop(): void {
    this.#state = 'stopped'
    this.#backlog = []
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  now(): number {
    return this.#clock.now()
  }

  wallTime(): number {
    return this.#clock.wallTime()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (this.#state === 'stopped') return neverFiring
    const inner = this.#clock.setTimer(delayMs, () => {
      this.run(() => {
        // Cancelled while it was frozen.
        if (this.#timers.delete(timer)) callback()
      })
    })
    const timer = {
      cancel: () => {
        this.#timers.delete(timer)
        inner.cancel()
      },
    }
    this.#timers.add(timer)
    return timer
  }

  defer(callback: () => void): void {
    this.#clock.defer(() => this.run(callback))
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith((delay, callback) => this.setTimer(delay, callback), delayMs, signal)
  }
}

const neverFiring: Timer = {
  cancel() {
    // It is not set.
  },
}
