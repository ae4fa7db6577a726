import { disorderSeconds, type Arrival } from '../access/arrivals.js'
import { rawEventId } from '../ids.js'
import { readSource, sources, type Source } from '../sources.js'
import type { RawEvent } from '../topics.js'
import { randomBy } from './random.js'

/** W2: each of `hosts` has a series like one of the five, begun at another time and with noise of its own; one tenant each 10. */
export async function fanOut(hosts: number, rows: number, seed: number, firstRow = 0): Promise<Arrival[]> {
  const random = randomBy(seed)
  const source = { ...(sources[2] as Source), rows: firstRow + rows }
  const base = (await readSource(source)).slice(firstRow)
  const clones = Array.from({ length: hosts }, (_, host) => {
    const shift = Math.floor(random() * 300)
    return base.map((event, row): Arrival => {
      const timestamp = event.timestamp + shift
      const raw_data = {
        ...event.raw_data,
        value: event.raw_data.value * (0.98 + random() * 0.04),
        dimensions: { instance: `host-${host}` },
      }
      const id = rawEventId(`w2/${host}`, row + 1)
      return { at: timestamp, event: { ...event, event_id: id, raw_data, timestamp, bk_biz_id: 100 + (host % 10) } }
    })
  })
  return clones.flat().sort((one, other) => one.at - other.at)
}

/** W5: the same, with 60 % of the hosts at one tenant. */
export async function skewed(hosts: number, rows: number, seed: number): Promise<Arrival[]> {
  const arrivals = await fanOut(hosts, rows, seed)
  return arrivals.map(({ at, event }) => {
    const host = Number((event as RawEvent).raw_data.dimensions['instance']?.slice(5))
    return { at, event: host % 5 < 3 ? { ...(event as RawEvent), bk_biz_id: 7 } : event }
  })
}

/** What was done to a clean input. */
export interface Dirt {
  readonly arrivals: readonly Arrival[]
  readonly duplicates: number
  readonly late: number
  readonly tooLate: number
  readonly deadLetters: number
  readonly unknownMetrics: number
}

/** W4: duplicates, late rows, rows later than the watermark, and what is no event at all. */
export function dirty(clean: readonly Arrival[], seed: number): Dirt {
  const random = randomBy(seed)
  const counts = { duplicates: 0, late: 0, tooLate: 0, deadLetters: 0, unknownMetrics: 0 }
  const arrivals: Arrival[] = []
  const poison = (event: RawEvent): unknown => {
    const kinds: unknown[] = [
      `${JSON.stringify(event)}\0trailing`,
      { ...event, raw_data: { ...event.raw_data, value: 'NaN' } },
      { ...event, schema_version: 99, raw_data: null },
      { ...event, event_source: 'x'.repeat(2 * 1_048_576) },
    ]
    // The large one is rare, or it is all that moves.
    return kinds[random() < 0.02 ? 3 : Math.floor(random() * 3)]
  }
  for (const { at, event } of clean) {
    const raw = event as RawEvent
    const chance = random()
    if (chance < 0.01) {
      counts.late += 1
      arrivals.push({ at: Math.max(at, raw.timestamp + Math.floor(random() * disorderSeconds)), event })
      continue
    }
    if (chance < 0.011) {
      counts.tooLate += 1
      arrivals.push({ at: at + 4 * disorderSeconds, event })
      continue
    }
    arrivals.push({ at, event })
    if (chance < 0.021) {
      counts.duplicates += 1
      arrivals.push({ at: at + 60, event })
    } else if (chance < 0.023) {
      counts.deadLetters += 1
      arrivals.push({ at, event: poison(raw) })
    } else if (chance < 0.025) {
      counts.unknownMetrics += 1
      const id = rawEventId('w4/unknown', counts.unknownMetrics)
      const raw_data = { ...raw.raw_data, metric: 'nobody.asks' }
      arrivals.push({ at, event: { ...raw, event_id: id, raw_data } })
    }
  }
  return { arrivals: arrivals.sort((one, other) => one.at - other.at), ...counts }
}
