import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { logLevel } from 'kafkajs'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { bytes, createMessaging, defineTopic, type Consumer, type Messaging, type Producer } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { delay, until } from '../support/waiting.js'

/** `TIDEMARK_STALL_MS=60000` for the long form. */
const stallMs = Number(process.env['TIDEMARK_STALL_MS'] ?? 20_000)
const partitions = 8
const stalledPartition = 0
const topic = defineTopic({
  name: `stalled-${process.pid}-${Date.now()}`,
  value: bytes(),
  partitions,
  replicationFactor: 1,
})
const highMark = { records: 8_000, bytes: 16 * 1_048_576 }
const lowMark = { records: 4_000, bytes: 8 * 1_048_576 }
const fetch = { maxWaitMs: 100, partitionMaxBytes: 256 * 1_024, maxBytes: 4 * 1_048_576 }
/** Brokers give out whole batches, also larger ones than asked for; so they are small here. */
const batchBytes = 64 * 1_024
const othersPerSecond = 3_000
const otherValue = Buffer.alloc(200, 'o')
/** More than any bound, so that a consumer without bounds is seen. */
const backlog = { records: 24_000, value: Buffer.alloc(4_096, 's') }
/** What of the marks one partition may hold, and one fetch more. */
const share = {
  records: highMark.records / partitions + fetch.partitionMaxBytes / backlog.value.length,
  bytes: highMark.bytes / partitions + fetch.partitionMaxBytes,
}
/** Answers stay whole as long as a piece of one waits; the rest is what is sent meanwhile, each with its receipt. */
const heapGrowthBytes = Math.ceil(share.bytes / fetch.partitionMaxBytes) * fetch.maxBytes + 20 * 1_048_576
const sessionTimeoutMs = 6_000

let messaging: Messaging | undefined
let traffic: Traffic | undefined

afterAll(async () => {
  await traffic?.stop()
  await messaging?.admin.deleteTopics([topic.name]).catch(() => undefined)
  await messaging?.close()
})

describe('A handler that stalls on one partition', () => {
  it(
    `for ${stallMs} ms holds no more than the marks, slows no other partition and causes no rebalance`,
    async () => {
      messaging = createMessaging({
        driver: kafkajs({ brokers: [...inject('kafkaBrokers')], logLevel: logLevel.NOTHING }),
        durability: 'off',
      })
      await messaging.ensureTopics([topic])
      const stall = new Gate()
      const handled = new Array<number>(partitions).fill(0)
      let drains = 0
      const consumer = messaging.consumer({
        group: topic.name,
        topics: [topic],
        highMark,
        lowMark,
        fetch,
        sessionTimeoutMs,
        rebalanceTimeoutMs: 8_000,
        heartbeatIntervalMs: 500,
        onDrained: () => (drains += 1),
        handle: async ({ partition }) => {
          if (partition === stalledPartition) await stall.passed
          handled[partition] = (handled[partition] ?? 0) + 1
        },
      })
      await consumer.start()
      const producer = messaging.producer({ batchBytes })
      traffic = new Traffic(producer)
      const others = () =>
        handled.reduce((sum, count, partition) => sum + (partition === stalledPartition ? 0 : count), 0)

      await until('records flow', () => others() > othersPerSecond)
      const generation = consumer.facts().driver?.generationId
      const joinedAs = consumer.facts().driver?.memberId
      const heapBefore = memoryBytes()

      stall.close()
      await sendBacklog(producer)
      const held = watchHeld(consumer)
      const handledBefore = handled[stalledPartition]
      const begunWith = { sent: traffic.sent, handled: others() }
      await delay(stallMs)
      // Beside what is sent in the same time, so that both are as fast as the machine.
      const during = { sent: traffic.sent - begunWith.sent, handled: others() - begunWith.handled }
      const sentMeanwhile = traffic.sent
      await until('the others get all that was sent', () => others() >= sentMeanwhile)
      const heapAfter = memoryBytes()
      held.stop()
      const factsAfter = consumer.facts()

      expect(handled[stalledPartition]).toBe(handledBefore)
      expect(factsAfter.partitions.find(({ partition }) => partition === stalledPartition)?.pausedBy).toEqual(['marks'])
      expect(held.samples).toBeGreaterThan(stallMs / 1_000)
      // Non-empty, or nothing was proven.
      expect(held.most.bytes).toBeGreaterThan(fetch.partitionMaxBytes / 2)
      expect(held.most.bytes).toBeLessThanOrEqual(share.bytes)
      expect(held.most.records).toBeLessThanOrEqual(share.records)
      expect(held.mostOfAll).toBeLessThanOrEqual(highMark.bytes + partitions * fetch.partitionMaxBytes)
      expect(heapAfter - heapBefore).toBeLessThan(heapGrowthBytes)
      expect(during.handled).toBeGreaterThan(during.sent / 2)
      expect(factsAfter.driver?.generationId).toBe(generation)
      expect(factsAfter.driver?.memberId).toBe(joinedAs)
      expect(drains).toBe(0)

      stall.open()
      await traffic.stop()
      const total = () => handled.reduce((sum, count) => sum + count, 0)
      const sent = traffic.sent + backlog.records
      await until('everything is handled', () => total() >= sent, { timeoutMs: 60_000 })
      expect(total()).toBe(sent)
      expect(consumer.facts().driver?.generationId).toBe(generation)
      await consumer.stop()
      console.log(
        `stalled ${stallMs} ms: others handled ${during.handled} of ${during.sent} sent meanwhile; held at most ` +
          `${held.most.records} records, ${held.most.bytes} bytes; heap ${Math.round((heapAfter - heapBefore) / 1_024)} KiB more`,
      )
    },
    stallMs + 150_000,
  )
})

