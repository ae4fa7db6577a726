import { describe, expect, it } from 'vitest'
import type { Batch } from '../../../src/consumer/handling/batch.js'
import { BatchFailure, DeadLetter, Discard, RetryLater, Unavailable } from '../../../src/consumer/handling/fate.js'
import type { FailedRecord } from '../../../src/consumer/handling/failed-record.js'
import type { HandlerContext, Middleware } from '../../../src/consumer/handling/handler.js'
import type { AssignedPartition } from '../../../src/driver/consumer.js'
import type { Message } from '../../../src/message/message.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { setUp, textTopic, type Options } from './consumer-setup.js'
import { records } from './fake-driver.js'

/** How a record fails: always, or the first few times; `unseen` sends what nobody awaits and what is refused twice. */
type Kind = 'good' | 'poisonous' | 'dropped' | 'refused' | 'flaky' | 'unavailable' | 'later' | 'unseen'

type Way = 'each' | 'batches' | 'loop'

const kinds: readonly Kind[] = [
  ...Array<Kind>(5).fill('good'),
  ...(['poisonous', 'dropped', 'refused', 'flaky', 'unavailable', 'later', 'unseen'] as const),
]
const partitions = [0, 1]
const recordsOfPartition = 24
const count = Number(process.env['TIDEMARK_HISTORIES'] ?? 8)

const placeOf = ({ partition, offset }: Pick<Message, 'partition' | 'offset'>) => `${partition}@${offset}`

const keyOf = (offset: number) => `k${offset % 5}`

