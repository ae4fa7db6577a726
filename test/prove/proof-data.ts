import type { FaultKind } from '../../src/pictures/bands.js'

export const format = 'tidemark-proof/1'

/** Milliseconds since the first record was due, wherever a moment is told. */
export interface ProofData {
  readonly format: typeof format
  readonly run: {
    readonly seed: number
    readonly startedAt: string
    readonly kafka: string
    readonly nodes: number
    readonly node: string
    readonly cores: number
  }
  readonly load: {
    readonly records: number
    readonly perSecond: number
    readonly partitions: number
    readonly keys: number
    readonly valueBytes: number
  }
  readonly faults: readonly {
    readonly kind: FaultKind
    /** In words, as it stands on the band. */
    readonly target: string
    readonly fromMs: number
    readonly toMs: number
    /** How often: one, or as often as the proxies struck. */
    readonly count: number
  }[]
  readonly clients: readonly ClientData[]
}

export interface ClientData {
  readonly name: string
  readonly version: string
  readonly settings: Readonly<Record<string, string | number | boolean>>
  readonly totals: Totals
  /** When the last record had long been sent: not among those of any half second. */
  readonly acknowledgedLater: number
  /** One for each half second, the first for what was before 500 ms. */
  readonly every500ms: {
    /** In that half second. */
    readonly acknowledged: readonly number[]
    /** Of the records due until then. */
    readonly lost: readonly number[]
    readonly doubled: readonly number[]
    /** Acknowledged and not yet handled; null where no consumer could tell. */
    readonly lag: readonly (number | null)[]
  }
  readonly rebalances: readonly { readonly atMs: number; readonly tookMs: number }[]
  /** base64 of half a byte for each record, in the order they were due: an index of `states`. */
  readonly map: string
}

export interface Totals {
  readonly acknowledged: number
  readonly lost: number
  readonly doubled: number
  readonly outOfOrder: number
  readonly unknown: number
  readonly notStored: number
}

/** What became of a record, by what its sender was told and what the log holds; the index is its number in the map. */
export const states = [
  'stored once',
  'lost: acknowledged, not in the log',
  'in the log twice',
  'in the log more often',
  'reported unknown',
  'reported not stored, and not there',
  'reported not stored, but there',
  'not answered by the end',
] as const

export function packed(map: Uint8Array): string {
  const bytes = new Uint8Array(Math.ceil(map.length / 2))
  map.forEach((state, index) => (bytes[index >> 1] = (bytes[index >> 1] ?? 0) | (state << (index % 2 === 0 ? 4 : 0))))
  return Buffer.from(bytes).toString('base64')
}

export function unpacked(text: string, records: number): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  return Uint8Array.from(
    { length: records },
    (_, index) => ((bytes[index >> 1] ?? 0) >> (index % 2 === 0 ? 4 : 0)) & 15,
  )
}

/** Figures that contradict each other, in words: such data are drawn by nobody. */
export function contradictions({ load, clients }: ProofData): readonly string[] {
  return clients.flatMap(({ name, totals, acknowledgedLater, every500ms, map }) => {
    const counts = countStates(unpacked(map, load.records))
    const pairs: readonly (readonly [string, number, number])[] = [
      ['lost', totals.lost, counts[1] ?? 0],
      ['lost at the end', totals.lost, every500ms.lost.at(-1) ?? 0],
      ['doubled', totals.doubled, (counts[2] ?? 0) + (counts[3] ?? 0)],
      ['doubled at the end', totals.doubled, every500ms.doubled.at(-1) ?? 0],
      [
        'acknowledged',
        totals.acknowledged,
        every500ms.acknowledged.reduce((sum, count) => sum + count, acknowledgedLater),
      ],
    ]
    return pairs
      .filter(([, said, found]) => said !== found)
      .map(([what, said, found]) => `${name}: ${what} is ${said} in its totals and ${found} where it is counted`)
  })
}

export function countStates(map: Uint8Array): readonly number[] {
  const counts = states.map(() => 0)
  for (const state of map) counts[state] = (counts[state] ?? 0) + 1
  return counts
}
