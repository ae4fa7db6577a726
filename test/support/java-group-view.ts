import { fileURLToPath } from 'node:url'
import type { JavaTarget } from './java-client.js'
import { java } from './java.js'

const source = fileURLToPath(new URL('./java/GroupView.java', import.meta.url))
const classes = {
  range: 'org.apache.kafka.clients.consumer.RangeAssignor',
  roundrobin: 'org.apache.kafka.clients.consumer.RoundRobinAssignor',
}

/** A classic group as Kafka's own code sees it. Partitions are `topic-partition`, sorted; members go by client id. */
export interface JavaGroupView {
  readonly state: string
  /** What the members agreed on, by its name in the protocol. */
  readonly assignor: string
  /** Member ids by client id. */
  readonly members: Readonly<Record<string, string>>
  readonly holds: Readonly<Record<string, readonly string[]>>
  /** How Java's assignor divides the same partitions among the same members; empty when none was asked for. */
  readonly expected: Readonly<Record<string, readonly string[]>>
  readonly committed: ReadonlyMap<string, number>
}

/** @param topicsByClient what each member subscribed to; the broker does not tell. */
export async function describeGroup(
  target: JavaTarget,
  group: string,
  assignor: keyof typeof classes | null = null,
  topicsByClient: Readonly<Record<string, readonly string[]>> = {},
): Promise<JavaGroupView> {
  const subscriptions = Object.entries(topicsByClient).map(([client, topics]) => `${client}=${topics.join(',')}`)
  const brokers = target.internalBrokers.join(',')
  // A source file as the main class: the JVM compiles it on the way.
  const output = await java(target.installation, source, [
    ...[brokers, group, assignor === null ? '-' : classes[assignor]],
    ...subscriptions,
  ])
  const lines = output.split('\n').map((line) => line.split('\t'))
  const of = (kind: string) => lines.filter(([first]) => first === kind)
  const byClient = (kind: string) =>
    Object.fromEntries(of(kind).map(([, client = '', ...names]) => [client, names.filter(Boolean).sort()]))
  const [, state = '', agreed = ''] = of('group')[0] ?? []
  return {
    state,
    assignor: agreed,
    members: Object.fromEntries(of('member').map(([, client = '', memberId = '']) => [client, memberId])),
    holds: byClient('holds'),
    expected: byClient('expected'),
    committed: new Map(
      of('committed').map(([, topic, partition, offset]) => [`${topic}-${partition}`, Number(offset)]),
    ),
  }
}
