import { Unavailable } from '../consumer/handling/fate.js'
import { refusalOf } from '../producer/refusal.js'
import { SendError } from '../errors.js'
import type { Producer } from '../producer/producer.js'
import type { Topic } from '../topic/topic.js'
import { toldBy, type LetterOrigin } from './letter-formats.js'
import type { Letter } from './letter.js'
import type { OriginRecords } from './origin-records.js'
import type { Pace } from './pace.js'
import { RedriveStop } from './redrive-error.js'
import type { ResolvedRedrive } from './redrive-options.js'
import type { Refusal, RefusalReason } from './refusal.js'
import { letterTarget, parkedRecord, redrivenRecord, type OutgoingLetter, type RawRecord } from './redriven-record.js'
import type { UncommittedWork } from './uncommitted-work.js'
import { selected, type IsSelected } from './selection.js'
import type { LetterEnd, Tally } from './tally.js'

export interface LetterWayParts {
  /** `null` in a dry run. */
  readonly producer: Producer | null
  readonly origins: OriginRecords
  readonly pace: Pace
  readonly tally: Tally
  readonly uncommitted: Pick<UncommittedWork, 'isHeld' | 'mayGo'>
  /** A letter was not stored, and may be another time. */
  readonly onFailed: (topic: string, code: string) => void
  /** A letter was passed over that was meant. */
  readonly onRefused: (letter: Letter, refusal: Refusal) => void
  /** Aborts when no further letter may be sent. */
  readonly signal: AbortSignal
}

/**
 * What becomes of a letter, in this order:
 *
 * | a letter                                             | then |
 * |------------------------------------------------------|------|
 * | is not meant                                         | passed over |
 * | was redriven `maxHops` times                         | parked, or refused as `hops` |
 * | names no origin, and there is no default             | refused as `no-origin` |
 * | names a topic that is not allowed                    | refused as `outside` |
 * | is a pointer, and what it points at is deleted       | refused as `gone` |
 * | is sent, and stored                                  | redriven |
 * | is sent, and nobody knows whether it is stored       | sent again with the same id |
 * | is sent, and not stored since nothing answers        | sent again |
 * | is sent, and its topic does not take it              | refused as `not-taken` |
 * | is sent, and may not be, or the producer has ended   | the run ends |
 *
 * What is refused ends the run at it, unless `passOver` names the reason.
 */
export class LetterWay {
  readonly #redrive: ResolvedRedrive
  readonly #parts: LetterWayParts
  readonly #isSelected: IsSelected
  readonly #allowed: ReadonlySet<string>
  readonly #passOver: ReadonlySet<RefusalReason>
  readonly #targets = new Map<string, Topic<OutgoingLetter>>()

  constructor(redrive: ResolvedRedrive, parts: LetterWayParts) {
    this.#redrive = redrive
    this.#parts = parts
    this.#isSelected = selected(redrive.select)
    this.#allowed = new Set(redrive.allow)
    this.#passOver = new Set(redrive.passOver)
  }

