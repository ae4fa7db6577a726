import type { LintedConsumer, LintRule } from './lint-facts.js'

type GroupLintCode = 'instance-id-twice' | 'no-common-assignor' | 'delay-topics-shared'

/** What consumers of one messaging do to each other. */
export const groupRules: Readonly<Record<GroupLintCode, LintRule>> = {
  'instance-id-twice': {
    severity: 'error',
    find: ({ consumers }) =>
      [...membersByGroup(consumers, 'any protocol')].flatMap(([subject, members]) => {
        const ids = members.flatMap(({ groupInstanceId }) => groupInstanceId ?? [])
        const twice = ids.find((id, index) => ids.indexOf(id) !== index)
        if (twice === undefined) return []
        const reason = `two of its consumers have the groupInstanceId ${twice}, and each puts the other out of the group`
        return [{ subject, reason, fix: 'give each a groupInstanceId of its own' }]
      }),
  },
  'no-common-assignor': {
    severity: 'error',
    find: ({ consumers }) =>
      [...membersByGroup(consumers, 'classic')].flatMap(([subject, members]) => {
        const [first = [], ...others] = members.map(({ assignors }) => assignors)
        if (first.some((name) => others.every((theirs) => theirs.includes(name)))) return []
        const reason = 'its consumers have no assignor in common, so the group takes in some of them alone'
        return [{ subject, reason, fix: `write the same assignors for all, as ${first.join(', ')}` }]
      }),
  },
  'delay-topics-shared': {
    severity: 'error',
    find: ({ consumers }) => {
      const ownersOf = new Map<string, Set<string | null>>()
      for (const { group, delayTopics } of consumers) {
        for (const { topic } of delayTopics) ownersOf.set(topic, (ownersOf.get(topic) ?? new Set()).add(group))
      }
      const shared = (topic: string) => (ownersOf.get(topic)?.size ?? 0) > 1
      return consumers.flatMap(({ subject, delayTopics }) =>
        delayTopics
          .filter(({ topic }) => shared(topic))
          .map(({ topic }) => ({
            subject,
            reason: `another group puts off records on ${topic} too, so each handles what the other put off`,
            fix: 'give each a retryLater.name of its own, or leave the name out',
          })),
      )
    },
  },
}

type Member = NonNullable<LintedConsumer['membership']>

/** By the subject of their group. `classic`: those that divide partitions among themselves. */
function membersByGroup(
  consumers: readonly LintedConsumer[],
  which: 'classic' | 'any protocol',
): ReadonlyMap<string, readonly Member[]> {
  const members = new Map<string, Member[]>()
  for (const { subject, membership } of consumers) {
    if (membership === null || (which === 'classic' && membership.groupProtocol === 'consumer')) continue
    members.set(subject, [...(members.get(subject) ?? []), membership])
  }
  return members
}
