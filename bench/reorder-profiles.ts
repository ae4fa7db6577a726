/** One record of an input: where it is from, and its time. */
export interface Input {
  readonly partitions: number
  readonly maxOutOfOrdernessMs: number
  readonly lanes: Uint16Array
  readonly timestamps: Float64Array
}

export interface Profile {
  readonly name: string
  readonly meaning: string
  readonly partitions: number
  readonly recordsPerMs: number
  readonly boundMs: number
  /** How far a record is behind the time at which it comes. */
  readonly delay: (random: () => number, lane: number) => number
}

const none = () => 0

export const profiles: readonly Profile[] = [
  {
    name: 'ordered',
    meaning: 'each partition in order',
    partitions: 16,
    recordsPerMs: 20,
    boundMs: 1_000,
    delay: none,
  },
  {
    name: 'light',
    meaning: '5 % delayed up to 1 s',
    partitions: 16,
    recordsPerMs: 20,
    boundMs: 1_000,
    delay: (random) => (random() < 0.05 ? random() * 1_000 : 0),
  },
  {
    name: 'heavy',
    meaning: 'all delayed up to 1 s',
    partitions: 16,
    recordsPerMs: 20,
    boundMs: 1_000,
    delay: (random) => random() * 1_000,
  },
  {
    name: 'large',
    meaning: 'all delayed up to 2 s, 200,000 in the buffer',
    partitions: 16,
    recordsPerMs: 100,
    boundMs: 2_000,
    delay: (random) => random() * 2_000,
  },
  {
    name: 'skew',
    meaning: 'half of the partitions 20 s behind',
    partitions: 16,
    recordsPerMs: 12,
    boundMs: 100,
    delay: (random, lane) => (lane % 2 === 0 ? 20_000 : 0) + random() * 100,
  },
  {
    name: 'sparse',
    meaning: 'a record a second, delayed up to 60 s',
    partitions: 16,
    recordsPerMs: 0.001,
    boundMs: 60_000,
    delay: (random) => random() * 60_000,
  },
  { name: '64 partitions', meaning: 'in order', partitions: 64, recordsPerMs: 20, boundMs: 1_000, delay: none },
  { name: '256 partitions', meaning: 'in order', partitions: 256, recordsPerMs: 20, boundMs: 1_000, delay: none },
]

const startsAt = 1_700_000_000_000
export const batchRecords = 500

/** Batches of one partition after the other. */
export function inputOf({ partitions, recordsPerMs, boundMs, delay }: Profile, records: number): Input {
  const random = seeded(7)
  const lanes = new Uint16Array(records)
  const timestamps = new Float64Array(records)
  for (let at = 0; at < records; at += 1) {
    const batch = Math.floor(at / batchRecords)
    const lane = batch % partitions
    // The partitions of a round are read at the same time: each has its part of that time's records.
    const round = Math.floor(batch / partitions)
    const inRound = (at % batchRecords) / batchRecords
    const perRoundMs = (batchRecords * partitions) / recordsPerMs
    lanes[at] = lane
    timestamps[at] = startsAt + Math.floor((round + inRound) * perRoundMs - delay(random, lane))
  }
  return { partitions, maxOutOfOrdernessMs: boundMs, lanes, timestamps }
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