  /**
   * @throws RedriveStop when the run must end
   * @throws Unavailable when the same letter may go another time
   */
  async end(letter: Letter): Promise<LetterEnd> {
    if (!this.#isSelected(letter)) return { kind: 'not-selected' }
    const end = await this.#send(letter)
    if (end.kind !== 'refused') return end
    if (!this.#passOver.has(end.why)) throw refused(letter, end)
    this.#parts.onRefused(letter, end)
    return end
  }

  async #send(letter: Letter): Promise<Exclude<LetterEnd, { kind: 'refused' }> | Refusal> {
    const { maxHops, parking, partition } = this.#redrive
    if (letter.hops >= maxHops) {
      if (parking === undefined) return refusal('hops', `was redriven ${letter.hops} time(s), and there is no parking`)
      return (await this.#store(parking, parkedRecord(letter))) ?? { kind: 'parked' }
    }
    const topic = letter.origin?.topic ?? this.#redrive.defaultOrigin
    if (topic === undefined)
      return refusal('no-origin', 'names no topic where it came from, and no defaultOrigin is set')
    if (letter.origin !== null && !this.#allowed.has(topic)) {
      return { ...refusal('outside', `names ${topic} as its origin, which allow does not`), topic }
    }
    const content = letter.isPointer ? await this.#followed(letter) : asRaw(letter)
    if (content === 'gone') {
      return refusal('gone', 'is a pointer to a record that is not in its topic any more')
    }
    const record = redrivenRecord(letter, content, partition)
    return (await this.#store(topic, record)) ?? { kind: 'redriven', topic, reason: letter.reason }
  }

  /** `null`: it is stored, or would be. */
  async #store(topic: string, record: OutgoingLetter): Promise<Refusal | null> {
    const { producer, tally, onFailed } = this.#parts
    if (producer === null) return null
    await this.#turn()
    const { headers } = record
    try {
      await producer.send(this.#target(topic), record, { headers })
      return null
    } catch (cause) {
      if (!(cause instanceof SendError)) throw notSent(topic, cause)
      if (cause.outcome === 'unknown') tally.sentInDoubt()
      if (cause.outcome === 'unknown' || cause.retriable) {
        onFailed(topic, cause.code)
        throw new Unavailable(`a letter is not known to be stored in ${topic} (${cause.code})`, cause)
      }
      const verdict = refusalOf(cause)
      if (verdict === 'too-large' || verdict === 'refused')
        return { ...refusal('not-taken', `is refused by ${topic} (${cause.code})`), cause }
      throw notSent(topic, cause)
    }
  }

  /** Who had a place in time while commits stood takes another one, so that not all go at once when they go on. */
  async #turn(): Promise<void> {
    const { pace, uncommitted, signal } = this.#parts
    do {
      await uncommitted.mayGo(signal)
      await pace.place(signal)
    } while (uncommitted.isHeld && !signal.aborted)
  }

  /** One for each name, since a producer keeps by it where records without a key go. */
  #target(name: string): Topic<OutgoingLetter> {
    const target = this.#targets.get(name) ?? letterTarget(name)
    this.#targets.set(name, target)
    return target
  }

  /** From its origin, or else from where it was read last: a redriven record is kept there when its origin is deleted. */
  async #followed({ origin, leftAt }: Letter): Promise<RawRecord | 'gone'> {
    if (origin === null || origin.partition === null || origin.offset === null) return 'gone'
    const { topic, partition, offset } = origin
    const first = await this.#parts.origins.read({ topic, partition, offset })
    // A header may name any topic, and what stands there must not come out by it.
    if (first !== 'gone' || leftAt === null || !this.#allowed.has(leftAt.topic)) return first
    const copy = await this.#parts.origins.read(leftAt)
    return copy !== 'gone' && isCopyOf(origin, copy) ? copy : 'gone'
  }
}

/** Does the record say that it came from there? */
function isCopyOf({ topic, partition, offset }: LetterOrigin, { headers }: RawRecord): boolean {
  const { origin } = toldBy(headers, 0)
  return origin?.topic === topic && origin.partition === partition && origin.offset === offset
}

function asRaw({ key, value, headers }: Letter): RawRecord {
  return { key, value, headers: [...headers] }
}

function refusal(why: RefusalReason, message: string): Refusal {
  return { kind: 'refused', why, message, topic: null }
}

function refused({ topic, partition, offset }: Letter, { why, message, cause }: Refusal): RedriveStop {
  const text =
    `the letter at offset ${offset} of ${topic}-${partition} ${message}; nothing of it was sent, and the redrive stands ` +
    `before it; mend that, select without it, or pass over such letters with passOver: ['${why}']`
  return new RedriveStop(why, text, { topic, partition, offset, cause })
}

function notSent(topic: string, cause: unknown): RedriveStop {
  const code = cause instanceof SendError ? cause.code : 'see cause'
  const text = `a letter could not be sent to ${topic} (${code}), and another attempt would not change that`
  return new RedriveStop('not-sent', text, { topic, cause })
}
