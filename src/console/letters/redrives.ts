import { createHash } from 'node:crypto'
import { z } from 'zod'
import { TidemarkError } from '../../errors.js'
import type { Messaging } from '../../messaging.js'
import type { RedriveOptions } from '../../redrive/redrive-options.js'
import { redrive } from '../../redrive/redrive.js'
import { refusalReasons } from '../../redrive/refusal.js'
import type { RedriveProgress, RedriveSummary } from '../../redrive/tally.js'
import type { Random } from '../../runtime/random.js'
import { thrownText } from '../../runtime/thrown.js'
import { redriveGroup } from '../model/redrive-group.js'
import { letterFilter, selectionOf, type LetterFilter } from './letter-filter.js'

/** What a page asks to have sent back. */
export const redriveRequest = z.strictObject({
  topic: z.string().min(1).max(249),
  /** Topics that the letters may go to; each must be allowed by whoever started the console. */
  to: z.array(z.string().min(1).max(249)).min(1).max(100),
  filter: letterFilter,
  perSecond: z.number().min(1).max(100_000).optional(),
})

export type RedriveRequest = z.output<typeof redriveRequest>

/** The page asked for what the console may not do. */
export class Refused extends TidemarkError {
  override readonly name = 'Refused'
}

export type RedriveState = 'planned' | 'running' | 'done' | 'aborted' | 'failed'

export interface RedriveView {
  /** Of no other one, also not of a console that was started anew. */
  readonly id: string
  readonly topic: string
  readonly to: readonly string[]
  readonly filter: LetterFilter
  /** Consumer group that keeps its progress: the same letters to the same topics go on there. */
  readonly group: string
  readonly state: RedriveState
  /** What would be done. */
  readonly plan: RedriveSummary
  /** `null` before it runs. */
  readonly progress: RedriveProgress | null
  readonly failure: string | null
}

interface Job {
  view: RedriveView
  readonly options: RedriveOptions
  readonly stop: AbortController
}

const mostJobs = 50
const stallMs = 60_000

/**
 * Redrives that pages ask for. Each is a dry run first; only that very one can be run, once.
 *
 * | redrive is | what happens | becomes |
 * |------------|--------------|---------|
 * | – | dry run ends | planned |
 * | planned | run, with the name of its topic | running, unless another one of that topic is |
 * | running | all is done | done |
 * | running | stop | aborted: what is on its way is finished, progress is kept |
 * | running | it cannot go on | failed: with what was done until then |
 *
 * What is killed meanwhile goes on when the same redrive is planned and run again: progress is kept as commits of its group.
 */
export class Redrives {
  readonly #messaging: Messaging
  readonly #allowed: readonly string[]
  readonly #onChange: (view: RedriveView) => void
  readonly #jobs = new Map<string, Job>()
  readonly #running = new Set<Promise<void>>()
  readonly #random: Pick<Random, 'uuid'>

  constructor(
    messaging: Messaging,
    allowed: readonly string[],
    random: Pick<Random, 'uuid'>,
    onChange: (view: RedriveView) => void,
  ) {
    this.#messaging = messaging
    this.#allowed = allowed
    this.#random = random
    this.#onChange = onChange
  }

  views(): readonly RedriveView[] {
    return [...this.#jobs.values()].map(({ view }) => view)
  }

  /** @throws Refused when a topic is not allowed */
  async plan(request: RedriveRequest): Promise<RedriveView> {
    const outside = request.to.find((topic) => !this.#allowed.includes(topic))
    if (outside !== undefined) {
      const message = `letters may not go to ${outside}: start the console with --redrive-to ${outside} to allow it`
      throw new Refused('outside', message)
    }
    const stop = new AbortController()
    const group = groupOf(request)
    const { topic, to, filter, perSecond } = request
    const options: RedriveOptions = {
      ...{ from: topic, allow: to, group, perSecond, stallMs },
      select: selectionOf(filter),
      // What may not go is counted, and stays where it is.
      passOver: refusalReasons,
      signal: stop.signal,
    }
    const plan = await redrive(this.#messaging, { ...options, dryRun: true })
    const id = this.#random.uuid()
    const view: RedriveView = { id, topic, to, filter, group, state: 'planned', plan, progress: null, failure: null }
    this.#jobs.set(id, { view, options, stop })
    this.#forgetOld()
    this.#onChange(view)
    return view
  }

  /**
   * Begins it; how it goes `onChange` is told.
   *
   * @param confirmed name of the dead-letter topic, as somebody typed it
   * @throws Refused when it is not confirmed, or not to be run now
   */
  run(id: string, confirmed: string): RedriveView {
    const job = this.#job(id)
    const { topic, state } = job.view
    if (confirmed !== topic) throw new Refused('not-confirmed', 'type the name of the dead-letter topic to start')
    if (state !== 'planned') throw new Refused('not-planned', `this redrive is ${state}: make another dry run`)
    if (this.views().some((other) => other.topic === topic && other.state === 'running')) {
      throw new Refused('busy', `another redrive of ${topic} is running: wait for its end, or stop it`)
    }
    this.#change(job, { state: 'running' })
    const running = this.#toEnd(job).finally(() => this.#running.delete(running))
    this.#running.add(running)
    return job.view
  }

  stop(id: string): RedriveView {
    const job = this.#job(id)
    job.stop.abort()
    return job.view
  }

  /** Ends those that run, in order. */
  async close(): Promise<void> {
    for (const { stop } of this.#jobs.values()) stop.abort()
    await Promise.all(this.#running)
  }

  /** Never rejects. */
  async #toEnd(job: Job): Promise<void> {
    const onProgress = (progress: RedriveProgress) => this.#change(job, { progress })
    try {
      const { ended, ...progress } = await redrive(this.#messaging, { ...job.options, onProgress })
      this.#change(job, { state: ended, progress })
    } catch (error) {
      this.#change(job, { state: 'failed', failure: thrownText(error).message })
    }
  }

  #change(job: Job, changes: Partial<RedriveView>): void {
    job.view = { ...job.view, ...changes }
    this.#onChange(job.view)
  }

  #job(id: string): Job {
    const job = this.#jobs.get(id)
    if (job === undefined) throw new Refused('not-planned', 'there is no such redrive: make a dry run first')
    return job
  }

  #forgetOld(): void {
    for (const [id, { view }] of this.#jobs) {
      if (this.#jobs.size <= mostJobs) return
      if (view.state !== 'running') this.#jobs.delete(id)
    }
  }
}

/** Another selection is another redrive. */
function groupOf({ topic, to, filter }: RedriveRequest): string {
  const meant = JSON.stringify([topic, [...to].sort(), Object.entries(filter).sort()])
  return redriveGroup(topic, createHash('sha256').update(meant).digest('hex').slice(0, 12))
}
