import type { ClientName, SpeedClient } from './client.js'
import { runFootprint, type FootprintTask } from './footprint-cell.js'
import { runIdle, type IdleTask } from './idle-cell.js'
import { kafkajsClient } from './kafkajs-client.js'
import { runLatency, type LatencyTask } from './latency-cell.js'
import { librdkafkaClient } from './librdkafka-client.js'
import { platformaticClient } from './platformatic-client.js'
import { runReading, type ReadingTask } from './reading-cell.js'
import { runSending, type SendingTask } from './sending-cell.js'
import { tidemarkClient } from './tidemark-client.js'

export type CellTask = SendingTask | ReadingTask | LatencyTask | IdleTask | FootprintTask

/** What a process of its own is told: one client, one thing to do. */
export interface CellOrder {
  readonly client: ClientName
  readonly brokers: readonly string[]
  /** Of tidemark. */
  readonly dist: string
  readonly task: CellTask
}

const { client, brokers, dist, task } = JSON.parse(process.argv[2] ?? '') as CellOrder

function open(): SpeedClient | Promise<SpeedClient> {
  switch (client) {
    case 'tidemark':
      return tidemarkClient(brokers, dist)
    case 'kafkajs':
      return kafkajsClient(brokers)
    case 'platformatic':
      return platformaticClient(brokers)
    case 'librdkafka':
      return librdkafkaClient(brokers)
  }
}

function run(opened: SpeedClient) {
  switch (task.kind) {
    case 'sending':
      return runSending(opened, task)
    case 'reading':
      return runReading(opened, task)
    case 'latency':
      return runLatency(opened, task)
    case 'idle':
      return runIdle(opened, task)
    case 'footprint':
      return runFootprint(opened, task)
  }
}

const figures = await run(await open())
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit())
