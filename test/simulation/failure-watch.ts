import type { LetterForm } from '../../src/consumer/handling/failed-record.js'
import type { TidemarkError } from '../../src/errors.js'
import type { TopicPartition } from '../../src/message/topic-partition.js'
import type { ClientEvent } from '../../src/telemetry/events.js'
import type { Coverage } from './coverage.js'
import type { Report } from './invariant.js'
import type { Plan } from './plan.js'
import type { Tenure } from './tenures.js'

interface WatchTools {
  readonly plan: Plan
  readonly coverage: Coverage
  readonly report: Report
  readonly now: () => number
  readonly tenureOf: (place: TopicPartition) => Tenure | undefined
}

/** What the watch knows of one tenure. */
interface Known {
  readonly letters: Set<number>
  /** When a record failed first. */
  failedAt: number | null
  /** Letters with nothing handled between them. */
  inARow: number
  /** Behind this letter its partition stops. */
  stopsBehind: number | null
}

/** Longest that a record waits which most likely is to blame. */
const likelyMs = 2_000

/**
 * What becomes of the failures of one consumer, by what it tells: how many letters are a flood, behind which of them it
 * stops, and when it gives a record up in doubt.
 */
export class FailureWatch {
  readonly #tools: WatchTools
  readonly #known = new WeakMap<Tenure, Known>()
  #gaveUpAt = -Infinity
  /** Since anything succeeded. */
  #gaveUp = 0

  constructor(
    readonly name: string,
    tools: WatchTools,
  ) {
    this.#tools = tools
  }

  heard(event: ClientEvent): void {
    if (event.kind === 'dead-lettered') this.#lettered(event, event.offset, event.form)
    else if (event.kind === 'given-up-in-doubt') this.#gaveUpOne(event, event.offset)
  }

  /** A handler begins. */
  started({ topic, partition }: TopicPartition, offset: number): void {
    const known = this.#of({ topic, partition })
    if (known === null || known.stopsBehind === null || !this.#isInOrder || offset <= known.stopsBehind) return
    this.#tools.report(
      'nothing behind a letter that stops its partition is handled',
      `${this.name} handles ${topic}-${partition}@${offset} behind ${known.stopsBehind}`,
    )
  }

  /** A handler ended, and its record is done. */
  handled(place: TopicPartition): void {
    this.#gaveUp = 0
    const known = this.#of(place)
    if (known !== null) known.inARow = 0
  }

  /** A handler ended, and its record is not. */
  failed(place: TopicPartition): void {
    const known = this.#of(place)
    if (known !== null) known.failedAt ??= this.#tools.now()
  }

  stopped(place: TopicPartition, { code, offset }: TidemarkError): void {
    const { plan, report } = this.#tools
    const known = this.#of(place)
    const what = `${this.name} stopped ${place.topic}-${place.partition} at ${offset}`
    if (code === 'stopped-behind' && (offset === undefined || known?.letters.has(offset) === false))
      report('a partition stops behind a letter when that is stored', what)
    if (code !== 'flood' || !this.#isInOrder || plan.breaker === false || known === null) return
    if (known.inARow !== plan.breaker.consecutive)
      report('a flood is as many letters in a row as were set', `${what} after ${known.inARow} in a row`)
  }

  #lettered(place: TopicPartition, offset: number, form: LetterForm): void {
    const { plan, coverage, report } = this.#tools
    if (form === 'pointer') coverage.met('letter that points to its origin')
    const known = this.#of(place)
    if (known === null) return
    const what = `${this.name} has put ${place.topic}-${place.partition}@${offset} on the dead-letter topic`
    if (known.letters.has(offset)) report('a letter is stored once by who holds its partition', `${what} twice`)
    known.letters.add(offset)
    known.inARow += 1
    if (plan.breaker !== false && this.#isInOrder && known.inARow > plan.breaker.consecutive)
      report('a flood of letters stops its partition', `${what}, ${known.inARow} in a row`)
    if (plan.afterwards === 'stop') known.stopsBehind = Math.max(offset, known.stopsBehind ?? -1)
  }

  /**
   * Short outages are told by nobody: they began with the first failure of their partition or later. Those of a store of
   * marks begin and end unseen.
   */
  #gaveUpOne({ topic, partition }: TopicPartition, offset: number): void {
    const { plan, coverage, report, now } = this.#tools
    const failedAt = this.#of({ topic, partition })?.failedAt ?? -Infinity
    const leastMs = Math.min(plan.decideAfterMs * (this.#gaveUp === 0 ? 1 : 10), likelyMs * 2 ** this.#gaveUp)
    const waitedMs = now() - Math.max(failedAt, this.#gaveUpAt)
    if (waitedMs < leastMs && plan.dedupe === 'none') {
      const detail = `${this.name} gave ${topic}-${partition}@${offset} up after ${waitedMs} ms, not ${leastMs}`
      report('one record is given up in doubt after its time, the next after ten times as long', detail)
    }
    coverage.met(this.#gaveUp === 0 ? 'given up in doubt' : 'given up in doubt again')
    this.#gaveUpAt = now()
    this.#gaveUp += 1
  }

  /** One record after another, so that what is told has the order in which it was decided. */
  get #isInOrder(): boolean {
    const { order, handling, reorder } = this.#tools.plan
    return order === 'partition' && handling === 'each' && reorder === null
  }

  #of(place: TopicPartition): Known | null {
    const tenure = this.#tools.tenureOf(place)
    if (tenure === undefined) return null
    let known = this.#known.get(tenure)
    if (known === undefined)
      this.#known.set(tenure, (known = { letters: new Set(), failedAt: null, inARow: 0, stopsBehind: null }))
    return known
  }
}
