import type { JavaRecord } from './java-client.js'
import type { Ledger, LedgerState, RecordId } from './ledger.js'

/** What the comparison of a ledger with the log counts as broken. */
export const violations = [
  /** I1: said to be stored, and not there. */
  'lost',
  /** I1, I3: there more than once. */
  'doubled',
  /** I2: said not to be stored, and there. */
  'notStoredButPresent',
  /** I4: stored at another place than it was said. */
  'misplaced',
  /** I5: behind a record of the same producer and key that was sent later, or in another partition than its key. */
  'outOfOrder',
  /** Neither stored, nor not stored, nor unknown: the producer never answered. */
  'unsettled',
  /** In the log, and never sent. */
  'foreign',
] as const
export type Violation = (typeof violations)[number]

export interface Report {
  readonly acknowledged: number
  readonly notStored: number
  readonly unknown: number
  readonly unknownPresent: number
  readonly inLog: number
  readonly broken: Readonly<Record<Violation, number>>
  /** The first few of each kind, in words. */
  readonly examples: Readonly<Record<Violation, readonly string[]>>
}

const examplesKept = 5

/** Compares a ledger with a topic's log as a second client read it: record by record, in order within each partition. */
export class Checker {
  readonly #seen: number[][] = []
  readonly #places: Map<number, { partition: number; offset: number }>[] = []
  readonly #keys = new Map<string, { partition: number; lastSequence: number }>()
  readonly #broken = Object.fromEntries(violations.map((name) => [name, 0])) as Record<Violation, number>
  readonly #examples = Object.fromEntries(violations.map((name) => [name, [] as string[]])) as Record<
    Violation,
    string[]
  >
  readonly #lost: { readonly partition: number; readonly offset: number }[] = []
  #inLog = 0

  constructor(private readonly ledger: Ledger) {}

  /** Where the records stand that were said to be stored and are not there; complete after `report`. */
  get lost(): readonly { readonly partition: number; readonly offset: number }[] {
    return this.#lost
  }

  record({ value, partition, offset }: Pick<JavaRecord, 'value' | 'partition' | 'offset'>): void {
    this.#inLog++
    const text = value?.toString('latin1') ?? ''
    const id = this.ledger.identify(text)
    if (id === undefined) return this.#note('foreign', `partition ${partition} offset ${offset}`)
    const seen = (this.#seen[id.producer] ??= [])
    const times = (seen[id.sequence] ?? 0) + 1
    seen[id.sequence] = times
    if (times > 1) {
      const first = this.#places[id.producer]?.get(id.sequence)
      this.#note('doubled', `${name(id)} at ${first?.partition}@${first?.offset} and ${partition}@${offset}`)
      return
    }
    ;(this.#places[id.producer] ??= new Map()).set(id.sequence, { partition, offset })
    this.#checkOrder(id, partition, offset)
  }

  #checkOrder(id: RecordId, partition: number, offset: number): void {
    const key = this.ledger.key(id)
    if (key === '') return
    const lane = `${id.producer} ${key}`
    const last = this.#keys.get(lane)
    if (last === undefined) {
      this.#keys.set(lane, { partition, lastSequence: id.sequence })
    } else if (last.partition !== partition) {
      this.#note('outOfOrder', `${name(id)} in partition ${partition}, its key in ${last.partition} before`)
    } else if (id.sequence < last.lastSequence) {
      this.#note(
        'outOfOrder',
        `${name(id)} at ${partition}@${offset}, behind ${name({ ...id, sequence: last.lastSequence })}`,
      )
    } else {
      last.lastSequence = id.sequence
    }
  }

  /** After every record of the log was shown. */
  report(): Report {
    let unknownPresent = 0
    for (let producer = 0; producer < this.ledger.producers; producer++) {
      for (let sequence = 0; sequence < this.ledger.sent(producer); sequence++) {
        const id = { producer, sequence }
        const place = this.#places[producer]?.get(sequence)
        const state = this.ledger.state(id)
        if (state === 'unknown' && place !== undefined) unknownPresent++
        this.#checkState(id, state, place)
      }
    }
    const { stored, unknown, 'not-stored': notStored } = this.ledger.counts
    return {
      acknowledged: stored,
      notStored,
      unknown,
      unknownPresent,
      inLog: this.#inLog,
      broken: this.#broken,
      examples: this.#examples,
    }
  }

  #checkState(id: RecordId, state: LedgerState, place: { partition: number; offset: number } | undefined): void {
    switch (state) {
      case 'stored': {
        const said = this.ledger.position(id)
        if (place === undefined) {
          this.#lost.push(said)
          this.#note('lost', `${name(id)} said to be at ${said.partition}@${said.offset}`)
        } else if (this.#seen[id.producer]?.[id.sequence] === 1 && !samePlace(place, said)) {
          this.#note(
            'misplaced',
            `${name(id)} said to be at ${said.partition}@${said.offset}, is at ${place.partition}@${place.offset}`,
          )
        }
        break
      }
      case 'not-stored':
        if (place !== undefined) this.#note('notStoredButPresent', `${name(id)} at ${place.partition}@${place.offset}`)
        break
      case 'invoked':
        this.#note('unsettled', name(id))
        break
      case 'unknown':
        break
    }
  }

  #note(violation: Violation, example: string): void {
    this.#broken[violation]++
    if (this.#examples[violation].length < examplesKept) this.#examples[violation].push(example)
  }
}

const name = ({ producer, sequence }: RecordId): string => `record ${producer}/${sequence}`
const samePlace = (a: { partition: number; offset: number }, b: { partition: number; offset: number }): boolean =>
  a.partition === b.partition && a.offset === b.offset
