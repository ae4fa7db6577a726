import { parseArgs } from 'node:util'
import { kafkaVersion } from './kafka-jars.js'
import { startCluster } from './kafka-cluster.js'

const help = `npm run kafka [-- --nodes 3 --version 3.9.1 --topic name:partitions]

Starts a Kafka on this machine, prints its addresses and runs until Ctrl-C. Its data is gone afterwards.
The first use of a version fetches its jars from Maven Central (needs Java 17 and Maven).
`

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1' },
    version: { type: 'string', default: kafkaVersion() },
    topic: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
})

async function play(): Promise<void> {
  const startedAt = performance.now()
  console.log(`Starting Kafka ${values.version} with ${values.nodes} node(s) …`)
  const stopAsked = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
  const cluster = await startCluster({ nodes: Number(values.nodes), version: values.version })
  for (const topic of values.topic) {
    const [name = '', partitions = '1'] = topic.split(':')
    await cluster.createTopic(name, { partitions: Number(partitions) })
  }
  console.log(
    `Ready after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s. Brokers:\n\n  ${cluster.brokers.join(',')}\n\nCtrl-C stops it.`,
  )
  await stopAsked
  await cluster.stop()
  console.log('Stopped.')
}

if (values.help) console.log(help)
else if (!/^[1-9]$/.test(values.nodes)) {
  console.error(`--nodes takes 1 to 9, not ${values.nodes}`)
  process.exitCode = 1
} else {
  await play().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  })
}
