import { TidemarkError } from '../../src/errors.js'
import type { TopicPartition } from '../../src/message/topic-partition.js'
import type { Simulation } from '../../src/testing/simulation/simulate.js'
import type { Coverage } from './coverage.js'
import type { Cut, FormerLogs } from './former-logs.js'
import type { Report } from './invariant.js'
import type { Member, Members, ReadLedger } from './members.js'
import { between, chance, type Plan } from './plan.js'
import type { SentLedger } from './sent-ledger.js'

/** What users and operators act on. */
export interface UsersTools {
  readonly plan: Plan
  readonly simulation: Simulation
  readonly members: Members
  readonly sent: SentLedger
  readonly former: FormerLogs
  ledgers(): readonly ReadLedger[]
  readonly coverage: Coverage
  readonly report: Report
}

/** Takes places from a member's hands for a while. */
type Pause = (member: Member, places: readonly TopicPartition[], forMs: number) => void

/** What takes records away from under everyone: a topic is made anew, a replica that lacks records is made leader. */
export class Operators {
  constructor(
    private readonly tools: UsersTools,
    private readonly pause: Pause,
  ) {}

  /** Once or twice. Resolves when the topic is there again. */
  async makeAnew(topic: string): Promise<void> {
    const { plan, simulation } = this.tools
    const { clock, random } = simulation
    for (let left = between(random, 1, 2); left > 0; left -= 1) {
      await clock.sleep(between(random, Math.floor(plan.sendingMs / 4), Math.floor(plan.sendingMs / 2)))
      if (chance(random, 0.4)) this.#pauseReaders(topic, between(random, 200, 5_000))
      this.#delete(topic)
      if (chance(random, 0.7)) await clock.sleep(between(random, 0, 3_000))
      while (!this.#create(topic)) await clock.sleep(200)
    }
  }

  #pauseReaders(topic: string, forMs: number): void {
    for (const member of this.#running()) {
      const places = member.consumer.assignment().filter((place) => place.topic === topic)
      if (places.length === 0) continue
      this.tools.coverage.met('topic made anew under paused readers')
      this.pause(member, places, forMs)
    }
  }

  #delete(topic: string): void {
    const { simulation, sent, former, coverage } = this.tools
    const { cluster, note } = simulation
    for (let partition = 0; partition < cluster.partitionCount(topic); partition += 1)
      this.#lose(
        { topic, partition, from: 0, leaderEpoch: null, reason: 'topic-made-anew' },
        former.aboutToLose(topic, partition),
      )
    sent.topicMadeAnew(topic)
    cluster.deleteTopic(topic)
    note(`${topic} is deleted and will be made anew`)
    coverage.met('topic made anew')
  }

  /** False while too few brokers are up. */
  #create(topic: string): boolean {
    const { plan, simulation } = this.tools
    const { partitions = 1 } = plan.topics.find(({ name }) => name === topic) ?? {}
    try {
      simulation.cluster.createTopic(topic, { partitions })
    } catch (error) {
      if (error instanceof TidemarkError) return false
      throw error
    }
    simulation.note(`${topic} is made anew`)
    return true
  }

  /** A follower stops copying for a while, in sync by name or not, and then leads. */
  async electUnclean(): Promise<void> {
    const { simulation } = this.tools
    const { cluster, clock, random } = simulation
    const topics = this.tools.plan.topics.map(({ name }) => name).filter((name) => cluster.partitionCount(name) > 0)
    const topic = topics[between(random, 0, topics.length - 1)]
    if (topic === undefined) return
    const partition = between(random, 0, cluster.partitionCount(topic) - 1)
    const { leader, replicas } = cluster.partitionFacts(topic, partition)
    const followers = replicas.filter((replica) => replica !== leader)
    const node = followers[between(random, 0, followers.length - 1)]
    if (node === undefined) return
    cluster.faults.pauseReplication(node)
    if (chance(random, 0.7)) cluster.faults.dropFollower(node)
    await clock.sleep(between(random, 100, 1_500))
    this.#lead(topic, partition, node)
    cluster.faults.resumeReplication(node)
  }

  #lead(topic: string, partition: number, node: number): void {
    const { simulation, former, coverage } = this.tools
    const { cluster, note } = simulation
    if (partition >= cluster.partitionCount(topic) || cluster.partitionFacts(topic, partition).leader === node) return
    const before = former.aboutToLose(topic, partition)
    const { highWatermark, logEndOffset } = cluster.partitionFacts(topic, partition)
    try {
      cluster.faults.moveLeader(topic, partition, node)
    } catch (error) {
      if (error instanceof TidemarkError) return // it is down, or has no replica of the new topic
      throw error
    }
    const { logEndOffset: from, leaderEpoch } = cluster.partitionFacts(topic, partition)
    note(`broker ${node} leads ${topic}-${partition}, whose log is cut from ${logEndOffset} to ${from}`)
    if (from >= logEndOffset) return
    coverage.met(from < highWatermark ? 'log cut below its high watermark' : 'log cut above its high watermark')
    this.#lose({ topic, partition, from, leaderEpoch, reason: 'log-cut' }, before)
  }

  #lose(cut: Cut, before: ReadonlyMap<number, string>): void {
    const { sent, former, coverage, ledgers } = this.tools
    sent.taken(former.lost(cut, before))
    sent.logCut(cut)
    for (const ledger of ledgers()) ledger.logLost(cut)
    for (const { name, ledger } of this.#running()) {
      const tenure = ledger.tenures.of(name, cut)
      if (tenure?.state === 'held' && tenure.handedUpTo > cut.from) coverage.met(`${cut.reason} behind a reader`)
    }
  }

  #running(): readonly Member[] {
    return this.tools.members.all().filter(({ state }) => state === 'running')
  }
}
