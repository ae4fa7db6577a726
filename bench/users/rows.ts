import type { CellTask } from './cell.js'
import type { Way } from './client.js'
import type { FootprintTask } from './footprint-cell.js'
import type { Competitor } from './world.js'

/** One thing that users do, and who is measured doing it. */
export interface Row {
  readonly name: string
  readonly competitors: readonly Competitor[]
  readonly partitions: number
  /** Also in the short profile. */
  readonly short: boolean
  readonly goals: readonly Goal[]
  readonly task: Task
}

/** Of tidemark's figure over the competitor's: at least so much, or, of times and costs, at most. */
export interface Goal {
  readonly of: 'perSecond' | 'p50' | 'p99' | 'coreShare' | 'heapMb'
  /** `null`: an absolute figure; `best`: of the peers that were measured, whichever was best at it. */
  readonly beside: Competitor | 'best' | null
  /** What the competitor does in another row; this one without it. */
  readonly besideRow?: string
  readonly limit: number
}

/** What the suite fills in by its profile and for each cell. */
type Open = 'topic' | 'group' | 'warmMs' | 'ms' | 'records' | 'slowMs' | 'partitions' | 'settleMs'
type OpenTask<Any> = Any extends Exclude<CellTask, FootprintTask> ? Omit<Any, Open> : never
export type Task = OpenTask<CellTask> & { readonly filled?: { readonly compression: string; readonly bytes: number } }

const everybody = ['tidemark', 'former', 'kafkajs', 'platformatic', 'librdkafka', 'java'] as const
const onNode = ['tidemark', 'former', 'kafkajs', 'platformatic', 'librdkafka'] as const
const ours = ['tidemark', 'former'] as const

const faster = (beside: Competitor, limit: number): Goal => ({ of: 'perSecond', beside, limit })
const sooner = (beside: Competitor | 'best'): readonly Goal[] => [
  { of: 'p50', beside, limit: 1 },
  { of: 'p99', beside, limit: 1 },
]

type Sending = Extract<Task, { kind: 'sending' }>
const sending = (task: Partial<Sending> = {}): Sending => ({
  ...{ kind: 'sending', mode: 'singles', keyed: true, bytes: 200, compression: 'none' },
  ...task,
})

const inBulk = 'bulk of 1,000, keyed'

const sendingRows: readonly Row[] = [
  {
    name: 'keyed singles, 4,096 in flight',
    ...{ competitors: everybody, partitions: 8, short: true, task: sending() },
    goals: [
      faster('java', 1),
      faster('librdkafka', 4),
      faster('kafkajs', 80),
      { ...faster('kafkajs', 3), besideRow: inBulk },
    ],
  },
  {
    name: inBulk,
    ...{ competitors: onNode, partitions: 8, short: true, task: sending({ mode: 'bulk' }) },
    goals: [faster('kafkajs', 3)],
  },
  {
    name: 'awaited one by one',
    ...{ competitors: onNode, partitions: 8, short: true, task: sending({ mode: 'awaited' }) },
    goals: sooner('best'),
  },
  {
    name: 'keyless singles, 4,096 in flight (best case)',
    ...{ competitors: ['tidemark', 'former', 'java'], partitions: 8, short: false, task: sending({ keyed: false }) },
    goals: [],
  },
  {
    name: 'keyed singles, 1,000 partitions',
    ...{ competitors: everybody, partitions: 1_000, short: true, task: sending() },
    goals: [faster('librdkafka', 3)],
  },
  {
    name: 'bulk of 1,000, keyed, 1,000 partitions',
    ...{
      competitors: ['tidemark', 'former', 'kafkajs'],
      partitions: 1_000,
      short: true,
      task: sending({ mode: 'bulk' }),
    },
    goals: [],
  },
  ...[100, 1_000, 10_000].map((bytes) => sizeRow(bytes, 'none', [faster('java', 1)])),
  ...(['lz4', 'zstd'] as const).flatMap((codec) => [100, 200, 1_000, 10_000].map((bytes) => sizeRow(bytes, codec))),
]

