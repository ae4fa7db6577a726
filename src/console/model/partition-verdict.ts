import { partitionKey } from '../../message/topic-partition.js'
import { timeText } from '../../text/figures.js'
import { lagIsKnown, type PartitionSight } from './sight.js'
import { countText, numberText, type Verdict } from './verdict.js'

/** A standstill is told after so long; the end of a partition at once. */
const stallMs = 30_000

/** How long the partition has not moved, and how sure that is. */
export interface Standstill {
  readonly forMs: number
  /** It stood already when somebody first looked. */
  readonly atLeast: boolean
}

/** `null` while it moves, or has nothing to do. */
export function standstillOf(one: PartitionSight, now: number): Standstill | null {
  if (one.facts !== null) {
    const { stalledMs, stoppedBy } = one.facts
    return stalledMs > 0 || stoppedBy !== null ? { forMs: stalledMs, atLeast: false } : null
  }
  if (one.standsSince === null) return null
  return { forMs: Math.max(0, now - one.standsSince), atLeast: one.stoodBefore }
}

/** Why it does not move and what to do, by what it waits for. */
const waits: Readonly<Record<string, readonly [why: string, action: string]>> = {
  handler: ['its handler has not ended', 'look at what the handler calls; the deadline of its attempt ends it'],
  retry: ['its record failed and waits for another attempt', 'look at why it fails; it goes on by itself'],
  outage: [
    'all it tries fails, so it tries one record at a time',
    'look at what the handlers need; it goes on by itself',
  ],
  place: ['handlers of other partitions hold all places', 'raise concurrency, or look at what these handlers do'],
  loop: ['the loop over its batches asks for none', 'look at the code that loops over batches()'],
  'dead-letter': ['its dead letter cannot be written', 'look at its dead-letter topic with tidemark doctor'],
  order: ['it waits for its turn in the order of event time', 'look for the partition whose watermark is behind'],
  'delay-topic': [
    'its delay topic cannot be written, or is being read',
    'look at its delay topics with tidemark doctor',
  ],
  schema: ['the schema of its next record cannot be had', 'look at the schema registry'],
  commit: ['the answer to its last commit has not come', 'look at the coordinator of the group'],
  hook: ['onAssigned has not said where it starts', 'look at what onAssigned does'],
  seek: ['it stopped at a record that had nowhere to go', 'mend the cause, then restart or seek the partition'],
  fetch: ['its broker does not answer', 'look at the broker that leads it'],
}

const unknownWait = ['it waits', 'look at the logs of its member'] as const

/** What is so of one partition of a group. */
export function partitionVerdict(group: string, one: PartitionSight, now: number, hasMembers: boolean): Verdict {
  const place = partitionKey(one.topic, one.partition)
  if (one.trend === 'past-the-end') {
    const at = one.committed === null ? '' : ` at ${numberText(one.committed)}`
    const text = `${group} stands beyond the end of ${place}${at}: the topic was made anew, or lost records`
    return { level: 'act', text, action: `look with tidemark group reset ${group} where it would start` }
  }
  if (one.committed !== null && one.committed < one.start) {
    const lost = countText(one.start - one.committed, 'record')
    const text = `${group} has lost ${lost} on ${place} to retention`
    return { level: 'act', text, action: 'raise retention.ms, and make the group catch up' }
  }
  const still = standstillOf(one, now)
  if (still !== null && (still.forMs >= stallMs || one.facts?.stoppedBy != null))
    return standing(group, one, still, place, hasMembers)
  if (one.lag > 0 && !lagIsKnown(one)) {
    const text = `${group} has never committed on ${place}; where it would start only its process knows`
    return { level: 'unjudged', text, action: null }
  }
  if (one.lag > 0 && one.owner === null && hasMembers) {
    return { level: 'watch', text: `nobody reads ${place} for ${group}`, action: 'wait for the rebalance to end' }
  }
  if (one.trend === 'falling-behind') {
    const text = `${group} falls behind on ${place}: ${behindText(one.lagMs, one.lag)}`
    return { level: 'watch', text, action: null }
  }
  if (one.trend === 'rewound') {
    const text = `${group} was set back on ${place}, and reads ${countText(one.lag, 'record')} again`
    return { level: 'watch', text, action: null }
  }
  return { level: 'ok', text: one.lag === 0 ? `${place} has nothing left to read` : `${place} keeps up`, action: null }
}

function standing(
  group: string,
  one: PartitionSight,
  { forMs, atLeast }: Standstill,
  place: string,
  hasMembers: boolean,
): Verdict {
  const at = one.facts?.settled ?? one.committed
  const where = `${group} stands still on ${place}${at === null ? '' : ` at ${numberText(at)}`}`
  const since = `for ${atLeast ? 'at least ' : ''}${timeText(forMs)}`
  if (!hasMembers) {
    const text = `${group} has no members, and ${place} has waited ${since}: ${countText(one.lag, 'record')}`
    return { level: 'act', text, action: 'start its consumers' }
  }
  if (one.facts === null) {
    const who = one.owner === null ? 'nobody reads it' : `why cannot be told from outside; ${one.owner} told no facts`
    return {
      level: 'act',
      text: `${where} ${since}: ${who}`,
      action: 'give the address of its health server as --members',
    }
  }
  const { stoppedBy, waitsFor } = one.facts
  const [why, action] = waits[stoppedBy === null ? (waitsFor ?? '') : 'seek'] ?? unknownWait
  const error = stoppedBy === null ? '' : ` (${stoppedBy})`
  const by = one.owner === null ? '' : ` on ${one.owner}`
  return { level: 'act', text: `${where} ${since}: ${why}${error}${by}`, action }
}

/** In time first, since that is what is missed; `–` where nobody knows it. */
export function behindText(lagMs: number | null, lag: number): string {
  const records = countText(lag, 'record')
  return lagMs === null ? records : `${timeText(lagMs)}, ${records}`
}
