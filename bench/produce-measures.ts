import type { Library } from './library.js'
import { keepInFlight, measure, measureLatency, type Measured } from './measure.js'
import { openTidemark } from './open-tidemark.js'

export const singles = 300_000
export const partitions = 8
export const value = Buffer.alloc(200, 'x')

let topics = 0

/** Sends of tidemark to a topic of their own, after a warm-up. */
export async function tidemarkProduces(library: Library, brokers: readonly string[]): Promise<readonly Measured[]> {
  const { bytes, defineTopic } = library.tidemark
  const messaging = openTidemark(library, brokers)
  const name = `bench-produce-tidemark-${process.pid}-${(topics += 1)}`
  const topic = defineTopic({ name, value: bytes(), partitions, replicationFactor: 1 })
  const thousand = Array.from({ length: 1_000 }, () => value)
  const results: Measured[] = []
  try {
    await messaging.ensureTopics([topic])
    const producer = messaging.producer()
    await keepInFlight(20_000, 1_024, () => producer.send(topic, value))
    results.push(await measureLatency('tidemark awaited one by one', 2_000, 1, () => producer.send(topic, value)))
    for (const inFlight of [256, 1_024, 4_096]) {
      results.push(
        await measure(`tidemark singles, ${inFlight} in flight`, () =>
          keepInFlight(singles, inFlight, () => producer.send(topic, value)),
        ),
      )
    }
    results.push(
      await measure('tidemark sendMany of 1000, 8 in flight', async () => {
        await keepInFlight(singles / 1_000, 8, () => producer.sendMany(topic, thousand))
        return singles
      }),
    )
  } finally {
    await messaging.close()
  }
  return results
}