function sizeRow(bytes: number, compression: Sending['compression'], goals: readonly Goal[] = []): Row {
  const codec = compression === 'none' ? '' : `, ${compression}`
  return {
    name: `keyed singles of ${bytes.toLocaleString('en-US')} bytes${codec}`,
    ...{ competitors: ['tidemark', 'former', 'java'], partitions: 8, short: false },
    task: sending({ bytes, compression }),
    goals,
  }
}

const reading = (way: Way, compression = 'none', bytes = 200): Task => ({
  ...{ kind: 'reading', way, filled: { compression, bytes } },
})

const counted = (partitions: number) => `${partitions.toLocaleString('en-US')} partitions`

const readingRows: readonly Row[] = [8, 1_000].flatMap((partitions): readonly Row[] => [
  {
    name: `by batch, ${counted(partitions)}`,
    ...{
      competitors: ['tidemark', 'former', 'kafkajs', 'librdkafka', 'java'],
      partitions,
      short: true,
      task: reading('batch'),
    },
    goals: [faster('java', 1), faster('kafkajs', 2.5)],
  },
  {
    name: `by message, async handler, ${counted(partitions)}`,
    ...{ competitors: onNode, partitions, short: true, task: reading('message') },
    goals: [faster('kafkajs', 2)],
  },
  {
    name: `by key, 64 lanes, async handler, ${counted(partitions)}`,
    ...{ competitors: [...ours, 'kafkajs'], partitions, short: true, task: reading('key, 64 lanes') },
    goals: [faster('kafkajs', 2)],
  },
  {
    name: `by message, synchronous handler (best case), ${counted(partitions)}`,
    ...{ competitors: ours, partitions, short: false, task: reading('message, synchronous') },
    goals: [],
  },
])

const moreReadingRows: readonly Row[] = [
  ...['lz4', 'zstd'].map((compression): Row => ({
    name: `by batch, 1,000 bytes, ${compression}`,
    ...{ competitors: ['tidemark', 'former', 'java'], partitions: 8, short: false },
    ...{ task: reading('batch', compression, 1_000), goals: [] },
  })),
  {
    name: '5 ms handlers, by key, 256 lanes, 8 partitions', // of kafkajs all 8 at once
    ...{ competitors: [...ours, 'kafkajs'], partitions: 8, short: true, task: reading('key, 256 lanes, 5 ms') },
    goals: [faster('kafkajs', 30)],
  },
]

const latencyRows: readonly Row[] = [1_000, 10_000, 50_000].map((perSecond): Row => ({
  name: `end to end at ${perSecond.toLocaleString('en-US')}/s`,
  ...{ competitors: onNode, partitions: 8, short: true, task: { kind: 'latency', perSecond, bytes: 200 } },
  goals:
    perSecond === 10_000
      ? [{ of: 'p50', beside: null, limit: 2 }, { of: 'p99', beside: null, limit: 10 }, ...sooner('best')]
      : [],
}))

const restRows: readonly Row[] = [8, 1_000].map((partitions): Row => ({
  name: `a producer and a consumer at rest, ${counted(partitions)}`,
  ...{
    competitors: ['tidemark', 'former', 'kafkajs', 'platformatic'],
    partitions,
    short: true,
    task: { kind: 'idle' },
  },
  goals: [
    { of: 'coreShare', beside: null, limit: 0.01 },
    { of: 'heapMb', beside: null, limit: 40 },
  ],
}))

export type UserSuite = 'sending' | 'reading' | 'latency' | 'rest'

export const rowsOf: Readonly<Record<UserSuite, readonly Row[]>> = {
  sending: sendingRows,
  reading: [...readingRows, ...moreReadingRows],
  latency: latencyRows,
  rest: restRows,
}

export const userSuites = Object.keys(rowsOf) as readonly UserSuite[]

export const allRows: readonly Row[] = Object.values(rowsOf).flat()
