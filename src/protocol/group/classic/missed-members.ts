import type { ConsumerSettings } from '../../../driver/consumer.js'
import type { Clock } from '../../../runtime/clock.js'

type Settings = Pick<ConsumerSettings, 'groupId' | 'logger' | 'sessionTimeoutMs' | 'rebalanceTimeoutMs'>

/** What a leader sees of another member. */
interface Seen {
  readonly memberId: string
  readonly groupInstanceId: string | null
}

/** Once may be a node that died; this often within an hour it is how processes are stopped. */
const often = 3
const withinMs = 3_600_000
/** Brokers name a member without an instance id after its client id, a hyphen and a UUID. */
const suffixLength = 37
const tooOften =
  'members with this client id keep going without leaving, and each time the group waits until their session is over: stop ' +
  'processes by SIGTERM, or give each a groupInstanceId that its restarts share'

/**
 * Members that the group waited for in vain, as its leader sees it: its join was answered late, and without them. Who is slow
 * to give partitions up is waited for longer, until the rebalance timeout, and is not meant.
 */
export class MissedMembers {
  /** Without an instance id, when the partitions were divided last by us. */
  #last: readonly string[] = []
  /** When, by client id. */
  readonly #missedAt = new Map<string, number[]>()

  constructor(
    private readonly settings: Settings,
    private readonly clock: Clock,
  ) {}

  /** @param waitedMs how long our join waited for its answer */
  divides(members: readonly Seen[], waitedMs: number): void {
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.settings
    const present = members.filter(({ groupInstanceId }) => groupInstanceId === null).map(({ memberId }) => memberId)
    const isForSession = waitedMs >= sessionTimeoutMs / 2 && waitedMs < rebalanceTimeoutMs
    const missed = isForSession ? this.#last.filter((memberId) => !present.includes(memberId)) : []
    this.#last = present
    for (const clientId of new Set(missed.map(clientIdOf))) this.#missed(clientId)
  }

  /** After it was told it has to happen as often again. */
  #missed(clientId: string): void {
    const now = this.clock.now()
    const times = [...(this.#missedAt.get(clientId) ?? []).filter((at) => now - at < withinMs), now]
    this.#missedAt.set(clientId, times.length < often ? times : [])
    if (times.length < often) return
    this.settings.logger.warn({ group: this.settings.groupId, clientId, times: times.length }, tooOften)
  }
}

function clientIdOf(memberId: string): string {
  return memberId.slice(0, -suffixLength)
}
