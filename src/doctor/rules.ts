import { lint } from '../config/lint.js'
import { shortfalls, shortfallText } from '../operations/durability.js'
import { mendingCommand } from '../operations/mend.js'
import { timeText } from '../text/figures.js'
import type { DoctorFacts, ExaminedTopic, TopicEligibility } from './facts.js'

/** Something that breaks the promise of the profile (`error`), or will when something goes wrong (`warning`). */
export interface Finding {
  /** Stable; more may come. */
  readonly code: string
  readonly severity: 'error' | 'warning'
  readonly subject: string
  readonly reason: string
  readonly fix: string
}

type Rule = (facts: DoctorFacts) => readonly Finding[]

/** Committed offsets are forgotten after so long without a member: a weekend, and the Monday after. */
const weekendMinutes = 4 * 24 * 60
const unlimited = '9223372036854775807'

/**
 * Every rule there is, in the order in which findings are told; pure.
 *
 * | code | what it means |
 * |------|---------------|
 * | `topic-missing` | what the file defines is not there |
 * | `no-leader` | a partition can be neither read nor written |
 * | `under-replicated` | a copy of a partition lags, or its broker is down |
 * | `relies-on-eligible` | replicas that are not in sync keep what was acknowledged: their disks must not be lost |
 * | `last-leader-needed` | nobody is known to have all that was acknowledged but who led last, if at all |
 * | `one-replica`, `acknowledged-by-one`, `unclean-election` | what was acknowledged may be lost |
 * | `not-writable`, `no-broker-to-spare` | writes stop at once, or when one broker is lost |
 * | `one-rack` | all copies of a partition are lost with one rack |
 * | `flushes-often` | each flush costs a disk's time; replicas are what keeps records |
 * | `dead-letter-…`, `delay-…` | as `lintSettings` has them |
 * | `transaction-over-broker` | the brokers refuse transactions as long as those of the profile |
 * | `lag-near-retention` | records will be deleted before a group has read them |
 * | `auto-creation` | a misspelt name becomes a topic |
 * | `offsets-forgotten` | a group that rests over a weekend begins anew |
 * | `offsets-one-replica`, `transactions-one-replica` | offsets or transactions are lost with one broker |
 */
const rules: readonly Rule[] = [
  ({ missing }) =>
    missing.map((topic) => finding('topic-missing', 'error', topic, 'it does not exist', 'tidemark topics apply')),
  ({ topics }) => topics.flatMap(standing),
  ({ eligible }) => eligible.flatMap(relyingOnOthers),
  (facts) => facts.topics.flatMap((topic) => durability(topic, facts)),
  (facts) => facts.topics.flatMap((topic) => oneRack(topic, facts)),
  ({ topics }) => topics.flatMap(flushing),
  sideTopics,
  transactions,
  ({ late }) =>
    late.map(({ group, topic, partitions, retentionMs }) =>
      finding(
        'lag-near-retention',
        'error',
        `group ${group}`,
        `in partition(s) ${partitions.join(', ')} of ${topic} its next record is nearly as old as they get (${timeText(retentionMs)})`,
        `make it catch up, or raise retention.ms of ${topic} until it has`,
      ),
    ),
  brokerSettings,
]

export function diagnose(facts: DoctorFacts): readonly Finding[] {
  return rules.flatMap((rule) => rule(facts))
}

function finding(code: string, severity: Finding['severity'], subject: string, reason: string, fix: string): Finding {
  return { code, severity, subject, reason, fix }
}

function standing({ name, replicas, partitions }: ExaminedTopic): readonly Finding[] {
  const numbers = (is: (place: ExaminedTopic['partitions'][number], index: number) => boolean) =>
    partitions.flatMap((place, index) => (is(place, index) ? [index] : []))
  const leaderless = numbers(({ leader }) => leader < 0)
  const lagging = numbers(({ leader, isr }, index) => leader >= 0 && isr.length < (replicas[index]?.length ?? 0))
  const start = 'start the brokers that are down'
  return [
    ...(leaderless.length === 0
      ? []
      : [finding('no-leader', 'error', name, `partition(s) ${leaderless.join(', ')} have no leader`, start)]),
    ...(lagging.length === 0
      ? []
      : [
          finding(
            'under-replicated',
            'warning',
            name,
            `a replica of partition(s) ${lagging.join(', ')} is not in sync`,
            start,
          ),
        ]),
  ]
}

/** KIP-966: who has all that was acknowledged is known also of those that are down. */
function relyingOnOthers({ topic, partitions }: TopicEligibility): readonly Finding[] {
  const told = (
    places: TopicEligibility['partitions'],
    brokersOf: (place: TopicEligibility['partitions'][number]) => readonly number[],
  ) => ({
    numbers: places.map(({ partition }) => partition).join(', '),
    brokers: [...new Set(places.flatMap(brokersOf))].sort((one, other) => one - other).join(', '),
  })
  const relying = partitions.filter(({ eligible }) => eligible.length > 0)
  const lost = partitions.filter(({ eligible, lastKnown }) => eligible.length === 0 && lastKnown.length > 0)
  const by = told(relying, ({ eligible }) => eligible)
  const last = told(lost, ({ lastKnown }) => lastKnown)
  return [
    ...(relying.length === 0
      ? []
      : [
          finding(
            'relies-on-eligible',
            'warning',
            topic,
            `too few replicas of partition(s) ${by.numbers} are in sync; all that was acknowledged is also on broker(s) ${by.brokers}`,
            `start them with their disks as they are, and remove none of them before partitions are in sync again`,
          ),
        ]),
    ...(lost.length === 0
      ? []
      : [
          finding(
            'last-leader-needed',
            'error',
            topic,
            `no replica of partition(s) ${last.numbers} is known to have all that was acknowledged; broker(s) ${last.brokers} led last`,
            `start them before any other may lead: an unclean election loses what only they have`,
          ),
        ]),
  ]
}

