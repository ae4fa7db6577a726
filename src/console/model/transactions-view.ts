import type { OpenTransactionAt, TransactionDescription } from '../../driver/admin.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { timeText } from '../../text/figures.js'
import type { GroupSight } from './sight.js'
import { byGravity, countText, type Verdict } from './verdict.js'

/** A partition whose newest records no reader of committed ones sees yet. */
export interface HeldPlace extends TopicPartition {
  /** Records from the first that is open to the end. */
  readonly hides: number
}

/** What one look saw of transactions. */
export interface TransactionsSight {
  readonly at: number
  readonly described: readonly TransactionDescription[]
  readonly held: readonly HeldPlace[]
  readonly open: readonly OpenTransactionAt[]
}

export interface TransactionRow {
  /** `null`: no coordinator knows whose it is. */
  readonly transactionalId: string | null
  readonly verdict: Verdict
  readonly state: string
  readonly openMs: number | null
  readonly timeoutMs: number | null
  readonly producer: string
  readonly places: readonly HeldPlace[]
  readonly hides: number
  /** Groups that have committed in these partitions. */
  readonly readers: readonly string[]
  /** What ends it by hand; `null` while its coordinator will. */
  readonly commands: readonly string[]
}

export interface TransactionsView {
  readonly at: number
  readonly verdict: Verdict
  /** The worst first. */
  readonly rows: readonly TransactionRow[]
  /** Ids that have none open. */
  readonly idle: number
}

/** So long one may be open before anybody is told to look. */
const longMs = 10_000
const open: readonly string[] = ['Ongoing', 'PrepareCommit', 'PrepareAbort']

/** A transaction that no coordinator knows has a row for each producer. */
export function transactionsView(sight: TransactionsSight, groups: readonly GroupSight[]): TransactionsView {
  const known = sight.described.filter(({ state }) => open.includes(state))
  const strays = new Map<string, OpenTransactionAt[]>()
  for (const one of sight.open.filter(({ transactionalId }) => transactionalId === null)) {
    const producer = producerOf(one)
    strays.set(producer, [...(strays.get(producer) ?? []), one])
  }
  const rows = [
    ...known.map((one) => knownRow(one, sight, groups)),
    ...[...strays].map(([producer, places]) => strayRow(producer, places, sight, groups)),
  ].sort((one, other) => byGravity(one, other) || other.hides - one.hides)
  return { at: sight.at, rows, idle: sight.described.length - known.length, verdict: wholeVerdict(rows) }
}

function producerOf({ producerId, producerEpoch }: { readonly producerId: number; readonly producerEpoch: number }) {
  return `${producerId} e${producerEpoch}`
}

function knownRow(
  one: TransactionDescription,
  { at, held }: TransactionsSight,
  groups: readonly GroupSight[],
): TransactionRow {
  const { transactionalId, state, startedAt, timeoutMs } = one
  const openMs = startedAt === null ? null : Math.max(0, at - startedAt)
  const places = heldOf(held, one.partitions)
  const hides = sumOf(places)
  const readers = readersOf(groups, places)
  const leftMs = openMs === null ? null : timeoutMs - openMs
  const since = openMs === null ? '' : `, begun ${timeText(openMs)} ago,`
  const end =
    leftMs === null
      ? ''
      : leftMs > 0
        ? `; times out in ${timeText(leftMs)}`
        : '; its time is over, and nobody has ended it'
  const what = `the open transaction ${transactionalId}${since}`
  const isLong = openMs !== null && openMs >= longMs && hides > 0
  const verdict: Verdict = isLong
    ? {
        level: readers.length > 0 ? 'act' : 'watch',
        text: `${what} ${hidesText(hides, places, readers)}${end}`,
        action: 'look at the process that has this transactional id',
      }
    : { level: 'ok', text: `${what} goes its way${end}`, action: null }
  return {
    transactionalId,
    verdict,
    state,
    openMs,
    timeoutMs,
    producer: producerOf(one),
    places,
    hides,
    readers,
    commands: [],
  }
}

function strayRow(
  producer: string,
  strays: readonly OpenTransactionAt[],
  { at, held }: TransactionsSight,
  groups: readonly GroupSight[],
): TransactionRow {
  const places = heldOf(held, strays)
  const hides = sumOf(places)
  const readers = readersOf(groups, places)
  const openMs = Math.max(...strays.map(({ lastWrittenAt }) => Math.max(0, at - lastWrittenAt)))
  return {
    ...{ transactionalId: null, state: 'hangs', openMs, timeoutMs: null, producer, places, hides, readers },
    verdict: {
      level: 'act',
      text: `a transaction of producer ${producer} hangs, quiet for ${timeText(openMs)}: no coordinator knows it, nobody will end it, and it ${hidesText(hides, places, readers)}`,
      action: 'abort it by hand',
    },
    commands: strays.map(
      ({ topic, partition, firstOffset }) =>
        `kafka-transactions.sh --bootstrap-server <broker> abort --topic ${topic} --partition ${partition} --start-offset ${firstOffset}`,
    ),
  }
}

function heldOf(held: readonly HeldPlace[], places: readonly TopicPartition[]): readonly HeldPlace[] {
  const wanted = new Set(places.map(({ topic, partition }) => partitionKey(topic, partition)))
  return held.filter(({ topic, partition }) => wanted.has(partitionKey(topic, partition)))
}

function sumOf(places: readonly HeldPlace[]): number {
  return places.reduce((sum, { hides }) => sum + hides, 0)
}

function readersOf(groups: readonly GroupSight[], places: readonly HeldPlace[]): readonly string[] {
  const wanted = new Set(places.map(({ topic, partition }) => partitionKey(topic, partition)))
  return groups
    .filter(({ partitions }) => partitions.some(({ topic, partition }) => wanted.has(partitionKey(topic, partition))))
    .map(({ group }) => group)
}

const mostPlaces = 3

function hidesText(hides: number, places: readonly HeldPlace[], readers: readonly string[]): string {
  const named = places.slice(0, mostPlaces).map(({ topic, partition }) => partitionKey(topic, partition))
  const more = places.length > mostPlaces ? ` and ${countText(places.length - mostPlaces, 'more partition')}` : ''
  const from = readers.length === 0 ? '' : ` from ${countText(readers.length, 'group')}`
  return `hides ${countText(hides, 'record')} on ${named.join(', ')}${more}${from}`
}

function wholeVerdict(rows: readonly TransactionRow[]): Verdict {
  const [worst] = rows
  if (worst === undefined) return { level: 'ok', text: 'No transaction is open.', action: null }
  if (worst.verdict.level === 'ok') {
    const are = rows.length === 1 ? 'is' : 'are'
    return { level: 'ok', text: `${countText(rows.length, 'transaction')} ${are} open, none for long.`, action: null }
  }
  const text = worst.verdict.text
  return { ...worst.verdict, text: `${text.charAt(0).toUpperCase()}${text.slice(1)}.` }
}