/** Open at first. Who asks while it is closed waits until it opens. */
class Gate {
  passed: Promise<void> = Promise.resolve()
  #open: () => void = () => undefined

  close(): void {
    this.passed = new Promise((resolve) => (this.#open = resolve))
  }

  open(): void {
    this.#open()
  }
}

/** An even stream of records to every partition but the stalled one. */
class Traffic {
  sent = 0
  #stopped = false
  readonly #running: Promise<void>

  constructor(producer: Producer) {
    this.#running = this.#run(producer)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(producer: Producer): Promise<void> {
    const startedAt = performance.now()
    const stored: Promise<unknown>[] = []
    while (!this.#stopped) {
      const due = ((performance.now() - startedAt) / 1_000) * othersPerSecond
      for (; this.sent < due; this.sent++) {
        stored.push(producer.send(topic, otherValue, { partition: 1 + (this.sent % (partitions - 1)) }))
      }
      await delay(20)
    }
    await Promise.all(stored)
  }
}

async function sendBacklog(producer: Producer): Promise<void> {
  const chunk = 2_000
  for (let sent = 0; sent < backlog.records; sent += chunk) {
    const values = Array.from({ length: chunk }, () => backlog.value)
    await producer.sendMany(topic, values, { partition: stalledPartition })
  }
}

function watchHeld(consumer: Consumer) {
  const seen = { most: { records: 0, bytes: 0 }, mostOfAll: 0, samples: 0, stop: () => clearInterval(timer) }
  const timer = setInterval(() => {
    const facts = consumer.facts().partitions
    const stalled = facts.find(({ partition }) => partition === stalledPartition)
    seen.samples += 1
    seen.most.records = Math.max(seen.most.records, stalled?.unsettled ?? 0)
    seen.most.bytes = Math.max(seen.most.bytes, stalled?.unsettledBytes ?? 0)
    seen.mostOfAll = Math.max(
      seen.mostOfAll,
      facts.reduce((sum, { unsettledBytes }) => sum + unsettledBytes, 0),
    )
  }, 100)
  return seen
}

/** What is alive, Buffers too, after the garbage is gone. */
function memoryBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