function durability(topic: ExaminedTopic, { needs, cluster, profile }: DoctorFacts): readonly Finding[] {
  if (needs === null) return []
  const fewest = Math.min(...topic.replicas.map((replicas) => replicas.length))
  const found = shortfalls(fewest, cluster.brokers.length, topic.configs, needs)
  return found.map((shortfall) =>
    finding(
      shortfall.code,
      shortfall.grave ? 'error' : 'warning',
      topic.name,
      `profile ${profile}: ${shortfallText(shortfall)}`,
      mendingCommand(topic, cluster, [shortfall], needs) ?? `make ${shortfall.setting} ${shortfall.wanted}`,
    ),
  )
}

function oneRack({ name, replicas }: ExaminedTopic, { racks }: DoctorFacts): readonly Finding[] {
  if (new Set([...racks.values()].filter((rack) => rack !== null)).size < 2) return []
  const inOne = replicas.flatMap((brokers, partition) => {
    const used = new Set(brokers.map((broker) => racks.get(broker) ?? null))
    return brokers.length > 1 && used.size === 1 && !used.has(null) ? [partition] : []
  })
  if (inOne.length === 0) return []
  const reason = `all replicas of partition(s) ${inOne.join(', ')} are in one rack`
  return [finding('one-rack', 'warning', name, reason, 'move replicas with kafka-reassign-partitions.sh')]
}

function flushing({ name, configs }: ExaminedTopic): readonly Finding[] {
  return ['flush.messages', 'flush.ms'].flatMap((setting) => {
    const value = configs.get(setting)
    if (value === undefined || value === null || value === unlimited) return []
    const fix = `leave ${setting} out: replicas keep records, and each flush holds up writers`
    return [finding('flushes-often', 'warning', name, `${setting} is ${value}`, fix)]
  })
}

/** What the settings of topics alone tell, by the rules of `lintSettings`. */
function sideTopics({ sides, topics, missing }: DoctorFacts): readonly Finding[] {
  const consumers = sides.map(({ source, deadLetter, delayTopics }) => ({
    subject: source,
    ...{ group: null, membership: null, topics: [source], transactionTimeoutMs: null, delayTopics, deadLetter },
  }))
  // How many replicas there are is judged for all topics alike.
  const seen = topics.map(
    ({ name, replicas, configs }) => [name, { partitions: replicas.length, replicas: null, configs }] as const,
  )
  const known = new Map([...seen, ...missing.map((name) => [name, null] as const)])
  return lint({ closeTimeoutMs: 0, graceMs: null, consumers, topics: known, broker: new Map() })
}

/** What the profile asks of brokers beside its topics. */
function transactions({ profile, transactionTimeoutMs, broker }: DoctorFacts): readonly Finding[] {
  const nothing = { group: null, membership: null, topics: [], delayTopics: [], deadLetter: null }
  const consumers = [{ subject: `profile ${profile}`, transactionTimeoutMs, ...nothing }]
  return lint({ closeTimeoutMs: 0, graceMs: null, consumers, topics: new Map(), broker })
}

function brokerSettings({ broker, cluster }: DoctorFacts): readonly Finding[] {
  const several = cluster.brokers.length > 1
  const told = (name: string): number => Number(broker.get(name) ?? Number.NaN)
  const found: readonly (readonly [is: boolean, Finding])[] = [
    [
      broker.get('auto.create.topics.enable') === 'true',
      finding(
        'auto-creation',
        'warning',
        'brokers',
        'auto.create.topics.enable is true: a misspelt name becomes a topic, with the broker’s defaults',
        'set it to false, and make topics with tidemark topics apply',
      ),
    ],
    [
      told('offsets.retention.minutes') < weekendMinutes,
      finding(
        'offsets-forgotten',
        'warning',
        'brokers',
        `offsets.retention.minutes is ${told('offsets.retention.minutes')}: a group that rests longer begins anew`,
        `raise it to ${weekendMinutes} at least; Kafka's default is 10080`,
      ),
    ],
    [
      several && told('offsets.topic.replication.factor') === 1,
      finding(
        'offsets-one-replica',
        'error',
        'brokers',
        'offsets.topic.replication.factor is 1: what groups have committed is lost with one broker',
        'set it to 3, and reassign __consumer_offsets where it exists',
      ),
    ],
    [
      several && told('transaction.state.log.replication.factor') === 1,
      finding(
        'transactions-one-replica',
        'error',
        'brokers',
        'transaction.state.log.replication.factor is 1: transactions are lost with one broker',
        'set it to 3, and reassign __transaction_state where it exists',
      ),
    ],
  ]
  return found.filter(([is]) => is).map(([, one]) => one)
}
