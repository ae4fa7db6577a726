import type { Driver } from '../../driver/driver.js'
import type { OutgoingRecord } from '../../message/record.js'

/**
 * What a host can do to its cluster beyond what a client can. A case that needs one which the host lacks is not run
 * there; the runner names it.
 */
export interface ContractAbilities {
  /** Kills every broker once and starts it again; resolves when all serve again. */
  bounceBrokers(): Promise<void>
  /** Brokers take connections and requests and answer nothing; the result ends that, and resolves when they answer again. */
  silenceBrokers(): Promise<() => Promise<void>>
  /** The next Produce request takes effect, and its answer is lost with the connection. The result tells whether that has happened. */
  loseNextProduceAnswer(): () => boolean
  /** The next Produce request, with all that its connection sends after it, is kept from the broker until it is released. */
  holdNextProduceRequest(): HeldProduce
  /** A transaction's records and its marker, as a transactional producer stores them. */
  appendTransaction(
    topic: string,
    partition: number,
    records: readonly OutgoingRecord[],
    outcome: 'commit' | 'abort',
  ): Promise<void>
  /** A transaction without its marker yet; the result writes that. */
  openTransaction(
    topic: string,
    partition: number,
    records: readonly OutgoingRecord[],
  ): Promise<(outcome: 'commit' | 'abort') => Promise<void>>
  /** A compacted topic of one partition with offsets 0 to `count` - 1, of which only `kept` are left; the last two are among them. */
  topicWithHoles(topic: string, count: number, kept: readonly number[]): Promise<void>
  /** The log starts at `offset` from now on. */
  deleteRecordsBefore(topic: string, partition: number, offset: number): Promise<void>
  /** What `write` stores in the partition is lost afterwards, as by an unclean election: the next leader never had it. */
  loseRecords(topic: string, partition: number, write: () => Promise<void>): Promise<void>
  /** Until the result is called, who sends more than 20 KB to `topic` is throttled for a second or more. */
  throttleProducing(topic: string): Promise<() => Promise<void>>
  /** The client's connections end as if its process had died: nothing more reaches a broker. */
  killClient(clientId: string): void
  /** Takes the member out of its group, as an administrator does. */
  expelMember(groupId: string, memberId: string): Promise<void>
}

/** A request to write that has not arrived yet. */
export interface HeldProduce {
  isHeld(): boolean
  /** It arrives now, also when its sender has given it up. */
  release(): void
}

/** More may come. */
export type ContractAbility = keyof ContractAbilities

/** A topic that a case of the contract needs. */
export interface HostTopic {
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
}

/** A driver under test and the cluster behind it. */
export interface ContractHost {
  readonly driver: Driver
  readonly abilities: { readonly [Name in ContractAbility]?: ContractAbilities[Name] | undefined }
  /** What the machine may add to times that the contract bounds, in ms: little under a virtual clock, seconds on a busy machine. */
  readonly slackMs: number
  /**
   * Its brokers take a commit that was refused for the size of its metadata for one still under way, and tell what the group
   * committed for that partition only after the next one: Kafka 3.3.2 does, 3.9.1 does not.
   */
  readonly holdsRefusedCommits?: boolean | undefined
  /** Not by way of the driver under test. Resolves when all partitions have leaders. */
  createTopic(name: string, topic: HostTopic): Promise<void>
}
