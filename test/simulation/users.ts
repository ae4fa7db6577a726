import { StateError } from '../../src/errors.js'
import type { TopicPartition } from '../../src/message/topic-partition.js'
import type { Member } from './members.js'
import { between } from './plan.js'
import { Operators, type UsersTools } from './operators.js'
import { readable } from './stored-log.js'

const pauseMs = [300, 2_500] as const

/** What users do to their consumers and operators to the logs, at any time: seek, pause, resume, retention, deletion. */
export class Users {
  readonly #tools: UsersTools

  constructor(tools: UsersTools) {
    this.#tools = tools
  }

  /** Until `signal` aborts. */
  async act(signal: AbortSignal): Promise<void> {
    const { plan, simulation } = this.#tools
    const acts: (() => void)[] = []
    if (plan.seeks) acts.push(() => this.#seek())
    if (plan.pauses) acts.push(() => this.#pause())
    if (plan.retention) acts.push(() => this.#retain())
    if (plan.doomedTopic !== null) this.#deleteLater(plan.doomedTopic)
    const operators = new Operators(this.#tools, (member, places, forMs) =>
      this.#pausePartitions(member, places, forMs),
    )
    if (plan.uncleanElections) acts.push(() => void operators.electUnclean())
    const remade = plan.remadeTopic === null ? null : operators.makeAnew(plan.remadeTopic)
    while (acts.length > 0 && !signal.aborted) {
      await simulation.clock.sleep(between(simulation.random, ...pauseMs))
      if (!signal.aborted) acts[between(simulation.random, 0, acts.length - 1)]!()
    }
    await remade
  }

  #seek(): void {
    const { random, cluster } = this.#tools.simulation
    const found = this.#somePartition()
    if (found === null) return
    const { member, place } = found
    const { topic, partition } = place
    if (partition >= cluster.partitionCount(topic)) return // made anew with fewer
    const { logStartOffset, highWatermark } = cluster.partitionFacts(topic, partition)
    const position = member.ledger.tenures.of(member.name, place)?.handedUpTo ?? 0
    const draw = random.next()
    if (draw < 0.4) this.#seekTo(member, place, Math.max(logStartOffset, position - between(random, 1, 60)))
    else if (draw < 0.7) this.#seekTo(member, place, Math.min(highWatermark, position + between(random, 0, 8)))
    else this.#seekByTime(member, place)
  }

  #seekTo(member: Member, place: TopicPartition, offset: number): void {
    member.process.run(() => void this.#tools.members.seek(member, place, offset))
  }

  #seekByTime(member: Member, { topic, partition }: TopicPartition): void {
    const { simulation, members, coverage, report } = this.#tools
    const { cluster, random } = simulation
    const { highWatermark } = cluster.partitionFacts(topic, partition)
    const records = readable(cluster, topic, partition, 'read-uncommitted', 0, highWatermark)
    const timestamp = records[between(random, Math.max(0, records.length - 60), records.length - 1)]?.timestamp
    if (timestamp === undefined) return
    const { former } = this.#tools
    const cuts = former.cutsOf({ topic, partition }).length
    const seek = async () => {
      const sought = members.seek(member, { topic, partition }, { timestamp })
      const asked = members.movesAsked
      // Another one, or a restart, may have gone elsewhere meanwhile.
      if (!(await sought) || members.movesAsked !== asked) return
      // What it found was in another log.
      if (former.cutsOf({ topic, partition }).length > cuts) return
      coverage.met('seek by time')
      const position = member.ledger.tenures.of(member.name, { topic, partition })?.position ?? 0
      const passed = readable(cluster, topic, partition, 'read-uncommitted', 0, position)
      const first = passed.find((record) => record.timestamp >= timestamp)
      if (first === undefined) return
      const detail = `${member.name} sought ${timestamp} in ${topic}-${partition} and went to ${position}, passing ${first.offset}`
      report('a seek by time passes nothing of that time or later', detail)
    }
    member.process.run(() => void seek())
  }

  #pause(forMs = between(this.#tools.simulation.random, 100, 3_000)): void {
    const found = this.#somePartition()
    if (found === null) return
    const all = between(this.#tools.simulation.random, 0, 1) === 0
    this.#pausePartitions(found.member, all ? found.member.consumer.assignment() : [found.place], forMs)
  }

  #pausePartitions(member: Member, places: readonly TopicPartition[], forMs: number): void {
    const { simulation, coverage } = this.#tools
    const { ledger, name, consumer, process } = member
    process.run(() => {
      if (!unlessRefused(() => consumer.pause(places))) return
      simulation.note(`${name} pauses ${places.map((at) => `${at.topic}-${at.partition}`).join(' ')} for ${forMs} ms`)
      coverage.met('partition paused by its user', places.length)
      for (const place of places) ledger.tenures.paused(name, place, true)
      simulation.clock.setTimer(forMs, () => process.run(() => this.#resume(member, places)))
    })
  }

  /** Also what was taken away meanwhile: it would rest when it comes again. */
  #resume({ ledger, name, consumer }: Member, places: readonly TopicPartition[]): void {
    for (const place of places) {
      if (unlessRefused(() => consumer.resume([place]))) ledger.tenures.paused(name, place, false)
    }
  }

  /** A log loses its beginning, now and then while a reader of it rests. */
  #retain(): void {
    const { simulation } = this.#tools
    const found = this.#somePartition()
    if (found === null) return
    const { member, place } = found
    const waitMs = between(simulation.random, 0, 2_500)
    this.#pausePartitions(member, [place], waitMs + 200)
    simulation.clock.setTimer(waitMs, () => this.#truncate(place))
  }

  #truncate({ topic, partition }: TopicPartition): void {
    const { simulation, sent, coverage, members } = this.#tools
    const { cluster, random, note } = simulation
    if (partition >= cluster.partitionCount(topic)) return
    const { highWatermark, lastStableOffset, logStartOffset } = cluster.partitionFacts(topic, partition)
    const end = Math.min(highWatermark, lastStableOffset)
    const offset = random.next() < 0.7 ? end : between(random, logStartOffset, end)
    if (offset <= logStartOffset) return
    sent.willBeDeleted(topic, partition, offset)
    this.#tools.former.deleted(topic, partition, offset)
    cluster.deleteRecordsBefore(topic, partition, offset)
    note(`retention deletes ${topic}-${partition} before ${offset}`)
    coverage.met('log truncated by retention')
    const behind = members.all().some(({ name, ledger, state }) => {
      const tenure = ledger.tenures.of(name, { topic, partition })
      return state === 'running' && tenure?.state === 'held' && tenure.handedUpTo < offset
    })
    if (behind) coverage.met('log truncated in front of a reader')
  }

  #deleteLater(topic: string): void {
    const { plan, simulation, sent, coverage } = this.#tools
    const { clock, cluster, random, note } = simulation
    clock.setTimer(between(random, Math.floor(plan.sendingMs / 4), plan.sendingMs), () => {
      sent.topicDeleted(topic)
      cluster.deleteTopic(topic)
      note(`${topic} is deleted`)
      coverage.met('topic deleted')
    })
  }

  #somePartition(): { readonly member: Member; readonly place: TopicPartition } | null {
    const { simulation, members } = this.#tools
    const { random, cluster } = simulation
    const running = members.all().filter(({ state }) => state === 'running')
    const member = running[between(random, 0, running.length - 1)]
    const places = member?.consumer.assignment().filter(({ topic }) => cluster.partitionCount(topic) > 0) ?? []
    const place = places[between(random, 0, places.length - 1)]
    return member === undefined || place === undefined ? null : { member, place }
  }
}

/** False when the consumer is not in the state for it. */
function unlessRefused(act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    if (error instanceof StateError) return false
    throw error
  }
}
