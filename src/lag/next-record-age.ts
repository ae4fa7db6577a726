import { partitionKey, type TopicPartition } from '../message/topic-partition.js'
import type { Admin } from '../operations/admin.js'

/** Where a group goes on. */
export interface NextRecord extends TopicPartition {
  /** `null`: with the first that is there. */
  readonly committed: number | null
  readonly end: number
}

/** Ages that one look tells apart, ms: a minute, ten, an hour, six, a day, three, a week. */
const steps: readonly number[] = [60_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 259_200_000, 604_800_000]

interface Asked {
  readonly place: NextRecord
  /** So many of the steps it is older than, as far as is known. */
  passed: number
}

/**
 * How old the record is at the least that each reads next. Without reading it: brokers tell what was first written since
 * then. Each leader is asked once for all that it leads, and again only for what is older than it was asked for; of what was
 * the next record at the look before, only whether it has become older than the next step since.
 */
export class NextRecordAges {
  readonly #admin: Pick<Admin, 'listOffsets'>
  /** Of the look before, by partition and offset. */
  #known: ReadonlyMap<string, Asked> = new Map()

  constructor(admin: Pick<Admin, 'listOffsets'>) {
    this.#admin = admin
  }

  /**
   * In ms and in order; 0 where nothing tells that it is older than a minute: behind a record with a younger time it may be.
   *
   * @param places with records left to read
   */
  async look(
    places: readonly NextRecord[],
    now: number,
    call: { readonly timeoutMs: number },
  ): Promise<readonly number[]> {
    const all = places.map((place): Asked => ({ place, passed: this.#passed(place) }))
    let open: readonly Asked[] = all
    while ((open = open.filter(({ passed }) => passed < steps.length)).length > 0) {
      const older = steps.map((age, step) => {
        const asked = open.filter(({ passed }) => passed === step)
        return asked.length === 0 ? [] : this.#olderThan(asked, Math.max(0, now - age), call)
      })
      open = (await Promise.all(older)).flat()
      for (const one of open) one.passed += 1
    }
    this.#known = new Map(all.map((one) => [keyOf(one.place), one]))
    return all.map(({ passed }) => steps[passed - 1] ?? 0)
  }

  /** A log that became shorter is another one. */
  #passed(place: NextRecord): number {
    const known = this.#known.get(keyOf(place))
    return known === undefined || known.place.end > place.end ? 0 : known.passed
  }

  async #olderThan(
    asked: readonly Asked[],
    timestamp: number,
    call: { readonly timeoutMs: number },
  ): Promise<readonly Asked[]> {
    const partitions = asked.map(({ place: { topic, partition } }) => ({ topic, partition }))
    const young = await this.#admin.listOffsets(partitions, { timestamp }, call)
    return asked.filter(({ place }, at) => (place.committed ?? 0) < (young[at] as number))
  }
}

function keyOf({ topic, partition, committed }: NextRecord): string {
  return `${partitionKey(topic, partition)}@${committed ?? ''}`
}
