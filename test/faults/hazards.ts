import { Partitioners, type Producer } from 'kafkajs'
import { Checker, type Report } from '../support/checker.js'
import { scanTopic } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { Ledger } from '../support/ledger.js'
import { kafkajsClient, safest, sendOne } from './kafkajs-workload.js'

/**
 * What bare kafkajs does to acknowledged messages after one fault, on three real brokers behind fault proxies.
 * Each asserts the loss: it documents the client that tidemark stands on, and tests the checker.
 */
export interface Hazard {
  readonly name: string
  readonly title: string
  /** A run that does not show it is repeated up to this often. */
  readonly tries: number
  run(cluster: KafkaCluster, topic: string): Promise<Report>
  shows(report: Report): boolean
}

export const hazards: readonly Hazard[] = [
  {
    name: 'D1',
    title: 'a partition whose leader moves to a broker that has already answered is never written',
    tries: 3,
    run: leaderMovesToABrokerThatAnswered,
    shows: ({ broken }) => broken.lost === 1,
  },
  {
    name: 'D2',
    title: 'a message without a key is written to two partitions, and a later one is swallowed',
    tries: 3,
    run: keylessMessageIsPartitionedAgain,
    shows: ({ broken }) => broken.doubled >= 1 && broken.lost >= 1,
  },
  {
    name: 'D3',
    title: 'of concurrent sends to one partition the first is doubled and the second lost',
    tries: 3,
    run: (cluster, topic) => concurrentSendsShareASequence(cluster, topic, 'plain'),
    shows: ({ broken }) => broken.doubled >= 1 && broken.lost >= 1,
  },
  {
    name: 'D3-transaction',
    title: 'the same inside a transaction that commits',
    tries: 3,
    run: (cluster, topic) => concurrentSendsShareASequence(cluster, topic, 'transaction'),
    shows: ({ broken }) => broken.doubled >= 1 && broken.lost >= 1,
  },
  {
    name: 'D4',
    title: 'after a send that failed in doubt the next one is acknowledged and swallowed',
    tries: 3,
    run: nextSendRepeatsTheSequence,
    shows: ({ broken }) => broken.lost >= 1,
  },
]

export interface HazardResult {
  readonly hazard: Hazard
  readonly shown: boolean
  readonly tries: number
  readonly report: Report
}

export async function runHazards(chosen: readonly Hazard[], onResult: (result: HazardResult) => void): Promise<void> {
  await using cluster = await startCluster({ nodes: 3, proxies: true })
  for (const hazard of chosen) onResult(await showHazard(cluster, hazard))
}

async function showHazard(cluster: KafkaCluster, hazard: Hazard): Promise<HazardResult> {
  for (let tries = 1; ; tries++) {
    const topic = `hazard-${hazard.name}-${tries}`
    const report = await hazard.run(cluster, topic)
    const shown = hazard.shows(report)
    if (shown || tries === hazard.tries) return { hazard, shown, tries, report }
  }
}

async function leaderMovesToABrokerThatAnswered(cluster: KafkaCluster, topic: string): Promise<Report> {
  await cluster.createTopic(topic, { partitions: 2 })
  const slow = await cluster.leaderOf(topic, 1)
  const quick = (slow % 3) + 1
  await cluster.moveLeader(topic, 0, quick)
  const ledger = new Ledger(topic)
  await withProducer(cluster, safest, async (producer) => {
    const ids = [ledger.invoke(0, ''), ledger.invoke(0, '')]
    const held = cluster.proxy(slow).hold({ api: 'Produce' })
    const sending = producer.send({
      topic,
      acks: -1,
      messages: ids.map((id, partition) => ({ partition, value: ledger.value(id) })),
    })
    await held.struck
    await cluster.moveLeader(topic, 1, quick)
    held.release()
    const answer = await sending
    // The promise resolved: by Kafka's contract both are written, whether the answer names a place or not.
    ids.forEach((id, partition) => {
      const offset = Number(answer.find((result) => result.partition === partition)?.baseOffset ?? -1)
      ledger.settle(id, { kind: 'stored', partition, offset })
    })
  })
  return compare(cluster, topic, ledger)
}

async function keylessMessageIsPartitionedAgain(cluster: KafkaCluster, topic: string): Promise<Report> {
  await cluster.createTopic(topic, { partitions: 3 })
  const ledger = new Ledger(topic)
  await withProducer(cluster, safest, async (producer) => {
    for (let count = 0; count < 24; count++) {
      if (count === 6) for (const proxy of cluster.proxies) proxy.loseAnswer({ api: 'Produce' })
      const id = ledger.invoke(0, '')
      ledger.settle(id, await sendOne(producer, { topic, acks: -1, messages: [{ value: ledger.value(id) }] }))
    }
  })
  return compare(cluster, topic, ledger)
}

async function concurrentSendsShareASequence(
  cluster: KafkaCluster,
  topic: string,
  mode: 'plain' | 'transaction',
): Promise<Report> {
  await cluster.createTopic(topic, { partitions: 1 })
  const ledger = new Ledger(topic)
  const config = mode === 'transaction' ? { ...safest, transactionalId: topic } : safest
  await withProducer(cluster, config, async (producer) => {
    const transaction = mode === 'transaction' ? await producer.transaction() : undefined
    cluster.proxy(await cluster.leaderOf(topic, 0)).loseAnswer({ api: 'Produce' })
    const sends = Array.from({ length: 6 }, async () => {
      const id = ledger.invoke(0, '')
      const outcome = await sendOne(transaction ?? producer, {
        topic,
        acks: -1,
        messages: [{ value: ledger.value(id) }],
      })
      ledger.settle(id, outcome)
    })
    await Promise.all(sends)
    await transaction?.commit()
  })
  return compare(cluster, topic, ledger)
}

async function nextSendRepeatsTheSequence(cluster: KafkaCluster, topic: string): Promise<Report> {
  await cluster.createTopic(topic, { partitions: 1 })
  const ledger = new Ledger(topic)
  await withProducer(cluster, { ...safest, retry: { retries: 1 } }, async (producer) => {
    const leader = await cluster.leaderOf(topic, 0)
    for (let count = 0; count < 9; count++) {
      if (count % 3 === 1)
        for (let attempt = 0; attempt < 2; attempt++) cluster.proxy(leader).loseAnswer({ api: 'Produce' })
      const id = ledger.invoke(0, '')
      ledger.settle(id, await sendOne(producer, { topic, acks: -1, messages: [{ value: ledger.value(id) }] }))
    }
  })
  return compare(cluster, topic, ledger)
}

async function withProducer(
  cluster: KafkaCluster,
  config: Parameters<ReturnType<typeof kafkajsClient>['producer']>[0],
  work: (producer: Producer) => Promise<void>,
): Promise<void> {
  const producer = kafkajsClient(cluster.brokers).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    ...config,
  })
  await producer.connect()
  try {
    await work(producer)
  } finally {
    await producer.disconnect()
    for (const proxy of cluster.proxies) proxy.disarm()
  }
}

async function compare(cluster: KafkaCluster, topic: string, ledger: Ledger): Promise<Report> {
  const checker = new Checker(ledger)
  await scanTopic(cluster, topic, (record) => checker.record(record))
  return checker.report()
}
