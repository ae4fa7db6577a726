import { setTimeout as sleep } from 'node:timers/promises'
import type { Messaging } from 'tidemark'
import type { Service } from './service.js'

interface Life {
  readonly client: Messaging
  readonly service: Service
}

/** One service over its lives: as kill -9 and a start anew would have it, inside this process. */
export class Lives {
  #life: Life | null = null
  #former: Readonly<Record<string, number>> = {}

  constructor(
    private readonly begin: (onStopped: (error: Error) => void) => Life,
    private readonly onStopped: (error: Error) => void,
  ) {}

  async start(): Promise<void> {
    const life: Life = this.begin((error) => {
      // The dead have nothing to say.
      if (this.#life === life) this.onStopped(error)
    })
    this.#life = life
    await life.service.start()
  }

  /** Over all lives; what one did and could not tell is done again by the next, and counted again. */
  counts(): Readonly<Record<string, number>> {
    const sum: Record<string, number> = { ...this.#former }
    for (const [name, n] of Object.entries(this.#life?.service.counts() ?? {})) sum[name] = (sum[name] ?? 0) + n
    return sum
  }

  lag(): number | null {
    return this.#life?.service.lag() ?? null
  }

  /** Once it is cut off it cannot send, commit or say goodbye; closing ends what still runs of it in this process. */
  async restart(cut: () => void, downMs: number, signal: AbortSignal): Promise<void> {
    const dead = this.#life
    cut()
    this.#former = this.counts()
    this.#life = null
    await dead?.client.close({ force: true })
    await sleep(downMs, undefined, { signal })
    await this.start()
  }

  async end(): Promise<void> {
    await this.#life?.client.close()
  }
}
