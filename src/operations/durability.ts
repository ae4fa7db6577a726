import type { TopicView } from './topic-view.js'

/** What the promise asks of the topics that are written; checked as `durability` says. */
export interface BrokerNeeds {
  readonly minReplicationFactor: number
  /** And below the replication factor, or one lost broker stops all writes. */
  readonly minInsyncReplicas: number
  readonly uncleanLeaderElection: boolean
}

/** A topic that falls short of the promise, by one setting. */
export interface Shortfall {
  /** Stable. */
  readonly code: 'one-replica' | 'acknowledged-by-one' | 'unclean-election' | 'not-writable' | 'no-broker-to-spare'
  readonly setting: 'replication factor' | 'min.insync.replicas' | 'unclean.leader.election.enable'
  readonly value: string
  readonly wanted: string
  readonly because: string
  /** What is acknowledged may be lost: not to be written to. Else: works, and is worth knowing. */
  readonly grave: boolean
}

/** Settings by name, as far as they are known. */
type Configs = Pick<ReadonlyMap<string, string | null>, 'get'>

/**
 * What of a topic falls short of the needs:
 *
 * | replicas      | brokers | min.insync.replicas  | unclean election | then                                                  |
 * |---------------|---------|----------------------|------------------|-------------------------------------------------------|
 * | 1             | 1       |                      |                  | nothing of the topic: the cluster has one broker      |
 * | 1             | 2       |                      |                  | told: lost with its broker                            |
 * | 1             | 3, more |                      |                  | grave: lost with its broker, where it need not be     |
 * | 2, more       |         | 1                    |                  | grave: acknowledged by one broker alone               |
 * | 2, more       |         |                      | on               | grave: a replica that lacks records may become leader |
 * | as many as in-sync ones are asked for, or fewer |           | | told: writes stop when one broker is lost, or at once |
 * | more          |         | 2, more              | off              | nothing                                               |
 *
 * With one replica the other settings change nothing, but for a count of in-sync replicas that cannot be reached.
 */
export function shortfalls(replicas: number, brokers: number, configs: Configs, needs: BrokerNeeds): Shortfall[] {
  const found: Shortfall[] = []
  const inSync = Number(configs.get('min.insync.replicas') ?? needs.minInsyncReplicas)
  if (replicas === 1) {
    if (brokers > 1) {
      found.push({
        code: 'one-replica',
        setting: 'replication factor',
        value: '1',
        wanted: String(Math.min(needs.minReplicationFactor, brokers)),
        because: 'what is acknowledged is lost with the disk of one broker',
        grave: brokers >= needs.minReplicationFactor,
      })
    }
  } else {
    if (inSync < needs.minInsyncReplicas) {
      found.push({
        code: 'acknowledged-by-one',
        setting: 'min.insync.replicas',
        value: String(inSync),
        wanted: String(needs.minInsyncReplicas),
        because: 'what is acknowledged may be on one broker alone',
        grave: true,
      })
    }
    if (!needs.uncleanLeaderElection && configs.get('unclean.leader.election.enable') === 'true') {
      found.push({
        code: 'unclean-election',
        setting: 'unclean.leader.election.enable',
        value: 'true',
        wanted: 'false',
        because: 'a replica that lacks acknowledged records may become leader, and they are lost',
        grave: true,
      })
    }
  }
  if (inSync > replicas || (replicas > 1 && inSync === replicas)) found.push(unwritable(replicas, brokers, inSync))
  return found
}

function unwritable(replicas: number, brokers: number, inSync: number): Shortfall {
  const [code, because] =
    inSync > replicas
      ? (['not-writable', 'nothing can be written with acks=all'] as const)
      : (['no-broker-to-spare', 'one lost broker stops all writes'] as const)
  const more = { code, value: String(replicas), wanted: `${inSync + 1} or more`, because, grave: false }
  if (brokers > inSync) return { setting: 'replication factor', ...more }
  return { ...more, setting: 'min.insync.replicas', value: String(inSync), wanted: `less than ${replicas}` }
}

export function shortfallText({ setting, value, wanted, because }: Shortfall): string {
  return `${setting} is ${value}, wanted ${wanted}: ${because}`
}

/** Settings that are not told, without which nothing can be said for certain; `null` when all are there. */
export function untold(view: TopicView): string | null {
  const missing = ['min.insync.replicas', 'unclean.leader.election.enable'].filter((name) => {
    const value = view.configs.get(name)
    return value === undefined || value === null
  })
  return missing.length === 0 ? null : missing.join(' and ')
}
