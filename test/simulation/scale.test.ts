import { describe, expect, it } from 'vitest'
import { bytes, createMessaging, defineTopic } from '../../src/index.js'
import { simulate, type Simulation } from '../../src/testing/simulation/simulate.js'

/** A scan of all partitions for each of them shows more, the more there are; at 800 only what is dear does. */
const most = process.env['TIDEMARK_FULL'] === '1' ? 2_000 : 800
/** From the smaller to the larger size. */
const times = 8
/** Of what is linear, for what a busy machine and its caches do. What is quadratic takes `times` as much. */
const slack = times / 1.5

const topic = defineTopic({ name: 'wide', value: bytes() })
const value = Buffer.alloc(200)
const cluster = { brokers: 3, latencyMs: 1, initialRebalanceDelayMs: 3_000 }

type Measured = <T>(step: () => Promise<T>) => Promise<T>
type Step = (partitions: number, simulation: Simulation, measured: Measured) => Promise<void>

/** CPU time of the step in virtual time, in milliseconds. */
async function cpuMsOf(step: Step, partitions: number): Promise<number> {
  let micros = 0
  const measured: Measured = async (part) => {
    const before = process.cpuUsage()
    const result = await part()
    const { user, system } = process.cpuUsage(before)
    micros += user + system
    return result
  }
  await simulate(1, (simulation) => step(partitions, simulation, measured), { cluster })
  return micros / 1_000
}

/** Some milliseconds, in which a collection of garbage or a compiler at work would be most of it. */
async function leastCpuMsOf(step: Step, partitions: number): Promise<number> {
  const runs = [await cpuMsOf(step, partitions), await cpuMsOf(step, partitions), await cpuMsOf(step, partitions)]
  return Math.min(...runs)
}

const each = (partitions: number) => Array.from({ length: partitions }, (_, partition) => partition)

const sends: Step = async (partitions, { process: of, cluster: kafka }, measured) => {
  kafka.createTopic(topic.name, { partitions })
  const messaging = createMessaging({ driver: of('shop').driver })
  const producer = messaging.producer()
  await measured(() => Promise.all(each(partitions).map((partition) => producer.send(topic, value, { partition }))))
  await messaging.close()
}

/** So many members join at once, read a record of each partition, and stop. */
const reads =
  (members: (partitions: number) => number): Step =>
  async (partitions, { process: of, cluster: kafka, clock }, measured) => {
    kafka.createTopic(topic.name, { partitions })
    const record = { key: null, value, headers: [], timestamp: 0 }
    for (const partition of each(partitions))
      kafka.appendTransaction(topic.name, partition, [record], 'commit', 'filler')
    let handled = 0
    const all = Array.from({ length: members(partitions) }, (_, index) => {
      const messaging = createMessaging({ driver: of(`reader-${index}`).driver })
      const handle = async () => Promise.resolve(void (handled += 1))
      return {
        messaging,
        consumer: messaging.consumer({ group: 'readers', topics: [topic], from: 'earliest', handle }),
      }
    })
    await measured(async () => {
      await Promise.all(all.map(({ consumer }) => consumer.start()))
      while (handled < partitions) await clock.sleep(100)
      await Promise.all(all.map(({ messaging }) => messaging.close()))
    })
    expect(handled).toBe(partitions)
  }

describe('what grows with the number of partitions or members grows no faster', { timeout: 900_000 }, () => {
  it.each<[string, Step]>([
    ['a producer that sends to every partition', sends],
    ['a consumer that reads all partitions', reads(() => 1)],
    ['a group whose members have 40 partitions each', reads((partitions) => Math.ceil(partitions / 40))],
  ])('%s', async (_, step) => {
    await cpuMsOf(step, most / times)
    const [small, large] = [await leastCpuMsOf(step, most / times), await leastCpuMsOf(step, most)]
    console.log(`${most / times}: ${small.toFixed(0)} ms, ${most}: ${large.toFixed(0)} ms`)
    expect(large).toBeLessThan(small * times * slack)
  })
})
