import { bytes, createMessaging, defineTopic } from '../../src/index.js'
import type { Consumer } from '../../src/index.js'
import { lagMonitor } from '../../src/lag.js'
import { simulate, type Simulation } from '../../src/testing/simulation/simulate.js'

/** How large a cluster is: so many partitions of one topic, and so many members of one group. */
export interface Size {
  readonly partitions: number
  readonly members: number
}

/** CPU time of `part`, in virtual time; what is outside of it makes ready and cleans up. */
type Measured = <T>(part: () => Promise<T>) => Promise<T>

/** One thing that clients do, whose cost must grow no faster than what it grows with. */
export interface ScaleStep {
  readonly name: string
  readonly growsWith: keyof Size
  readonly run: (size: Size, simulation: Simulation, measured: Measured) => Promise<void>
}

const topic = defineTopic({ name: 'wide', value: bytes() })
const value = Buffer.alloc(200)
const record = { key: null, value, headers: [], timestamp: 0 }
/** Of a group that has a member in one place and another, and time for all to come before it is divided. */
const cluster = { brokers: 3, latencyMs: 1, initialRebalanceDelayMs: 3_000 }
const restMs = 20_000

/** Milliseconds of CPU time that the step took at this size. */
export async function cpuMsOf({ run }: ScaleStep, size: Size): Promise<number> {
  let micros = 0
  const measured: Measured = async (part) => {
    const before = process.cpuUsage()
    const result = await part()
    const { user, system } = process.cpuUsage(before)
    micros += user + system
    return result
  }
  await simulate(1, (simulation) => run(size, simulation, measured), { cluster, limitMs: 24 * 3_600_000 })
  return micros / 1_000
}

/**
 * How a cost grows: the exponent of the power of the size that fits the costs best. 1 is linear, and 0 what does not grow.
 *
 * @param points size and cost of each
 */
export function exponentOf(points: readonly (readonly [size: number, cost: number])[]): number {
  return slopeOf(points.map(([size, cost]) => [Math.log(size), Math.log(cost)]))
}

/** Of the line that fits the points best. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: 0 | 1) => sum(points.map((point) => point[of])) / points.length
  const [meanX, meanY] = [mean(0), mean(1)]
  return sum(points.map(([x, y]) => (x - meanX) * (y - meanY))) / sum(points.map(([x]) => (x - meanX) ** 2))
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const each = (partitions: number) => Array.from({ length: partitions }, (_, partition) => partition)

interface Member {
  readonly consumer: Consumer
  leave(): Promise<void>
}

type Protocol = 'classic' | 'consumer'

/** A topic with a record in each partition, and members that read it. */
class World {
  handled = 0
  #names = 0

  constructor(
    readonly simulation: Simulation,
    readonly size: Size,
    readonly protocol: Protocol,
  ) {
    simulation.cluster.createTopic(topic.name, { partitions: size.partitions })
    for (const partition of each(size.partitions))
      simulation.cluster.appendTransaction(topic.name, partition, [record], 'commit', 'filler')
  }

  member(): Member {
    const messaging = createMessaging({ driver: this.simulation.process(`reader-${(this.#names += 1)}`).driver })
    const consumer = messaging.consumer({
      group: 'readers',
      groupProtocol: this.protocol,
      topics: [topic],
      from: 'earliest',
      handle: async () => Promise.resolve(void (this.handled += 1)),
    })
    return { consumer, leave: () => messaging.close() }
  }

  /** So many join at once. */
  async join(members = this.size.members): Promise<readonly Member[]> {
    const all = Array.from({ length: members }, () => this.member())
    await Promise.all(all.map(({ consumer }) => consumer.start()))
    await this.divided(all)
    return all
  }

  /** Each member has its part, all partitions an owner, and each was read. */
  async divided(members: readonly Member[]): Promise<void> {
    const isDivided = () => {
      const counts = members.map(({ consumer }) => consumer.assignment().length)
      return counts.every((count) => count > 0) && sum(counts) === this.size.partitions
    }
    while (!isDivided() || this.handled < this.size.partitions) await this.simulation.clock.sleep(500)
  }
}

const leaving = (members: readonly Member[]) => Promise.all(members.map((member) => member.leave()))

type InWorld = (world: World, measured: Measured) => Promise<void>

const step = (name: string, growsWith: keyof Size, inWorld: InWorld, protocol: Protocol = 'classic'): ScaleStep => ({
  name: protocol === 'classic' ? name : `${name}, protocol consumer`,
  growsWith,
  run: async (size, simulation, measured) => inWorld(new World(simulation, size, protocol), measured),
})

const joins: InWorld = async (world, measured) => {
  const members = await measured(() => world.join())
  await leaving(members)
}

const rests: InWorld = async (world, measured) => {
  const members = await world.join()
  await measured(() => world.simulation.clock.sleep(restMs))
  await leaving(members)
}

/** One more, then it goes again. */
const comesAndGoes: InWorld = async (world, measured) => {
  const members = await world.join()
  await measured(async () => {
    const late = world.member()
    await late.consumer.start()
    await world.divided([...members, late])
    await late.leave()
    await world.divided(members)
  })
  await leaving(members)
}

const leaves: InWorld = async (world, measured) => {
  const members = await world.join()
  await measured(() => leaving(members))
}

const sends: ScaleStep = {
  name: 'a producer sends to each partition',
  growsWith: 'partitions',
  run: async ({ partitions }, { process: of, cluster: kafka }, measured) => {
    kafka.createTopic(topic.name, { partitions })
    const messaging = createMessaging({ driver: of('shop').driver })
    const producer = messaging.producer()
    await measured(() => Promise.all(each(partitions).map((partition) => producer.send(topic, value, { partition }))))
    await messaging.close()
  },
}

const looks: InWorld = async (world, measured) => {
  const members = await world.join()
  const messaging = createMessaging({ driver: world.simulation.process('watcher').driver })
  const monitor = lagMonitor(messaging, { groups: [{ group: 'readers' }] })
  await measured(async () => monitor.look())
  monitor.close()
  await messaging.close()
  await leaving(members)
}

/** Of one member, or as many as are named, while the partitions grow; of many partitions, while the members grow. */
export const scaleSteps: readonly ScaleStep[] = [
  sends,
  step('members join, read a record of each partition and commit', 'partitions', joins),
  step('members join, read a record of each partition and commit', 'partitions', joins, 'consumer'),
  step('members at rest for 20 s', 'partitions', rests),
  step('a member comes and goes', 'partitions', comesAndGoes),
  step('a member comes and goes', 'partitions', comesAndGoes, 'consumer'),
  step('members leave', 'partitions', leaves),
  step('a look at the lag', 'partitions', looks),
  step('many members join, read and commit', 'members', joins),
  step('many members join, read and commit', 'members', joins, 'consumer'),
  step('many members at rest for 20 s', 'members', rests),
  step('many members at rest for 20 s', 'members', rests, 'consumer'),
  step('a member comes to many and goes', 'members', comesAndGoes),
  step('a member comes to many and goes', 'members', comesAndGoes, 'consumer'),
  step('many members leave', 'members', leaves),
]
