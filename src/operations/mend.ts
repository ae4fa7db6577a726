import type { BrokerNeeds, Shortfall } from './durability.js'
import type { ClusterView, TopicView } from './topic-view.js'

/** A plan for more partitions than these is nothing to read in an error. */
const mostPartitions = 24

/** The command with which Kafka's own tools mend what falls short of the needs; `null` when no one command can. */
export function mendingCommand(
  topic: TopicView,
  cluster: ClusterView,
  found: readonly Shortfall[],
  needs: BrokerNeeds,
): string | null {
  const configs = new Map<string, string>()
  const parts: string[] = []
  for (const { setting, wanted } of found.filter(({ grave }) => grave)) {
    if (setting !== 'replication factor') configs.set(setting, wanted)
    else if (topic.replicas.length > mostPartitions) return null
    else {
      parts.push(reassigning(topic, cluster, needs.minReplicationFactor))
      // With more replicas the count that must have a record matters.
      if (!has(topic, 'min.insync.replicas', needs.minInsyncReplicas)) {
        configs.set('min.insync.replicas', String(needs.minInsyncReplicas))
      }
      if (topic.configs.get('unclean.leader.election.enable') === 'true') {
        configs.set('unclean.leader.election.enable', 'false')
      }
    }
  }
  if (configs.size > 0) parts.push(setting(topic.name, cluster, configs))
  return parts.length === 0 ? null : parts.join(' && ')
}

function has({ configs }: TopicView, name: string, atLeast: number): boolean {
  return Number(configs.get(name) ?? 0) >= atLeast
}

function setting(topic: string, { address }: ClusterView, configs: ReadonlyMap<string, string>): string {
  const values = [...configs].map(([name, value]) => `${name}=${value}`).join(',')
  return (
    `kafka-configs.sh --bootstrap-server ${address} --alter --entity-type topics --entity-name ${topic} ` +
    `--add-config ${values}`
  )
}

/** Each partition keeps the replicas it has, and gets the next brokers beside them. */
function reassigning({ name: topic, replicas }: TopicView, { address, brokers }: ClusterView, count: number): string {
  const partitions = replicas.map((own, partition) => {
    const after = brokers.findIndex((broker) => broker > (own[0] ?? 0))
    const inTurn = after === -1 ? brokers : [...brokers.slice(after), ...brokers.slice(0, after)]
    return { topic, partition, replicas: [...new Set([...own, ...inTurn])].slice(0, count) }
  })
  const plan = JSON.stringify({ version: 1, partitions })
  return (
    `kafka-reassign-partitions.sh --bootstrap-server ${address} --execute ` +
    `--reassignment-json-file <(echo '${plan}')`
  )
}