class History {
  readonly problems: string[] = []
  readonly #random
  readonly #order: 'partition' | 'key' | 'none'
  readonly #way: Way
  readonly #hasLetters: boolean
  readonly #fates = new Map<string, { kind: Kind; left: number }>()
  /** Handled, dropped, or on the dead-letter topic. */
  readonly #done = new Set<string>()
  readonly #sends = new Map<string, number>()
  readonly #sent = new Set<string>()
  readonly #runningIn = new Set<string>()
  readonly #startOf = new Map<number, number>()
  readonly #owned = new Map<number, AssignedPartition>()
  readonly #waits: Promise<unknown>[] = []
  #letterFailures: number
  readonly #world

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    this.#order = this.#pick('partition', 'key', 'none')
    this.#way = this.#order === 'key' ? 'each' : this.#pick('each', 'batches', 'loop')
    this.#hasLetters = this.#chance(0.8)
    this.#letterFailures = this.#draw(6)
    for (const partition of partitions) {
      for (let offset = 0; offset < recordsOfPartition; offset += 1)
        this.#fates.set(placeOf({ partition, offset }), { kind: this.#pick(...kinds), left: 1 + this.#draw(4) })
    }
    this.#world = setUp(this.#options(), {
      deadLetter: this.#hasLetters ? (failed) => this.#letter(failed) : null,
      deadLetterPolicy: {
        breaker: this.#chance(0.3) ? { ratio: 0.9, minRecords: 50, consecutive: 3 } : null,
        afterwards: this.#pick('continue', 'continue', 'stop'),
      },
      send: (async (_: unknown, place: string) => this.#send(place)) as never,
    })
    this.#world.driver.commitMs = 10 * this.#draw(3)
  }

  /** Disturbed for a while, then left alone: in the end all is done, and committed. */
  async run(): Promise<readonly string[]> {
    const { clock, consumer } = this.#world
    await consumer.start()
    if (this.#way === 'loop') for (const loop of [consumer.batches(), consumer.batches()]) void this.#loop(loop)
    for (const partition of partitions) await this.#take(partition)
    for (let step = 0; step < 60 && this.problems.length === 0; step += 1) {
      this.#disturb(this.#pick(...partitions))
      await clock.advance(this.#draw(100))
      this.#checkCommits()
    }
    for (const fate of this.#fates.values()) {
      fate.left = Math.min(fate.left, 1)
      if (!this.#hasLetters && (fate.kind === 'poisonous' || fate.kind === 'refused')) fate.kind = 'good'
    }
    consumer.resume()
    await clock.runUntil(Promise.all(this.#waits))
    for (let step = 0; step < 400 && this.problems.length === 0 && !this.#isAllCommitted(); step += 1) {
      for (const partition of partitions) await this.#goOn(partition)
      await clock.advance(2_000)
      this.#checkCommits()
    }
    if (!this.#isAllCommitted()) this.problems.push(`stuck: ${JSON.stringify(consumer.facts().partitions)}`)
    await clock.runUntil(consumer.stop({ force: true }))
    return this.problems
  }

  #options(): Options {
    const handling: Record<Way, Options> = {
      each: { handle: (message, context) => this.#handle(message, context) },
      batches: { handleBatch: (messages, context) => this.#handleBatch(messages, context) },
      loop: { loop: true },
    }
    const waits = (first: number, most: number) => ({ backoff: { initialMs: first, maxMs: most } })
    const commits: Options['commit'][] = ['each', { everyMs: 50 }]
    if (this.#order === 'partition') commits.push('confirmed')
    return {
      ...handling[this.#way],
      ...(this.#way === 'each' ? {} : { batchMessages: 1 + this.#draw(6) }),
      topics: [textTopic('t')],
      order: this.#order,
      concurrency: 1 + this.#draw(8),
      drainMs: 2_000,
      retry: this.#pick<Options['retry']>(false, waits(10, 200), { retries: 6, ...waits(1, 20) }),
      outage: this.#pick<Options['outage']>(false, { decideAfterMs: 2_000 }),
      commit: this.#pick(...commits),
      use: this.#chance(0.5) ? [this.#pick(...this.#middleware())] : [],
      handlerTimeoutMs: this.#chance(0.1) ? 40 : 300_000,
      ...(this.#chance(0.3) ? this.#hooks() : {}),
    }
  }

  /** Of an application that keeps for itself what is done. */
  #hooks(): Options {
    const clock = () => this.#world.clock
    return {
      hookTimeoutMs: 1_000,
      onAssigned: async (places) => {
        await clock().sleep(this.#draw(200))
        if (this.#chance(0.2)) throw new Error('no database')
        if (this.#chance(0.1)) await clock().sleep(5_000)
        return this.#chance(0.5)
          ? undefined
          : places.map(({ topic, partition }) => ({ topic, partition, offset: this.#firstOpen(partition) }))
      },
      onRevoked: async () => {
        await clock().sleep(this.#draw(100))
        if (this.#chance(0.5)) await this.#world.consumer.commit({ timeoutMs: 500 }).catch(() => undefined) // given up
      },
    }
  }

  #firstOpen(partition: number): number {
    const at = Array.from({ length: recordsOfPartition }, (_, offset) => offset)
    const open = at.find((offset) => {
      const place = placeOf({ partition, offset })
      return !this.#done.has(place) || (this.#fateOf(place).kind === 'unseen' && !this.#sent.has(place))
    })
    const offset = open ?? recordsOfPartition
    this.#startOf.set(partition, Math.min(offset, this.#startOf.get(partition) ?? 0))
    return offset
  }

  #middleware(): readonly Middleware[] {
    return [
      (_, __, next) => next(),
      async (_, __, next) => {
        await this.#world.clock.sleep(3)
        await next()
      },
      // Which nobody should do.
      async (_, __, next) => void next(),
    ]
  }

  // ── Handlers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #handle(message: Message, context: HandlerContext): Promise<void> {
    this.#checkOrder(message)
    const lane = { partition: '', key: String(message.key), none: String(message.offset) }[this.#order]
    const running = `${message.partition}/${lane}`
    if (this.#runningIn.has(running)) this.problems.push(`two at a time in ${running}`)
    this.#runningIn.add(running)
    try {
      await this.#workOn(message, context)
      if (!context.signal.aborted) this.#done.add(placeOf(message))
    } finally {
      this.#runningIn.delete(running)
    }
  }

  async #handleBatch(messages: readonly Message[], context: HandlerContext): Promise<void> {
    this.#checkOrder(messages[0] as Message)
    const handled: string[] = []
    const isSaid = this.#chance(0.7)
    try {
      for (const [index, message] of messages.entries()) {
        await this.#workOn(message, context).catch((error: unknown) => {
          throw isSaid ? new BatchFailure(this.#chance(0.5) ? index : message, error) : (error as Error)
        })
        handled.push(placeOf(message))
      }
    } catch (error) {
      if (isSaid && !context.signal.aborted) for (const place of handled) this.#done.add(place)
      throw error
    }
    if (!context.signal.aborted) for (const place of handled) this.#done.add(place)
  }

  async #loop(batches: AsyncIterable<Batch>): Promise<void> {
    for await (const batch of batches) {
      try {
        await this.#handleBatch(batch.messages, batch)
        if (this.#chance(0.5)) batch.done()
        else await batch.commit().catch(() => undefined) // given up
      } catch (error) {
        batch.fail(error)
      }
    }
  }

  async #workOn(message: Message, context: HandlerContext): Promise<void> {
    const place = placeOf(message)
    const fate = this.#fateOf(place)
    if (fate.kind === 'unseen') void context.send({ name: 'x' } as never, place)
    if (this.#chance(0.7)) await this.#world.clock.sleep(this.#draw(15))
    const error = this.#failure(fate)
    if (error instanceof Discard) this.#done.add(place)
    if (error !== undefined) throw error
  }

  #failure(fate: { readonly kind: Kind; left: number }): Error | undefined {
    const few = (error: Error) => ((fate.left -= 1) >= 0 ? error : undefined)
    switch (fate.kind) {
      case 'poisonous':
        return new Error('cannot be handled')
      case 'dropped':
        return new Discard('not for us')
      case 'refused':
        return new DeadLetter('never')
      case 'flaky':
        return few(new Error('not now'))
      case 'unavailable':
        return few(new Unavailable('the database is down'))
      case 'later':
        return few(new RetryLater(this.#draw(300)))
      case 'good':
      case 'unseen':
        return undefined
    }
  }

  async #send(place: string): Promise<void> {
    await this.#world.clock.sleep(this.#draw(10))
    const times = (this.#sends.get(place) ?? 0) + 1
    this.#sends.set(place, times)
    if (times <= 2) throw new Error('no broker')
    this.#sent.add(place)
  }

  async #letter({ partition, record: { offset } }: FailedRecord): Promise<void> {
    await this.#world.clock.sleep(this.#draw(20))
    if (this.#chance(0.5) && (this.#letterFailures -= 1) >= 0) throw new Error('no leader')
    const place = placeOf({ partition, offset })
    this.#done.add(place)
    this.#sent.add(place)
  }

  // ── What happens to it ────────────────────────────────────────────────────────────────────────────────────────────

  #disturb(partition: number): void {
    const { consumer, driver } = this.#world
    const owned = this.#owned.get(partition)
    const what = this.#draw(14)
    if (what < 7) this.#feed(partition)
    if (what === 7) consumer.pause([{ topic: 't', partition }])
    if (what === 8) consumer.resume([{ topic: 't', partition }])
    if (what === 13) driver.outcomes.push(this.#pick('pending', 'in-doubt', 'metadata-too-large'))
    if (owned === undefined || what < 9) return
    if (what < 11) this.#owned.delete(partition)
    if (what === 9) this.#waits.push(driver.revoke(owned, 5_000).then(() => this.#take(partition)))
    if (what === 10) {
      driver.lose(owned)
      this.#waits.push(this.#take(partition))
    }
    if (what === 11 && this.#chance(0.4)) this.#waits.push(this.#seekBack(partition))
    if (what === 12) this.#waits.push(this.#restartStopped(partition))
  }

  async #goOn(partition: number): Promise<void> {
    await this.#world.clock.runUntil(this.#restartStopped(partition))
    if (!this.#owned.has(partition)) await this.#take(partition)
    this.#feed(partition)
  }

  #feed(partition: number): void {
    const { consumer, driver } = this.#world
    const owned = this.#owned.get(partition)
    const from = owned === undefined ? recordsOfPartition : consumer.position('t', partition)
    const to = Math.min(recordsOfPartition, from + 1 + this.#draw(8))
    if (owned === undefined || from < 0 || from === to) return
    driver.deliver(owned, records(from, to, keyOf))
  }

  async #take(partition: number): Promise<void> {
    const { driver } = this.#world
    const stored = driver.committed('t', partition)
    this.#startOf.set(partition, stored?.nextOffset ?? 0)
    const committed = stored === undefined ? null : { offset: stored.nextOffset, metadata: stored.metadata }
    this.#owned.set(partition, await driver.assign('t', partition, { committed }))
  }

  async #seekBack(partition: number): Promise<void> {
    const offset = Math.min(this.#draw(recordsOfPartition), this.#startOf.get(partition) ?? 0)
    await this.#world.consumer.seek('t', partition, offset).catch(() => undefined) // taken away meanwhile
  }

  async #restartStopped(partition: number): Promise<void> {
    const { consumer } = this.#world
    const facts = consumer.facts().partitions.find((one) => one.partition === partition)
    if (facts?.state === 'stopped') await consumer.restart('t', partition).catch(() => undefined) // taken away meanwhile
  }

  // ── What must hold ────────────────────────────────────────────────────────────────────────────────────────────────

  #checkOrder({ partition, offset }: Message): void {
    if (this.#order === 'none') return
    for (let before = this.#startOf.get(partition) ?? 0; before < offset; before += 1) {
      const isOfItsLane = this.#order === 'partition' || keyOf(before) === keyOf(offset)
      if (!isOfItsLane || this.#done.has(placeOf({ partition, offset: before }))) continue
      this.problems.push(`${partition}@${offset} begins before ${before} is done`)
      return
    }
  }

  #checkCommits(): void {
    for (const partition of partitions) {
      const committed = this.#world.driver.committed('t', partition)?.nextOffset ?? 0
      for (let offset = 0; offset < committed; offset += 1) {
        const place = placeOf({ partition, offset })
        if (!this.#done.has(place)) this.problems.push(`committed ${committed} passes ${place}, which is not done`)
        if (this.#fateOf(place).kind === 'unseen' && !this.#sent.has(place))
          this.problems.push(`committed ${committed} passes ${place}, of which a send is lost`)
      }
    }
  }

  #isAllCommitted(): boolean {
    const { driver } = this.#world
    return partitions.every((partition) => driver.committed('t', partition)?.nextOffset === recordsOfPartition)
  }

  #fateOf(place: string) {
    return this.#fates.get(place) as { kind: Kind; left: number }
  }

  #draw(below: number): number {
    return Math.floor(this.#random.next() * below)
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability
  }

  #pick<Choice>(...choices: readonly Choice[]): Choice {
    return choices[this.#draw(choices.length)] as Choice
  }
}

describe('records that fail in every way, over rebalances, seeks, pauses and restarts', () => {
  it(`are all done in the end, in order, and none is committed before it is: ${count} histories`, async () => {
    const failed: string[] = []
    for (let seed = 1; seed <= count; seed += 1) {
      const [problem] = await new History(seed).run()
      if (problem !== undefined) failed.push(`seed ${seed}: ${problem}`)
    }
    expect(failed).toEqual([])
  })
})
